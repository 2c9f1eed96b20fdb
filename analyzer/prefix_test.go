package analyzer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/naming"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// store makes a db that holds these keys and values.
func store(t *testing.T, puts map[string][]byte) evidence.Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "db")
	s := fixtures.OpenStore(file)
	for key, value := range puts {
		s.Put([]byte(key), value)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, file)
}

// plainSecret is a Secret as the API server stores it.
func plainSecret(t *testing.T, namespace, name string) []byte {
	t.Helper()
	b, err := fixtures.EncodeSecret(namespace, name, map[string]string{"password": "hunter2"}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Wherever an API server's prefix lies, and whatever stands beside its keys, its
// Secrets are found.
func TestPrefixes(t *testing.T) {
	db := plainSecret(t, "ns", "db")
	tests := []struct {
		name  string
		puts  map[string][]byte
		found string
	}{
		{"usual", map[string][]byte{"/registry/secrets/ns/db": db}, "[/registry]"},
		{"below the usual one", map[string][]byte{"/registry/cluster-a/secrets/ns/db": db}, "[/registry/cluster-a]"},
		{"that looks like a group", map[string][]byte{"/registry/lab.example.com/secrets/ns/db": db}, "[/registry/lab.example.com]"},
		{"root", map[string][]byte{"/secrets/ns/db": db}, "[/]"},
		{"without a slash", map[string][]byte{"cluster/secrets/ns/db": db}, "[]"},
		{"beside a decoy", map[string][]byte{"/other/secrets/ns/db": db, "/other/secrets/pods/a/b": []byte("{}")}, "[/other /other/secrets]"},
		{"with a decoy that makes a longer prefix", map[string][]byte{
			"/other/secrets/ns/db": db, "/other/secrets/pods/a": []byte("{}"), "/other/secrets/configmaps/a/b": []byte("{}")}, "[/other /other/secrets]"},
		{"in a namespace named like a resource", map[string][]byte{"/registry/secrets/secrets/db": plainSecret(t, "secrets", "db")}, "[/registry]"},
	}
	for _, tt := range tests {
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, store(t, tt.puts))
		if len(r.Exposures) != 1 || r.Exposures[0].Name != "db" || r.Verdict.ExitStatus != report.ExitFindings {
			t.Errorf("%s: exposures %+v, exit status %d", tt.name, r.Exposures, r.Verdict.ExitStatus)
		}
		if got := fmt.Sprint(r.Evidence[0].Details.Prefixes); got != tt.found {
			t.Errorf("%s: prefixes %s, want %s", tt.name, got, tt.found)
		}
	}
}

// Keys made to look like thousands of API servers cost no more than a few, and it is
// said that the others were not taken for such.
func TestManyPrefixes(t *testing.T) {
	puts := map[string][]byte{}
	for i := range 2000 {
		puts[fmt.Sprintf("/p%04d/secrets/ns/x", i)] = []byte("k8s:enc:aescbc:v1:key1:" + strings.Repeat("x", 64))
	}
	r, values := run(t, Options{}, store(t, puts))
	if n := len(r.Evidence[0].Details.Prefixes); n != naming.MaxPrefixes || len(values) != len(puts) {
		t.Errorf("%d prefixes, %d values", n, len(values))
	}
	if !strings.Contains(r.Coverage.NotExamined[0].What, "keys under 1984 more prefixes") {
		t.Errorf("%+v", r.Coverage.NotExamined)
	}
}

// Two clusters have Secrets of the same names that have nothing to do with each
// other.
func TestTwoClusters(t *testing.T) {
	one := store(t, map[string][]byte{"/registry/secrets/ns/db": plainSecret(t, "ns", "db")})
	two := store(t, map[string][]byte{
		"/registry/secrets/ns/db":    []byte("k8s:enc:aescbc:v1:key1:" + strings.Repeat("x", 64)),
		"/registry/secrets/ns/other": plainSecret(t, "ns", "other"),
	})
	one.Path, two.Path = "one", "two"
	r, _ := run(t, Options{}, one, two)
	if r.Scope[0].Keys != 3 || len(r.Exposures) != 2 || r.Exposures[0].Status != report.StatusPlaintext || r.Exposures[0].State != report.StateLive {
		t.Errorf("scope %+v, exposures %+v", r.Scope, r.Exposures)
	}
}

// sealedValue is what an API server may have encrypted, as far as a key and a prefix tell.
var sealedValue = []byte("k8s:enc:aescbc:v1:key1:" + strings.Repeat("x", 64))

// What is encrypted tells nothing but its key. A Secret must not be called something else by it.
func TestEncryptedShapes(t *testing.T) {
	crd := []byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"secrets.lab.example.com"},` +
		`"spec":{"group":"lab.example.com","scope":"Namespaced","names":{"kind":"Secret","plural":"secrets"}}}`)
	tests := []struct {
		name    string
		puts    map[string][]byte
		secrets int
	}{
		{"a prefix like a group", map[string][]byte{"/registry/tenant.example.com/secrets/default/db": sealedValue}, 1},
		{"the same, beside custom resources", map[string][]byte{
			"/registry/lab.example.com/secrets/default/db": sealedValue, "/registry/lab.example.com/vaults/default/v": sealedValue}, 1},
		{"a custom resource", map[string][]byte{"/registry/lab.example.com/secrets/default/db": sealedValue,
			"/registry/apiextensions.k8s.io/customresourcedefinitions/secrets.lab.example.com": crd}, 0},
		{"another that a value tells of", map[string][]byte{"/registry/lab.example.com/secrets/default/db": sealedValue,
			"/registry/lab.example.com/secrets/default/x": []byte(`{"apiVersion":"lab.example.com/v1","kind":"Secret","metadata":{"name":"x","namespace":"default"}}`)}, 0},
		{"kcp", map[string][]byte{"/registry/core/secrets/root/default/db": sealedValue, "/registry/core/secrets/a1b2/default/db": sealedValue}, 2},
		{"kcp below another prefix", map[string][]byte{"/kcp/shard-1/core/secrets/root/default/db": sealedValue}, 1},
		{"a tenant called core", map[string][]byte{"/core/secrets/default/db": sealedValue, "/registry/core/secrets/default/db": sealedValue}, 2},
	}
	for _, tt := range tests {
		r, _ := run(t, Options{}, store(t, tt.puts))
		if r.Scope[0].Keys != tt.secrets {
			t.Errorf("%s: %d Secrets, want %d; prefixes %v", tt.name, r.Scope[0].Keys, tt.secrets, r.Evidence[0].Details.Prefixes)
		}
	}
}

// A plaintext Secret counts at whatever key it lies, by what it says of itself.
func TestSecretAtAnyKey(t *testing.T) {
	for key, prefixes := range map[string][]string{
		"/registry/configmaps/ns/db":                nil,
		"/registry/masterleases/192.0.2.2":          nil,
		"/registry/lab.example.com/vaults/ns/db":    nil,
		"/registry/core/configmaps/root/ns/db":      nil,
		"/anything":                                 nil,
		"no/slash":                                  nil,
		"/registry/cluster-a/secrets/ns/db":         {"/registry"},
		"/registry/core/secrets/root/ns/db":         {"/registry"},
		"/registry/lab.example.com/lab.a/b/c/ns/db": {"/registry"},
	} {
		r, _ := run(t, Options{Prefixes: prefixes, FailOn: report.SeverityHigh}, store(t, map[string][]byte{key: plainSecret(t, "ns", "db")}))
		if len(r.Exposures) != 1 || r.Exposures[0].Namespace != "ns" || r.Exposures[0].Name != "db" || r.Verdict.ExitStatus != report.ExitFindings {
			t.Errorf("%s: exposures %+v, exit status %d", key, r.Exposures, r.Verdict.ExitStatus)
		}
	}
	// What the user left out stays out.
	db := store(t, map[string][]byte{"/one/secrets/ns/db": plainSecret(t, "ns", "db"), "/two/secrets/ns/db": plainSecret(t, "ns", "db")})
	if r, _ := run(t, Options{Prefixes: []string{"/one"}}, db); len(r.Exposures) != 1 || r.Exposures[0].Key != "/one/secrets/ns/db" {
		t.Errorf("%+v", r.Exposures)
	}
}

// Two tenants have a Secret of one name, one of them encrypted.
func TestIdentityHasThePrefix(t *testing.T) {
	ctx := context.Background()
	reading, err := Read(ctx, []evidence.Source{store(t, map[string][]byte{
		"/tenants_alpha/secrets/ns/db": sealedValue, "/tenants_beta/secrets/ns/db": plainSecret(t, "ns", "db"),
		"/registry/core/secrets/root/ns/db": sealedValue, "/secret": plainSecret(t, "ns", "db")})}, Interest{})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]string{
		"/tenants_alpha/secrets/ns/db": {"/tenants_alpha", ""}, "/tenants_beta/secrets/ns/db": {"/tenants_beta", ""},
		"/registry/core/secrets/root/ns/db": {"/registry", "root"}, "/secret": {"", ""},
	} {
		if id := reading.evs[0].Identity(key); [2]string{id.Prefix, id.LogicalCluster} != want || id.Resource != "secrets" || id.Name != "db" {
			t.Errorf("%s: %+v, want %v", key, id, want)
		}
	}
}

// An object without its key is of the tenant, or of the logical cluster, that has another copy with
// the same bytes.
func TestUnkeyedObjectOfTheRightTenant(t *testing.T) {
	db := plainSecret(t, "ns", "db")
	for _, keys := range [][2]string{
		{"/tenants_alpha/secrets/ns/db", "/tenants_beta/secrets/ns/db"},
		{"/registry/core/secrets/2x9k/ns/db", "/registry/core/secrets/root/ns/db"},
	} {
		b := forged.DB{Records: []forged.Record{{Rev: 2, Key: keys[0], Value: sealedValue}, {Rev: 3, Key: keys[1], Value: db}}}.Bytes(t)
		page := make([]byte, 4096)
		copy(page[512:], db) // behind the high water mark
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(append(b, page...)))
		for _, x := range r.Exposures {
			if string(x.Key) != keys[1] {
				t.Errorf("%s is exposed", x.Key)
			}
		}
		if len(r.Exposures) != 1 || len(r.Exposures[0].Copies) != 2 {
			t.Errorf("%s: %+v", keys[1], r.Exposures)
		}
	}
}
