package analyzer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// kmsValue is a value of the KMS v2 provider vault, without a key ID if it is empty.
func kmsValue(t *testing.T, keyID, seed string) []byte {
	t.Helper()
	return forged.KMSv2(t, keyID, "an encrypted DEK", forged.Noise(seed, 96))
}

// answers asks about keys, and returns what is said of each.
func answers(t *testing.T, o Options, retire []string, sources ...evidence.Source) map[string]report.RetireAnswer {
	t.Helper()
	o.Keys, o.Retire, o.AllowEmpty = true, retire, true
	r, _ := run(t, o, sources...)
	all := map[string]report.RetireAnswer{}
	for _, u := range r.Retire {
		if u.Safe != (u.Answer == report.RetireSafe) {
			t.Errorf("%+v", u)
		}
		all[string(u.Key)] = u.Answer
	}
	return all
}

// A key may not be dropped for want of a value that somebody can read: where the key ID of a
// newest value, or the end of the name of its key, is not known, it may be that one.
func TestRetireBrokenValues(t *testing.T) {
	whole := kmsValue(t, "kek-1", "a")
	for i, broken := range [][]byte{kmsValue(t, "", "b"), forged.Envelope("kms:v2:vault"), whole[:60], forged.Envelope("kms:v2:vault", forged.Noise("x", 200))} {
		db := inMemory(forged.DB{Records: []forged.Record{
			{Rev: 2, Key: forged.SecretKey(1), Value: whole}, {Rev: 3, Key: forged.SecretKey(1), Create: 2, Version: 2, Value: kmsValue(t, "kek-2", "c")},
			{Rev: 4, Key: forged.SecretKey(2), Value: broken},
		}}.Bytes(t))
		for key, got := range answers(t, Options{}, []string{"kms-v2:vault (kek-1)", "kms-v2:vault"}, db) {
			if got != report.RetireNeeded {
				t.Errorf("a broken value %d: %s is %s", i, key, got)
			}
		}
	}
	const name = "key-2026-03-09T11:02:10Z"
	for _, tt := range []struct {
		provider string
		broken   []byte
	}{
		{"aescbc", forged.Sealed("aescbc:v1:"+name, "3")[:101]}, {"secretbox", []byte("k8s:enc:secretbox:v1:" + name + ":")},
		{"secretbox", []byte("k8s:enc:secretbox:v1:key-2026-03-09T11:02")}, {"aesgcm", []byte("k8s:enc:aesgcm:v1:key-2026-03-09T11:")},
	} {
		db := inMemory(forged.DB{Records: []forged.Record{
			{Rev: 2, Key: forged.SecretKey(1), Value: forged.Sealed(tt.provider+":v1:"+name, "1")},
			{Rev: 3, Key: forged.SecretKey(1), Create: 2, Version: 2, Value: forged.Sealed(tt.provider+":v1:new", "2")}, {Rev: 4, Key: forged.SecretKey(2), Value: tt.broken},
		}}.Bytes(t))
		if got := answers(t, Options{}, []string{tt.provider + ":" + name}, db); got[tt.provider+":"+name] != report.RetireNeeded {
			t.Errorf("%.60q: %v", tt.broken, got)
		}
	}
}

// Two etcds with the same member ID, such as the default one, are not one after the other:
// what the later one never had was not deleted. Nor is one of two members that have gone apart
// the right one, whichever is named first.
func TestRetireMembersApart(t *testing.T) {
	one := forged.DB{Records: []forged.Record{{Rev: 2, Key: forged.SecretKey(1), Value: forged.Sealed(oldKey, "1")}}, Member: 7}
	later := forged.DB{Records: []forged.Record{{Rev: 2, Key: forged.SecretKey(9), Value: forged.Sealed(newKey, "2")}, {Rev: 3, Key: forged.SecretKey(8), Value: forged.Sealed(newKey, "3")}}, Member: 7}
	apart := forged.DB{Records: []forged.Record{{Rev: 2, Key: forged.SecretKey(1), Value: forged.Sealed(newKey, "4")}}, Member: 7}
	for _, sources := range [][]evidence.Source{{inMemory(one.Bytes(t)), inMemory(later.Bytes(t))}, {inMemory(later.Bytes(t)), inMemory(one.Bytes(t))}, {inMemory(one.Bytes(t)), inMemory(apart.Bytes(t))}, {inMemory(apart.Bytes(t)), inMemory(one.Bytes(t))}} {
		for key, got := range answers(t, Options{}, []string{"aescbc:key1", "aescbc:key2"}, sources...) {
			if got != report.RetireNeeded {
				t.Errorf("%s is %s", key, got)
			}
		}
	}
	// A key that is gone since a compaction was deleted.
	deleted := forged.DB{Records: []forged.Record{{Rev: 9, Key: forged.SecretKey(9), Value: forged.Sealed(newKey, "2")}}, Member: 7, Compacted: 8}
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, inMemory(one.Bytes(t)), inMemory(deleted.Bytes(t))); got["aescbc:key1"] != report.RetireSafe {
		t.Errorf("a deleted key: %v", got)
	}
}

