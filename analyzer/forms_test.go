package analyzer

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What was exposed is compared with the current value as what it is, however either is
// stored: a JSON value has it in base64. Under another name it is in use as well.
func TestValidityAcrossForms(t *testing.T) {
	const password, pin = "hunter2-hunter2", "1234"
	type data = map[string]string
	tests := []struct {
		name                     string
		old, now                 data
		oldEncoding, nowEncoding string
		want                     map[report.Text]report.Use
		status                   report.Use
	}{
		{"the same", data{"password": password}, data{"password": password}, fixtures.Protobuf, fixtures.Protobuf,
			map[report.Text]report.Use{"password": report.Unchanged}, report.Unchanged},
		{"under another name", data{"password": password}, data{"db-password": password}, fixtures.Protobuf, fixtures.Protobuf,
			map[report.Text]report.Use{"password": report.Unchanged}, report.Unchanged},
		{"under another name, and the old one holds another", data{"password": password}, data{"password": "another-password", "previous": password},
			fixtures.Protobuf, fixtures.Protobuf, map[report.Text]report.Use{"password": report.Unchanged}, report.Unchanged},
		{"too short to tell under another name", data{"pin": pin}, data{"code": pin}, fixtures.Protobuf, fixtures.Protobuf,
			map[report.Text]report.Use{"pin": report.Gone}, report.Gone},
		{"too short, under its own", data{"pin": pin}, data{"pin": pin}, fixtures.Protobuf, fixtures.Protobuf,
			map[report.Text]report.Use{"pin": report.Unchanged}, report.Unchanged},
		{"JSON, then protobuf", data{"password": password, "user": "admin"}, data{"password": password, "user": "root"}, fixtures.JSON, fixtures.Protobuf,
			map[report.Text]report.Use{"password": report.Unchanged, "user": report.Changed}, report.Unchanged},
		{"protobuf, then JSON", data{"password": password, "user": "admin"}, data{"password": "another-password", "login": "root"}, fixtures.Protobuf, fixtures.JSON,
			map[report.Text]report.Use{"password": report.Changed, "user": report.Gone}, report.Changed},
		{"JSON, then JSON under another name", data{"password": password}, data{"db-password": password}, fixtures.JSON, fixtures.JSON,
			map[report.Text]report.Use{"password": report.Unchanged}, report.Unchanged},
	}
	file, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"}, Keys: []fixtures.Key{{Provider: "aescbc", Name: "key1"}}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := encryption.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	providers, err := fixtures.OpenProviders(t.Context(), file, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := providers.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := providers.Seal(t.Context(), schema.GroupResource{Resource: "secrets"}, forged.SecretKey(1), secretWith(t, test.now, test.nowEncoding))
			if err != nil {
				t.Fatal(err)
			}
			f := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secretWith(t, test.old, test.oldEncoding)},
				{Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: sealed}}, Index: 10, Member: 7}
			r, _ := run(t, Options{Encryption: config}, inMemory(f.Bytes(t)))
			if len(r.Exposures) != 1 || r.Exposures[0].Status != report.StatusExposed {
				t.Fatalf("%+v", r.Exposures)
			}
			got := map[report.Text]report.Use{}
			for _, d := range r.Exposures[0].Validity.DataKeys {
				got[d.Name] = d.Status
			}
			if diff := gocmp.Diff(test.want, got); diff != "" || r.Exposures[0].Validity.Status != test.status {
				t.Errorf("%s (-want +got):\n%s", r.Exposures[0].Validity.Status, diff)
			}
		})
	}
}

// secretWith is the Secret of forged.SecretKey(1) as the API server stores it.
func secretWith(t *testing.T, data map[string]string, encoding string) []byte {
	t.Helper()
	b, err := fixtures.EncodeSecret("default", "s-1", data, encoding)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
