package encryption

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/storage/value"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

var secretsResource = resource.GroupResource{Resource: "secrets"}

// several reads one configuration after the other, as a.yaml, b.yaml and so on.
func several(t *testing.T, files ...string) *Config {
	t.Helper()
	c := &Config{}
	for i, file := range files {
		if err := c.Add(fmt.Sprintf("%c.yaml", 'a'+i), []byte(file)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// providersOf is a configuration of secrets with these providers.
func providersOf(resource string, providers ...string) string {
	return head + "resources:\n- resources: ['" + resource + "']\n  providers:\n  - " + strings.Join(providers, "\n  - ") + "\n"
}

func keyOf(provider, name, secret string) string {
	return provider + ": {keys: [{name: '" + name + "', secret: " + secret + "}]}"
}

// A value that one of the API servers reads is readable, by the key that opens it, and is
// judged by the one that has least against it.
func TestSeveralFiles(t *testing.T) {
	a, b := keyOf("aescbc", "key1", secret32), keyOf("aescbc", "key1", other32)
	identity := "identity: {}"
	c := several(t, providersOf("secrets", a, identity), providersOf("secrets", b, keyOf("aesgcm", "old", secret16), identity),
		providersOf("routes.route.openshift.io", keyOf("aescbc", "1", secret32), identity))
	es := c.For(secretsResource)
	if len(es) != 2 || c.Files() != 3 || len(c.Entries()) != 3 {
		t.Fatalf("%d entries of %d in %d files", len(es), len(c.Entries()), c.Files())
	}
	for i, e := range es {
		sealed := seal(t, e.Keys[0])
		keys := es.Match(sealed)
		if len(keys) != 2 {
			t.Fatalf("%d keys match", len(keys))
		}
		var by []*Key
		for _, k := range keys {
			if o, err := k.Open(t.Context(), sealed, []byte(etcdKey)); err == nil && bytes.Equal(o.Plain, []byte(plainText)) {
				by = append(by, k)
			}
		}
		if !slices.Equal(by, []*Key{e.Keys[0]}) {
			t.Errorf("file %d: %v opens it", i, by)
		}
		if p, entry := es.Policy(e.Keys[0], true); p != Current || entry != e {
			t.Errorf("file %d: %v by %v", i, p, entry.In())
		}
	}
	if p, e := es.Policy(es[1].Keys[1], true); p != WrongProvider || e != es[1] {
		t.Errorf("the second key of b.yaml: %v by %v", p, e.In())
	}
	if p, e := es.Policy(nil, true); p != UnknownKey || e == nil {
		t.Errorf("a key of no file: %v", p)
	}
	if p, e := c.For(resource.GroupResource{Resource: "pods"}).Policy(nil, true); p != NotConfigured || e != nil {
		t.Errorf("a resource of no file: %v", p)
	}
	if p, _ := es.Policy(nil, false); p != NotEncrypted {
		t.Errorf("plaintext: %v", p)
	}
	if k := c.For(resource.GroupResource{Group: "route.openshift.io", Resource: "routes"}).Named(envelope.AESCBC, "1"); k == nil {
		t.Error("the key of routes is not found")
	}
}

func TestDisagreements(t *testing.T) {
	identity := "identity: {}"
	a, b := keyOf("aescbc", "key1", secret32), keyOf("aescbc", "key2", other32)
	kms := func(socket string) string {
		return "kms: {apiVersion: v2, name: vault, endpoint: 'unix:///" + socket + "'}"
	}
	tests := []struct {
		name  string
		files []string
		want  []string
	}{
		{"equal files", []string{providersOf("secrets", a, b, identity), providersOf("secrets", a, b, identity)}, nil},
		{"one file", []string{providersOf("secrets", a, identity)}, nil},
		{"the same key under one name and another order behind it", []string{providersOf("secrets", a, b, identity), providersOf("secrets", a, identity, b)}, nil},
		{"other resources", []string{providersOf("secrets", a, identity), providersOf("configmaps", b, identity)}, nil},
		{"another key", []string{providersOf("secrets", a, identity), providersOf("secrets", b, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, lost`}},
		{"other bytes under one name", []string{providersOf("secrets", a, identity), providersOf("secrets", keyOf("aescbc", "key1", other32), identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, lost`}},
		{"halfway through a rotation", []string{providersOf("secrets", a, b, identity), providersOf("secrets", b, a, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, read`}},
		{"one reads the other", []string{providersOf("secrets", a, b, identity), providersOf("secrets", b, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, lost`}},
		{"plaintext and encrypted", []string{providersOf("secrets", identity, a), providersOf("secrets", a, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, read`}},
		{"a wildcard", []string{providersOf("secrets", a, identity), providersOf("*.*", b, identity)},
			[]string{`"secrets" of a.yaml, "*.*" of b.yaml, lost`}},
		{"a wildcard first", []string{providersOf("*.*", a, b, identity), providersOf("secrets", b, a, identity)},
			[]string{`"*.*" of a.yaml, "secrets" of b.yaml, read`}},
		{"two wildcards", []string{providersOf("*.*", a, identity), providersOf("*.apps", b, identity)},
			[]string{`"*.*" of a.yaml, "*.apps" of b.yaml, lost`}},
		{"three files", []string{providersOf("secrets", a, identity), providersOf("secrets", b, identity), providersOf("secrets", b, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, lost`, `"secrets" of a.yaml, "secrets" of c.yaml, lost`}},
		{"three files, of which two lose what the other writes", []string{
			providersOf("secrets", a, b, keyOf("secretbox", "c", secret32), identity), providersOf("secrets", b, a, identity), providersOf("secrets", keyOf("secretbox", "c", secret32), a, identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, read`, `"secrets" of a.yaml, "secrets" of c.yaml, read`, `"secrets" of b.yaml, "secrets" of c.yaml, lost`}},
		{"a KMS with a socket on each machine", []string{providersOf("secrets", kms("a"), identity), providersOf("secrets", kms("b"), identity)}, nil},
		{"a KMS and a key", []string{providersOf("secrets", kms("a"), a, identity), providersOf("secrets", a, kms("b"), identity)},
			[]string{`"secrets" of a.yaml, "secrets" of b.yaml, read`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range several(t, tt.files...).Disagreements() {
				word := "lost"
				if d.Readable {
					word = "read"
				}
				got = append(got, fmt.Sprintf("%s, %s, %s", d.One.In(), d.Other.In(), word))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// What the API servers themselves make of it: who loses what the other writes?
			for _, d := range several(t, tt.files...).Disagreements() {
				if d.One.Keys[0].plugin != nil || d.Other.Keys[0].plugin != nil {
					continue // a plugin that nobody serves
				}
				files := []string{tt.files[d.One.File[0]-'a'], tt.files[d.Other.File[0]-'a']}
				readable := true
				for i := range 2 {
					resource := d.Other
					if d.Other.Wildcard() {
						resource = d.One
					}
					gr := schema.GroupResource{Group: resource.Resource.Group, Resource: resource.Resource.Resource}
					if gr.Resource == anything {
						gr.Resource = "deployments"
					}
					writer, err := load(t, []byte(files[i]))
					if err != nil {
						t.Fatal(err)
					}
					reader, err := load(t, []byte(files[1-i]))
					if err != nil {
						t.Fatal(err)
					}
					stored, err := writer.TransformerForResource(gr).TransformToStorage(t.Context(), []byte(plainText), value.DefaultContext(etcdKey))
					if err != nil {
						t.Fatal(err)
					}
					_, _, err = reader.TransformerForResource(gr).TransformFromStorage(t.Context(), stored, value.DefaultContext(etcdKey))
					readable = readable && err == nil
				}
				if readable != d.Readable {
					t.Errorf("readable %v, the API servers say %v", d.Readable, readable)
				}
			}
		})
	}
}

// k3s and RKE2 write their configuration as one line of JSON, with the API server's own
// types, and name keys by the time.
func TestK3s(t *testing.T) {
	const name = "secretboxkey-2026-03-09T11:02:10Z"
	config := apiserverv1.EncryptionConfiguration{
		TypeMeta: metav1.TypeMeta{Kind: "EncryptionConfiguration", APIVersion: "apiserver.config.k8s.io/v1"},
		Resources: []apiserverv1.ResourceConfiguration{{Resources: []string{"secrets"}, Providers: []apiserverv1.ProviderConfiguration{
			{Secretbox: &apiserverv1.SecretboxConfiguration{Keys: []apiserverv1.Key{{Name: name, Secret: secret32}}}},
			{AESCBC: &apiserverv1.AESConfiguration{Keys: []apiserverv1.Key{{Name: "aescbckey", Secret: other32}}}},
			{Identity: &apiserverv1.IdentityConfiguration{}},
		}}},
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "\t"); err != nil { // as jq --tab makes it, which is no YAML
		t.Fatal(err)
	}
	for _, file := range [][]byte{b, indented.Bytes(), append(b, '\n')} {
		c, err := Parse(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		checkAccepted(t, file, nil)
		es := c.For(secretsResource)
		if !es.Encrypts() || es[0].Keys[0].Name != name {
			t.Errorf("%+v", es)
		}
		sealed := seal(t, es[0].Keys[0])
		if o, err := es.Match(sealed)[0].Open(t.Context(), sealed, []byte(etcdKey)); err != nil || string(o.Plain) != plainText {
			t.Errorf("%q, %v", o.Plain, err)
		}
	}
}

// After an error a Config is as it was.
func TestAddError(t *testing.T) {
	c := several(t, providersOf("secrets", keyOf("aescbc", "key1", secret32), "identity: {}"))
	for _, bad := range []string{"", "nonsense", providersOf("secrets", keyOf("aescbc", "key2", "AAAA"), "identity: {}"),
		head + "resources:\n- resources: ['*.*', secrets]\n  providers:\n  - " + keyOf("aescbc", "key2", other32) + "\n"} {
		if err := c.Add("b.yaml", []byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
		if len(c.keys) != 2 || c.Files() != 1 || len(c.Names()) != 1 {
			t.Errorf("%d keys of %d files, %v", len(c.keys), c.Files(), c.Names())
		}
	}
}