// A name that holds a whole list does not answer for the keys of the list.
func TestRetireListAsName(t *testing.T) {
	records := []forged.Record{{Rev: 3, Key: forged.SecretKey(1), Value: forged.Sealed(oldKey, "2")}, {Rev: 4, Key: forged.SecretKey(2), Value: forged.Sealed(newKey, "3")}}
	const list = "aescbc:key1,aescbc:key2"
	old := forged.Record{Rev: 2, Key: forged.SecretKey(1), Value: forged.Sealed("aescbc:v1:key1,aescbc:key2", "1")}
	tail := make([]byte, 4096)
	copy(tail[100:], forged.Sealed("aescbc:v1:key1,aescbc:key2", "1"))
	for name, db := range map[string]evidence.Source{
		"an older value": inMemory(forged.DB{Records: append([]forged.Record{old}, records...)}.Bytes(t)),
		"bytes":          inMemory(append(forged.DB{Records: records}.Bytes(t), tail...)),
	} {
		if got := answers(t, Options{}, []string{list}, db); got["aescbc:key1"] != report.RetireNeeded || got["aescbc:key2"] != report.RetireNeeded {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Bytes that look like a value make no key seen, nor evidence encrypted.
func TestRetireSeen(t *testing.T) {
	f := forged.DB{Records: []forged.Record{{Rev: 3, Key: forged.SecretKey(1), Value: forged.Sealed(oldKey, "2")}}}
	tail := make([]byte, 4096)
	copy(tail[100:], forged.Sealed("aescbc:v1:kye1", "1"))
	if got := answers(t, Options{}, []string{"aescbc:kye1"}, inMemory(append(f.Bytes(t), tail...))); got["aescbc:kye1"] != report.RetireUnseen {
		t.Errorf("%v", got)
	}
	plain := forged.DB{Records: []forged.Record{{Rev: 2, Key: forged.SecretKey(1), Value: []byte("k8s:enc:foo:v1:x:yyyyyyyyyyyyyyyyyyyy")},
		{Rev: 3, Key: forged.SecretKey(1), Create: 2, Version: 2, Value: []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"default","name":"s-1"}}`)}}}
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, inMemory(plain.Bytes(t))); got["aescbc:key1"] != report.RetireEmpty {
		t.Errorf("%v", got)
	}
	// Of names that are too long or too many nobody can tell which they are.
	var flood forged.DB
	for i := range 270 {
		name := fmt.Sprintf("%05d%s", i, bytes.Repeat([]byte("n"), 64<<10-8))
		flood.Records = append(flood.Records, forged.Record{Rev: int64(3 + i), Key: forged.SecretKey(i), Value: forged.Sealed("aescbc:v1:"+name, "y")})
	}
	flood.Records = append(flood.Records, forged.Record{Rev: 5000, Key: forged.SecretKey(5000), Value: forged.Sealed(oldKey, "z")})
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, inMemory(flood.Bytes(t))); got["aescbc:key1"] == report.RetireSafe {
		t.Errorf("%v", got)
	}
}

// What follows the prefix of a record on a free page may be another object's, and is no name.
func TestNoNameOfFreeRecords(t *testing.T) {
	value := append([]byte(`k8s:enc:aesgcm:v1:key1:{"user":"root","password":"hunter2-very-secret","x":"y"}`), forged.Noise("q", 100)...)
	db := inMemory(forged.DB{Records: []forged.Record{{Rev: 2, Key: forged.SecretKey(1), Value: value}, {Rev: 3, Key: forged.SecretKey(2), Value: forged.Sealed("aesgcm:v1:key1", "1")},
		{Rev: 4, Key: forged.SecretKey(3), Value: forged.Sealed("aesgcm:v1:key1", "2")}}, Freed: []int64{2}}.Bytes(t))
	r, _ := run(t, Options{Keys: true, Retire: []string{"aesgcm:key1"}}, db)
	said, err := json.Marshal([]any{r, r.Keys, r.Retire})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(said), "hunter2") {
		t.Errorf("%s", said)
	}
}

// With many names, and many keys that are asked for, the answer still comes soon.
func TestRetireManyNames(t *testing.T) {
	var f forged.DB
	for i := range 4000 {
		f.Records = append(f.Records, forged.Record{Rev: int64(2 + i), Key: forged.SecretKey(i), Value: forged.Sealed(fmt.Sprintf("aescbc:v1:%0600d", i), "x")})
	}
	db := inMemory(f.Bytes(t))
	list := strings.TrimSuffix(strings.Repeat("aescbc:nokey,", 40), ",")
	got := answers(t, Options{}, []string{list, "aescbc:" + strings.Repeat("x", 2000), "aescbc:nokex"}, db)
	if got["aescbc:nokey"] != report.RetireUnseen || got["aescbc:nokex"] != report.RetireUnseen || len(got) != 3 {
		t.Errorf("%.200v", got)
	}
}
