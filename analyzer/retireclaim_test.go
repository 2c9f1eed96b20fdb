package analyzer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// kmsValue is a value of the KMS v2 provider vault, without a key ID if it is empty.
func kmsValue(keyID, seed string) []byte {
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), noise(seed, 96))
	if keyID != "" {
		b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), keyID)
	}
	b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), []byte("an encrypted DEK"))
	b = protowire.AppendVarint(protowire.AppendTag(b, 5, protowire.VarintType), 1)
	return append([]byte("k8s:enc:kms:v2:vault:"), b...)
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
	whole := kmsValue("kek-1", "a")
	for i, broken := range [][]byte{kmsValue("", "b"), []byte("k8s:enc:kms:v2:vault:"), whole[:60], append([]byte("k8s:enc:kms:v2:vault:"), noise("x", 200)...)} {
		db := forgery{records: []record{
			{rev: 2, key: secretKey(1), value: whole}, {rev: 3, key: secretKey(1), create: 2, version: 2, value: kmsValue("kek-2", "c")},
			{rev: 4, key: secretKey(2), value: broken},
		}}.source(t)
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
		{"aescbc", sealed("aescbc:v1:"+name, "3")[:101]}, {"secretbox", []byte("k8s:enc:secretbox:v1:" + name + ":")},
		{"secretbox", []byte("k8s:enc:secretbox:v1:key-2026-03-09T11:02")}, {"aesgcm", []byte("k8s:enc:aesgcm:v1:key-2026-03-09T11:")},
	} {
		db := forgery{records: []record{
			{rev: 2, key: secretKey(1), value: sealed(tt.provider+":v1:"+name, "1")},
			{rev: 3, key: secretKey(1), create: 2, version: 2, value: sealed(tt.provider+":v1:new", "2")}, {rev: 4, key: secretKey(2), value: tt.broken},
		}}.source(t)
		if got := answers(t, Options{}, []string{tt.provider + ":" + name}, db); got[tt.provider+":"+name] != report.RetireNeeded {
			t.Errorf("%.60q: %v", tt.broken, got)
		}
	}
}

// Two etcds with the same member ID, such as the default one, are not one after the other:
// what the later one never had was not deleted. Nor is one of two members that have gone apart
// the right one, whichever is named first.
func TestRetireMembersApart(t *testing.T) {
	one := forgery{records: []record{{rev: 2, key: secretKey(1), value: sealed(oldKey, "1")}}, member: 7}
	later := forgery{records: []record{{rev: 2, key: secretKey(9), value: sealed(newKey, "2")}, {rev: 3, key: secretKey(8), value: sealed(newKey, "3")}}, member: 7}
	apart := forgery{records: []record{{rev: 2, key: secretKey(1), value: sealed(newKey, "4")}}, member: 7}
	for _, sources := range [][]evidence.Source{{one.source(t), later.source(t)}, {later.source(t), one.source(t)}, {one.source(t), apart.source(t)}, {apart.source(t), one.source(t)}} {
		for key, got := range answers(t, Options{}, []string{"aescbc:key1", "aescbc:key2"}, sources...) {
			if got != report.RetireNeeded {
				t.Errorf("%s is %s", key, got)
			}
		}
	}
	// A key that is gone since a compaction was deleted.
	deleted := forgery{records: []record{{rev: 9, key: secretKey(9), value: sealed(newKey, "2")}}, member: 7, compacted: 8}
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, one.source(t), deleted.source(t)); got["aescbc:key1"] != report.RetireSafe {
		t.Errorf("a deleted key: %v", got)
	}
}

// A name that holds a whole list does not answer for the keys of the list.
func TestRetireListAsName(t *testing.T) {
	records := []record{{rev: 3, key: secretKey(1), value: sealed(oldKey, "2")}, {rev: 4, key: secretKey(2), value: sealed(newKey, "3")}}
	const list = "aescbc:key1,aescbc:key2"
	old := record{rev: 2, key: secretKey(1), value: sealed("aescbc:v1:key1,aescbc:key2", "1")}
	tail := make([]byte, 4096)
	copy(tail[100:], sealed("aescbc:v1:key1,aescbc:key2", "1"))
	for name, db := range map[string]evidence.Source{
		"an older value": forgery{records: append([]record{old}, records...)}.source(t),
		"bytes":          inMemory(append(forgery{records: records}.bytes(t), tail...)),
	} {
		if got := answers(t, Options{}, []string{list}, db); got["aescbc:key1"] != report.RetireNeeded || got["aescbc:key2"] != report.RetireNeeded {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Bytes that look like a value make no key seen, nor evidence encrypted.
func TestRetireSeen(t *testing.T) {
	f := forgery{records: []record{{rev: 3, key: secretKey(1), value: sealed(oldKey, "2")}}}
	tail := make([]byte, 4096)
	copy(tail[100:], sealed("aescbc:v1:kye1", "1"))
	if got := answers(t, Options{}, []string{"aescbc:kye1"}, inMemory(append(f.bytes(t), tail...))); got["aescbc:kye1"] != report.RetireUnseen {
		t.Errorf("%v", got)
	}
	plain := forgery{records: []record{{rev: 2, key: secretKey(1), value: []byte("k8s:enc:foo:v1:x:yyyyyyyyyyyyyyyyyyyy")},
		{rev: 3, key: secretKey(1), create: 2, version: 2, value: []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"default","name":"s-1"}}`)}}}
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, plain.source(t)); got["aescbc:key1"] != report.RetireEmpty {
		t.Errorf("%v", got)
	}
	// Of names that are too long or too many nobody can tell which they are.
	var flood forgery
	for i := range 270 {
		name := fmt.Sprintf("%05d%s", i, bytes.Repeat([]byte("n"), 64<<10-8))
		flood.records = append(flood.records, record{rev: int64(3 + i), key: secretKey(i), value: sealed("aescbc:v1:"+name, "y")})
	}
	flood.records = append(flood.records, record{rev: 5000, key: secretKey(5000), value: sealed(oldKey, "z")})
	if got := answers(t, Options{Encryption: keyless(t)}, []string{"aescbc:key1"}, flood.source(t)); got["aescbc:key1"] == report.RetireSafe {
		t.Errorf("%v", got)
	}
}

// What follows the prefix of a record on a free page may be another object's, and is no name.
func TestNoNameOfFreeRecords(t *testing.T) {
	value := append([]byte(`k8s:enc:aesgcm:v1:key1:{"user":"root","password":"hunter2-very-secret","x":"y"}`), noise("q", 100)...)
	db := forgery{records: []record{{rev: 2, key: secretKey(1), value: value}, {rev: 3, key: secretKey(2), value: sealed("aesgcm:v1:key1", "1")},
		{rev: 4, key: secretKey(3), value: sealed("aesgcm:v1:key1", "2")}}, freed: []int64{2}}.source(t)
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
	var f forgery
	for i := range 4000 {
		f.records = append(f.records, record{rev: int64(2 + i), key: secretKey(i), value: sealed(fmt.Sprintf("aescbc:v1:%0600d", i), "x")})
	}
	db := f.source(t)
	list := strings.TrimSuffix(strings.Repeat("aescbc:nokey,", 40), ",")
	got := answers(t, Options{}, []string{list, "aescbc:" + strings.Repeat("x", 2000), "aescbc:nokex"}, db)
	if got["aescbc:nokey"] != report.RetireUnseen || got["aescbc:nokex"] != report.RetireUnseen || len(got) != 3 {
		t.Errorf("%.200v", got)
	}
}
