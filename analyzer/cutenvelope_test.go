package analyzer

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// An envelope that is cut at any byte behind its first eight is neither proven nor passed
// over: the newest value of its key has a finding, and no key may be dropped while nobody
// can tell whether it is needed.
func TestCutEnvelopes(t *testing.T) {
	keys := []fixtures.Key{{Provider: "aescbc", Name: "key1"}, {Provider: "aesgcm", Name: "gcm1"}, {Provider: "secretbox", Name: "box1"},
		{Provider: "kms-v1", Name: "old"}, {Provider: "kms-v2", Name: "new"}}
	const object = `{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"payments","name":"db"}}`
	for i, key := range keys {
		// The key writes; all others are there, too.
		order := append([]fixtures.Key{key}, append(keys[:i:i], keys[i+1:]...)...)
		yaml, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"}, Keys: order})
		if err != nil {
			t.Fatal(err)
		}
		providers, err := fixtures.OpenProviders(t.Context(), yaml, "kek-1")
		if err != nil {
			t.Fatal(err)
		}
		defer providers.Close()
		config, err := encryption.Parse([]byte(yaml))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := providers.Seal(t.Context(), schema.GroupResource{Resource: "secrets"}, "/registry/secrets/payments/db", []byte(object))
		if err != nil {
			t.Fatal(err)
		}
		var f forged.DB
		for n := len("k8s:enc:"); n < len(whole); n++ {
			f.Records = append(f.Records, forged.Record{Rev: int64(n), Key: fmt.Sprintf("/registry/secrets/payments/cut-%04d", n), Value: whole[:n]})
		}
		const absent = "aescbc:absent"
		var values []report.Value
		o := Options{Encryption: config, Keys: true, Retire: []string{absent}, Values: func(v report.Value) error { values = append(values, v); return nil }}
		r, err := askAll(t.Context(), []evidence.Source{inMemory(f.Bytes(t))}, o)
		if err != nil {
			t.Fatal(err)
		}
		found := map[report.Text]report.RuleID{}
		for _, x := range r.Findings {
			found[x.Key] = x.Rule
		}
		for _, v := range values {
			kms := strings.HasPrefix(v.Provider.String(), "kms")
			if v.Proof == report.Proven || found[v.Key] == "" && !kms {
				t.Errorf("%s, %s: %s, finding %q", key.Provider, v.Key, v.Proof, found[v.Key])
			}
		}
		if len(values) != len(f.Records) || r.Retire[0].Safe || r.Retire[0].Unreadable == 0 {
			t.Errorf("%s: %d of %d values, %+v", key.Provider, len(values), len(f.Records), r.Retire)
		}
	}
}
