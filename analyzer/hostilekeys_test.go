package analyzer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// Where the bytes behind a prefix were written over, what stands there now is no name of a
// key: it may be a part of a Secret.
func TestForeignBytesBehindPrefix(t *testing.T) {
	const secret = "hunter2-hunter2 and the rest of a private key\nMIIEvQIBADANBg\nusername: admin\n"
	freed := gcm("nonce", "value", 400)
	f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: freed}, {Rev: 6, Key: forged.SecretKey(2), Value: gcm("other", "other", 400)}},
		Freed: []int64{5}, Index: 10, Member: 7}
	db := f.Bytes(t)
	copies := offsets(db, freed)
	if len(copies) != 1 {
		t.Fatalf("%d copies, want that on a free page", len(copies))
	}
	for _, kept := range []string{"k8s:enc:aesgcm:v1:", "k8s:enc:aesgcm:v1:ke", "k8s:enc:aesgcm:"} {
		broken := append([]byte{}, db...)
		copy(broken[copies[0]+len(kept):copies[0]+len(freed)], strings.Repeat(secret, 10))
		for name, o := range map[string]Options{"keys": {Keys: true}, "history": {Key: report.Text(forged.SecretKey(1))}, "scan": {}} {
			r, values := run(t, o, inMemory(broken))
			if name == "history" && len(r.History.Copies) == 0 {
				t.Error("the freed copy is not in the history: the test looks at nothing")
			}
			all, err := json.Marshal([]any{r, r.Keys, r.History, values})
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"hunter2", "private key", "MIIEv", "admin"} {
				if strings.Contains(string(all), part) {
					t.Errorf("%s: behind %q, the report holds %q", name, kept, part)
				}
			}
		}
	}
}

// However many names the evidence has for namespaces, resources and keys, each is looked up
// once. The test tells by its time if that is not so.
func TestManyNames(t *testing.T) {
	tests := []struct {
		name string
		n    int
		key  func(i int) string
		how  func(i int) string
		rows int
	}{
		{"namespaces", 100_000, func(i int) string { return fmt.Sprintf("/registry/secrets/n-%06d/s", i) }, func(int) string { return oldKey }, 1},
		{"resources", 20_000, func(i int) string { return fmt.Sprintf("/registry/x.example.com/kind%06ds/n/s", i) }, func(int) string { return oldKey }, 1},
		{"keys of aesgcm", 20_000, forged.SecretKey, func(i int) string { return fmt.Sprintf("aesgcm:v1:key%d", i) }, 20_000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := forged.DB{Index: 10, Member: 7}
			tail := forged.Noise("tail", 48)
			for i := range test.n {
				value := forged.Envelope(test.how(i), tail)
				f.Records = append(f.Records, forged.Record{Rev: int64(i + 5), Key: test.key(i), Value: value})
			}
			r, _ := run(t, Options{Keys: true}, inMemory(f.Bytes(t)))
			newest, places := 0, 0
			for _, k := range r.Keys {
				newest += k.Newest
				places += len(k.Namespaces)
			}
			if len(r.Keys) != test.rows || newest != test.n || places < min(test.n, 20_000) {
				t.Errorf("%d keys, %d newest values, %d namespaces", len(r.Keys), newest, places)
			}
		})
	}
}
