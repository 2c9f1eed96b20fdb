package analyzer

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A value that does not open counts once, wherever it lies: as the newest value if it is that, and
// else among the older ones.
func TestFailuresCountOnce(t *testing.T) {
	const n = 40
	f := forgery{index: 1, member: 7}
	value := func(s string, i int) []byte { return sealed(oldKey, fmt.Sprint(s, i)) }
	for i := range n {
		for v, name := range []string{"old", "older", "newest"} {
			f.records = append(f.records, record{rev: int64(2 + 3*i + v), create: int64(2 + 3*i), version: int64(v + 1), key: secretKey(i), value: value(name, i)})
		}
	}
	last := int64(2 + 3*n)
	for i := range n {
		f.records = append(f.records, record{rev: last + int64(i), key: fmt.Sprintf("/registry/pods/default/p-%d", i), value: []byte("filler")})
		f.freed = append(f.freed, last+int64(i)) // so that every leaf with Secrets has a free copy
	}
	f.freed = append(f.freed, 2, 3) // s-0: its older values are residue alone
	log := logOf(t, 3, [3]string{"1", "s-1", string(value("newest", 1))}, [3]string{"2", "s-2", string(value("old", 2))},
		[3]string{"3", "s-3", string(value("never", 3))})
	db := f
	db.index = 3
	r, _ := run(t, Options{Encryption: keyless(t)}, withLog(db.source(t), log)...)
	got := map[string][2]int{}
	for _, found := range of(r, report.RuleUndecryptable) {
		counts, which := got[string(found.Key)], 0
		if found.Superseded {
			which = 1
		}
		counts[which] += 1 + found.AtMore
		got[string(found.Key)] = counts
	}
	want := map[string][2]int{}
	for i := range n {
		want[secretKey(i)] = [2]int{1, 2}
	}
	want[secretKey(3)] = [2]int{1, 3} // one more is in the log alone
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest and older values that do not open (-want +got):\n%s", diff)
	}
}
