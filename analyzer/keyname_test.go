package analyzer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// namesIn is how many newest values each key has, by its name; "..." behind one that may go on.
func namesIn(t *testing.T, sources ...evidence.Source) map[string]int {
	t.Helper()
	r, _ := run(t, Options{Keys: true}, sources...)
	names := map[string]int{}
	for _, k := range r.Keys {
		name := string(k.KeyName)
		if k.NameMayGoOn {
			name += "..."
		}
		names[k.Provider.String()+" "+name] += k.Newest
	}
	return names
}

// written is a db with so many Secrets under each key, such as "aesgcm:v1:key1".
func written(counts map[string]int, seed string) forged.DB {
	var f forged.DB
	n := 0
	for _, how := range slices.Sorted(maps.Keys(counts)) {
		for range counts[how] {
			f.Records = append(f.Records, forged.Record{Rev: int64(2 + n), Key: forged.SecretKey(n), Value: forged.Sealed(how, fmt.Sprintf("%s %d", seed, n))})
			n++
		}
	}
	return f
}

// What stands behind the first colon of a name is of it where it is the same in all values
// of the key, or is too long a text to be one by chance.
func TestKeyNames(t *testing.T) {
	const k3s = "secretboxkey-2026-03-09T11:02:10Z"
	tests := []struct {
		name    string
		written map[string]int
		want    map[string]int
	}{
		{"no colon", map[string]int{"aesgcm:v1:key1": 300}, map[string]int{"aesgcm key1": 300}},
		{"k3s, one value", map[string]int{"secretbox:v1:" + k3s: 1}, map[string]int{"secretbox " + k3s: 1}},
		{"k3s", map[string]int{"secretbox:v1:" + k3s: 40}, map[string]int{"secretbox " + k3s: 40}},
		{"k3s, two keys of one hour", map[string]int{"secretbox:v1:" + k3s: 5, "secretbox:v1:secretboxkey-2026-03-09T11:59:59Z": 1},
			map[string]int{"secretbox " + k3s: 5, "secretbox secretboxkey-2026-03-09T11:59:59Z": 1}},
		{"local time", map[string]int{"aescbc:v1:aescbckey-2026-03-09T11:02:10+01:00": 3, "aesgcm:v1:k-2026-03-09T11:02:10+01:00": 3},
			map[string]int{"aescbc aescbckey-2026-03-09T11:02:10+01:00": 3, "aesgcm k-2026-03-09T11:02:10+01:00": 3}},
		{"two values of a short name", map[string]int{"aesgcm:v1:a:b": 2}, map[string]int{"aesgcm a:b": 2}},
		{"one value of a short name", map[string]int{"aesgcm:v1:a:b": 1}, map[string]int{"aesgcm a...": 1}},
		{"one value of each provider", map[string]int{"aesgcm:v1:a:b": 1, "secretbox:v1:a:b": 1, "aescbc:v1:a:b": 1},
			map[string]int{"aesgcm a...": 1, "secretbox a...": 1, "aescbc a:b": 1}},
		{"one value of each of two names", map[string]int{"aesgcm:v1:a": 1, "aesgcm:v1:a:b": 1}, map[string]int{"aesgcm a...": 2}},
		{"one name is the start of another", map[string]int{"aesgcm:v1:key": 30, "aesgcm:v1:key:2": 20, "aesgcm:v1:key:2:3": 10},
			map[string]int{"aesgcm key": 30, "aesgcm key:2": 20, "aesgcm key:2:3": 10}},
		{"a name that ends in a colon", map[string]int{"aesgcm:v1:key:": 9}, map[string]int{"aesgcm key:": 9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := gocmp.Diff(tt.want, namesIn(t, inMemory(written(tt.written, "k").Bytes(t)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A nonce that starts like the rest of a name is none: of many values some do.
func TestKeyNamesByChance(t *testing.T) {
	const values = 20_000
	var f forged.DB
	longer := map[string]int{}
	rnd := rand.NewChaCha8([32]byte{7})
	for i := range values {
		b := make([]byte, 40)
		_, _ = rnd.Read(b) // never fails
		value := forged.Envelope("aesgcm:v1:key1", b)
		f.Records = append(f.Records, forged.Record{Rev: int64(i + 2), Key: forged.SecretKey(i), Value: value})
		if end := bytes.LastIndexByte(b[:12], ':'); end >= 0 && strings.ToValidUTF8(string(b[:end]), "?") == string(b[:end]) && !strings.ContainsFunc(string(b[:end]), func(r rune) bool { return r < ' ' || r > '~' }) {
			longer[string(b[:end])]++
		}
	}
	most := 0
	for _, n := range longer {
		most = max(most, n)
	}
	if len(longer) < 20 || most < 30 { // two colons in a row: one in 256
		t.Fatalf("%d nonces start with text and a colon, %d of them alike: the test looks at little", len(longer), most)
	}
	want := map[string]int{"aesgcm key1": values}
	if diff := gocmp.Diff(want, namesIn(t, inMemory(f.Bytes(t)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Copies of one value are no witnesses for each other: a free page may hold it several
// times, the WAL has it once more, and so have the other members.
func TestKeyNamesOfCopies(t *testing.T) {
	value := forged.Sealed("aesgcm:v1:a:b", "once")
	freed := forged.DB{Index: 10, Member: 7}
	for rev := int64(5); rev < 9; rev++ {
		freed.Records = append(freed.Records, forged.Record{Rev: rev, Key: forged.SecretKey(1), Value: value})
	}
	freed.Freed = []int64{5, 6, 7}
	db := inMemory(freed.Bytes(t))
	if names := namesIn(t, db, db, db); names["aesgcm a..."] != 1 || len(names) != 1 {
		t.Errorf("%v", names)
	}
	one := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: value}}, Index: 10, Member: 7}
	log := laterLog(t, 12, [3]string{"9", "s-1", string(value)}, [3]string{"11", "s-2", string(forged.Sealed("aescbc:v1:k", "x"))}, [3]string{"12", "s-3", string(forged.Sealed("aescbc:v1:k", "y"))})
	if names := namesIn(t, withLog(inMemory(one.Bytes(t)), log)...); names["aesgcm a..."] != 1 {
		t.Errorf("%v", names)
	}
}

// Whatever a name may be is not dropped, and what it can not be is not seen.
func TestRetireUnsureName(t *testing.T) {
	db := inMemory(written(map[string]int{"aesgcm:v1:a:b": 1, "secretbox:v1:k-2026-03-09T11:02:10Z": 1, "aescbc:v1:c": 1}, "k").Bytes(t))
	for name, want := range map[string]report.RetireAnswer{
		"aesgcm:a": report.RetireNeeded, "aesgcm:a:b": report.RetireNeeded, "aesgcm:a:b:c": report.RetireUnseen, "aesgcm:b": report.RetireUnseen,
		"secretbox:k-2026-03-09T11:02:10Z": report.RetireNeeded, "secretbox:k-2026-03-09T11": report.RetireUnseen, "aescbc:c": report.RetireNeeded,
	} {
		r, _ := run(t, Options{Keys: true, Retire: []string{name}}, db)
		if got := r.Retire[0]; got.Answer != want || got.Safe {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
}

// The bytes behind the prefix of a piece may be those of another object: no name is made of
// them, whatever they look like.
func TestNoNameOfPieces(t *testing.T) {
	const canary = "hunter2-hunter2-hunter2"
	f := written(map[string]int{"aesgcm:v1:key1": 20}, "k")
	db := f.Bytes(t)
	for i := range 6 { // alike, as names are
		tail := make([]byte, 4096)
		copy(tail[100:], "k8s:enc:aesgcm:v1:key1:"+canary+":with:a:colon:"+string(forged.Noise(fmt.Sprint(i), 60)))
		copy(tail[2000:], "/registry/secrets/default/s-1\x00k8s:enc:secretbox:v1:box1:"+canary+": and text")
		db = append(db, tail...)
	}
	r, _ := run(t, Options{Keys: true, Retire: []string{"aesgcm:key1"}}, inMemory(db))
	said, err := json.Marshal([]any{r, r.Keys, r.Retire})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(said, []byte(canary[:8])) {
		t.Errorf("a report holds bytes of another object: %s", said)
	}
	if !bytes.Contains(said, []byte(`"keyName":"key1"`)) {
		t.Error("key1 is not seen")
	}
}

// Values whose nonces start with the rest of the name of their key share none.
func TestNoncesOfColonNames(t *testing.T) {
	const how = "aesgcm:v1:key-2026-03-09T11:02:10.123456Z" // longer than a nonce behind its first colon
	f := written(map[string]int{how: 30}, "k")
	r, _ := run(t, Options{}, inMemory(f.Bytes(t)))
	if found := of(r, report.RuleNonceReuse); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	same := forged.Noise("same", 12)
	for i := range 2 {
		f.Records = append(f.Records, forged.Record{Rev: int64(100 + i), Key: forged.SecretKey(100 + i), Value: slices.Concat(
			[]byte("k8s:enc:"+how+":"), same, forged.Noise(fmt.Sprint(i), 60))})
	}
	r, _ = run(t, Options{}, inMemory(f.Bytes(t)))
	if found := of(r, report.RuleNonceReuse); len(found) != 1 || found[0].Key != report.Text(forged.SecretKey(100)) || !strings.Contains(found[0].Message(), "key-2026-03-09T11:02:10.123456Z") {
		t.Errorf("%+v", found)
	}
}
