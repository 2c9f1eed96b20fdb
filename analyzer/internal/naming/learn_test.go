package naming

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What a key stands for is learned from the values of other keys.
func TestLearn(t *testing.T) {
	crd := []byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"realms.example.com"},` +
		`"spec":{"group":"example.com","names":{"plural":"realms","kind":"Realm"},"scope":"Cluster"}}` + "\n")
	sealed := forged.Sealed("aescbc:v1:key1", "x")
	tests := []struct {
		name string
		keys map[string][]byte
		key  string
		want string // resource, namespace and name
	}{
		{"a built-in resource", map[string][]byte{"/registry/secrets/a/b": sealed}, "/registry/secrets/a/b", "secrets a/b"},
		{"a group that only a value tells", map[string][]byte{
			"/registry/ingress/a/b": jsonObject("networking.k8s.io/v1", "Ingress", "b"), "/registry/ingress/a/c": sealed}, "/registry/ingress/a/c", "ingresses.networking.k8s.io a/c"},
		{"a custom resource", map[string][]byte{"/registry/example.com/things/a/b": sealed}, "/registry/example.com/things/a/b", "things.example.com a/b"},
		{"one that its CRD calls of cluster scope", map[string][]byte{
			"/registry/apiextensions.k8s.io/customresourcedefinitions/realms.example.com": crd, "/registry/example.com/realms/a": sealed},
			"/registry/example.com/realms/a", "realms.example.com /a"},
		{"another prefix", map[string][]byte{"/k8s/lab/secrets/a/b": sealed}, "/k8s/lab/secrets/a/b", "secrets a/b"},
		{"no prefix", map[string][]byte{"/nobody/knows": sealed}, "/nobody/knows", " /"},
	}
	for _, tt := range tests {
		tb := newTable(t)
		for key, value := range tt.keys {
			tb.put(key, 5, value)
		}
		id := tb.learned().Identity(tt.key)
		if got := fmt.Sprintf("%s %s/%s", id.GroupResource, id.Namespace, id.Name); got != tt.want {
			t.Errorf("%s: %s is %q, want %q", tt.name, tt.key, got, tt.want)
		}
	}
}

// A plaintext value that says that it is a Secret is one wherever its key lies.
func TestLearnDisguised(t *testing.T) {
	for key, want := range map[string]string{
		"/backup/of/db":              "payments/db",
		"/registry/things/a/b":       "payments/db",
		"/registry/configmaps/a/b":   "payments/db",
		"/registry/secrets/a/b":      "/", // its key says so
		"/elsewhere/secrets/a/b":     "/", // shows a prefix
		"/registry/c/d/e/secrets/db": "payments/db",
	} {
		tb := newTable(t)
		value := secret(t, "payments", "db")
		tb.put("/registry/namespaces/a", 4, jsonObject("v1", "Namespace", "a"))
		tb.put(key, 5, value)
		tb.copy(key, 5, seen.InTree, value)
		id := tb.learned().Disguised[key]
		if got := id.Namespace + "/" + id.Name; got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

// Prefixes that are given are not guessed, and one below which no key lies is an error that
// names those that there are.
func TestLearnGivenPrefixes(t *testing.T) {
	value := forged.Sealed("aescbc:v1:key1", "x")
	ev := newTable(t).put("/a/secrets/a/b", 5, value).put("/b/secrets/a/b", 5, value).learned("/a")
	if _, ok := ev.Names.Identify("/b/secrets/a/b"); ok || len(ev.Details.Prefixes) != 1 {
		t.Errorf("prefixes %v", ev.Details.Prefixes)
	}
	err := Learn(t.Context(), newTable(t).put("/registry/secrets/a/b", 5, value).evidence(), []string{"/nowhere"})
	var none *prefixError
	if !errors.As(err, &none) || !slices.Equal(none.found, []string{"/registry"}) ||
		err.Error() != "no key lies under --prefix /nowhere; keys lie under /registry" {
		t.Errorf("error %v", err)
	}
	if err := Learn(t.Context(), newTable(t).evidence(), []string{"/nowhere"}); err != nil {
		t.Errorf("without any key: %v", err)
	}
}
