package analyzer

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A value that does not open counts once, wherever it lies: as the newest value if it is that, and
// else among the older ones.
func TestFailuresCountOnce(t *testing.T) {
	const n = 40
	f := forged.DB{Index: 1, Member: 7}
	value := func(s string, i int) []byte { return forged.Sealed(oldKey, fmt.Sprint(s, i)) }
	for i := range n {
		for v, name := range []string{"old", "older", "newest"} {
			f.Records = append(f.Records, forged.Record{Rev: int64(2 + 3*i + v), Create: int64(2 + 3*i), Version: int64(v + 1), Key: forged.SecretKey(i), Value: value(name, i)})
		}
	}
	last := int64(2 + 3*n)
	for i := range n {
		f.Records = append(f.Records, forged.Record{Rev: last + int64(i), Key: fmt.Sprintf("/registry/pods/default/p-%d", i), Value: []byte("filler")})
		f.Freed = append(f.Freed, last+int64(i)) // so that every leaf with Secrets has a free copy
	}
	f.Freed = append(f.Freed, 2, 3) // s-0: its older values are residue alone
	log := logOf(t, 3, [3]string{"1", "s-1", string(value("newest", 1))}, [3]string{"2", "s-2", string(value("old", 2))},
		[3]string{"3", "s-3", string(value("never", 3))})
	db := f
	db.Index = 3
	r, _ := run(t, Options{Encryption: keyless(t)}, withLog(inMemory(db.Bytes(t)), log)...)
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
		want[forged.SecretKey(i)] = [2]int{1, 2}
	}
	want[forged.SecretKey(3)] = [2]int{1, 3} // one more is in the log alone
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newest and older values that do not open (-want +got):\n%s", diff)
	}
}
