package encryption

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

const etcdKey = "/registry/secrets/default/db"

// drawConfig draws a configuration that may be one in which an entry masks another.
func drawConfig(rt *rapid.T) string {
	resources := []string{"secrets", "configmaps", "events", "deployments.apps", "vaults.lab.example.com",
		"*.apps", "*.lab.example.com", "*.", "*.*"}
	key := rapid.Custom(func(rt *rapid.T) string {
		// Few names and few secrets, so that they meet. Some names go on as others do.
		return fmt.Sprintf("{name: %q, secret: %s}",
			rapid.SampledFrom([]string{"key", "key:2", "key:2:3", "other"}).Draw(rt, "name"),
			rapid.SampledFrom([]string{secret32, other32}).Draw(rt, "secret"))
	})
	provider := rapid.Custom(func(rt *rapid.T) string {
		name := rapid.SampledFrom([]string{"aescbc", "aesgcm", "secretbox", "identity"}).Draw(rt, "provider")
		if name == "identity" {
			return "{identity: {}}"
		}
		return fmt.Sprintf("{%s: {keys: [%s]}}", name, strings.Join(rapid.SliceOfN(key, 1, 3).Draw(rt, "keys"), ", "))
	})
	b := strings.Builder{}
	b.WriteString(head + "resources:\n")
	for range rapid.IntRange(1, 4).Draw(rt, "entries") {
		quoted := rapid.SliceOfNDistinct(rapid.SampledFrom(resources), 1, 3, rapid.ID).Draw(rt, "resources")
		providers := rapid.SliceOfN(provider, 1, 3).Draw(rt, "providers")
		fmt.Fprintf(&b, "- resources: ['%s']\n  providers: [%s]\n", strings.Join(quoted, "', '"), strings.Join(providers, ", "))
	}
	return b.String()
}

// What the API server writes of any resource starts as the first key of our entry says,
// and what it makes of any value is what our keys make of it, in our order.
func TestEntryLikeTheAPIServer(t *testing.T) {
	accepted, checked := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		file := drawConfig(rt)
		c, err := Parse([]byte(file))
		server, want := load(t, []byte(file))
		if (err == nil) != (want == nil) {
			rt.Fatalf("Parse says: %v\nthe API server: %v\n%s", err, want, file)
		}
		if err != nil {
			return
		}
		accepted++
		for _, name := range []string{"secrets", "pods", "events", "deployments.apps", "daemonsets.apps", "vaults.lab.example.com",
			"secrets.lab.example.com", "leases.coordination.k8s.io"} {
			gr := schema.ParseGroupResource(name)
			e := c.For(resource.GroupResource{Group: gr.Group, Resource: gr.Resource})
			checkWriter(rt, server, gr, e)
			for _, k := range c.keys {
				checkReader(rt, server, gr, e, seal(t, k))
				checked++
			}
		}
	})
	if accepted == 0 || checked == 0 {
		t.Error("no configuration was accepted")
	}
}

const plainText = "k8s\x00\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x08 and more"

// seal stores a value with the key as the API server does.
func seal(t testing.TB, k *Key) []byte {
	t.Helper()
	if k.Provider == envelope.Identity {
		return []byte(plainText)
	}
	sealed, err := k.reader.(value.Transformer).TransformToStorage(t.Context(), []byte(plainText), value.DefaultContext(etcdKey))
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(k.prefix), sealed...)
}

func checkWriter(rt *rapid.T, server encryptionconfig.StaticTransformers, gr schema.GroupResource, es Entries) {
	stored, err := server.TransformerForResource(gr).TransformToStorage(rt.Context(), []byte(plainText), value.DefaultContext(etcdKey))
	if err != nil {
		rt.Fatal(err)
	}
	if es.Encrypts() != envelope.IsEncrypted(stored) || len(es) > 0 && !hasPrefix(stored, envelope.Prefix(es[0].Keys[0].Provider, es[0].Keys[0].Name)) {
		rt.Fatalf("%v of %v: the API server writes %.40q", gr, es, stored)
	}
	if len(es) > 0 && !slices.Contains(es.Match(stored), es[0].Keys[0]) {
		rt.Fatalf("%v: the writer does not match %.40q", gr, stored)
	}
	checkReader(rt, server, gr, es, stored)
}

// checkReader checks what becomes of a stored value: whether it can be read, what it
// is, and whether it is current.
func checkReader(rt *rapid.T, server encryptionconfig.StaticTransformers, gr schema.GroupResource, es Entries, stored []byte) {
	want, stale, errWant := server.TransformerForResource(gr).TransformFromStorage(rt.Context(), stored, value.DefaultContext(etcdKey))
	var key *Key
	var got Opened
	for _, k := range es.Match(stored) {
		o, err := k.Open(rt.Context(), stored, []byte(etcdKey))
		if err == nil {
			key, got = k, o
			break
		}
	}
	encrypted := envelope.IsEncrypted(stored)
	if len(es) == 0 && !encrypted { // there is no key to read it with, and no need of one
		key, got = &Key{Provider: envelope.Identity}, Opened{Plain: stored}
	}
	policy, _ := es.Policy(key, encrypted)
	switch {
	case (errWant == nil) != (key != nil):
		rt.Fatalf("%v, %.40q: the API server says %v, we open it with %+v", gr, stored, errWant, key)
	case errWant == nil && !bytes.Equal(got.Plain, want):
		rt.Fatalf("%v, %.40q: opens to %q, want %q", gr, stored, got.Plain, want)
	case errWant == nil && (policy != Current) != stale:
		rt.Fatalf("%v, %.40q: policy %v, stale %v", gr, stored, policy, stale)
	case errWant != nil && policy == Current:
		rt.Fatalf("%v, %.40q: policy %v, and the API server says %v", gr, stored, policy, errWant)
	}
}

func TestPolicy(t *testing.T) {
	c := parse(t, head+`resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: new, secret: `+secret32+`}, {name: old, secret: `+other32+`}, {name: new, secret: `+other32+`}]}
  - aescbc: {keys: [{name: older, secret: `+secret16+`}]}
  - aesgcm: {keys: [{name: new, secret: `+secret32+`}]}
  - identity: {}
- resources: [configmaps]
  providers:
  - identity: {}
  - secretbox: {keys: [{name: box, secret: `+secret32+`}]}
- resources: [pods]
  providers:
  - kms: {apiVersion: v2, name: vault, endpoint: "unix:///x"}
  - kms: {apiVersion: v2, name: vault-old, endpoint: "unix:///y"}
  - kms: {apiVersion: v1, name: vault, endpoint: "unix:///z"}
`)
	secrets, configmaps, pods := c.Entries()[0], c.Entries()[1], c.Entries()[2]
	for _, tt := range []struct {
		name      string
		entry     *Entry
		key       int // index of the key in the entry, -1 for none
		encrypted bool
		want      Policy
	}{
		{"first key", secrets, 0, true, Current},
		{"second key", secrets, 1, true, StaleKey},
		{"name of the first key, other bytes", secrets, 2, true, StaleKey},
		{"second provider of the same type", secrets, 3, true, StaleKey},
		{"provider of another type, same name and bytes", secrets, 4, true, WrongProvider},
		{"plaintext that would be encrypted", secrets, 5, false, NotEncrypted},
		{"plaintext without its key", secrets, -1, false, NotEncrypted},
		{"encrypted, no key of the entry", secrets, -1, true, UnknownKey},
		{"plaintext, identity first", configmaps, 0, false, Current},
		{"encrypted, identity first", configmaps, 1, true, WrongProvider},
		{"encrypted, identity first, no key of the entry", configmaps, -1, true, UnknownKey},
		{"KMS", pods, 0, true, Current},
		{"another KMS provider of the same version", pods, 1, true, StaleKey},
		{"KMS v1 of the same name", pods, 2, true, WrongProvider},
		{"plaintext, no identity", pods, -1, false, NotEncrypted},
		{"encrypted, no entry", nil, -1, true, NotConfigured},
		{"plaintext, no entry", nil, -1, false, Current},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var k *Key
			if tt.key >= 0 {
				k = tt.entry.Keys[tt.key]
			}
			var es Entries
			if tt.entry != nil {
				es = Entries{tt.entry}
			}
			got, entry := es.Policy(k, tt.encrypted)
			if entry != tt.entry {
				t.Errorf("by the entry %v", entry)
			}
			if got != tt.want {
				t.Errorf("Policy = %v, want %v", got, tt.want)
			}
		})
	}
	if c.For(resource.GroupResource{Resource: "services"}) != nil || !secrets.Encrypts() || configmaps.Encrypts() || (Entries{}).Encrypts() {
		t.Error("Encrypts")
	}
}

func TestNamed(t *testing.T) {
	c := parse(t, toSecret+"  - aescbc: {keys: [{name: a, secret: "+secret32+"}, {name: b, secret: "+secret32+"}, {name: a, secret: "+other32+"}]}\n"+
		"  - aesgcm: {keys: [{name: c, secret: "+secret32+"}]}\n  - identity: {}\n")
	e := c.Entries()[0]
	for _, tt := range []struct {
		provider envelope.Provider
		name     string
		want     int
	}{
		{envelope.AESCBC, "a", 0}, {envelope.AESCBC, "b", 1}, {envelope.AESGCM, "c", 3}, {envelope.Identity, "", 4},
		{envelope.AESGCM, "a", -1}, {envelope.AESCBC, "", -1}, {envelope.KMSv1, "a", -1},
	} {
		if got := slices.Index(e.Keys, e.Named(tt.provider, tt.name)); got != tt.want {
			t.Errorf("Named(%v, %q) is key %d, want %d", tt.provider, tt.name, got, tt.want)
		}
	}
	if (Entries{}).Named(envelope.AESCBC, "a") != nil {
		t.Error("a key of no entry")
	}
}

// A name that goes on behind a colon as another does is no reason to leave one out.
func TestMatch(t *testing.T) {
	c := parse(t, head+`resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: key, secret: `+secret32+`}, {name: "key:2", secret: `+secret32+`}, {name: key, secret: `+other32+`}]}
  - kms: {name: "v:w", endpoint: "unix:///x"}
  - kms: {name: v, endpoint: "unix:///x"}
- resources: [configmaps]
  providers:
  - identity: {}
  - aesgcm: {keys: [{name: key, secret: `+secret32+`}]}
`)
	for _, tt := range []struct {
		value     string
		all       []int // indexes among all keys, which are 0 to 4 of secrets and 5, 6 of configmaps
		ofSecrets []int
	}{
		{"k8s:enc:aescbc:v1:key:x", []int{0, 2}, []int{0, 2}},
		{"k8s:enc:aescbc:v1:key:", []int{0, 2}, []int{0, 2}},
		{"k8s:enc:aescbc:v1:key", nil, nil},
		{"k8s:enc:aescbc:v1:key:2:x", []int{0, 1, 2}, []int{0, 1, 2}},
		{"k8s:enc:aescbc:v1:key2:x", nil, nil},
		{"k8s:enc:aescbc:v1:KEY:x", nil, nil},
		{"k8s:enc:aescbc:v2:key:x", nil, nil},
		{"k8s:enc:aesgcm:v1:key:x", []int{6}, nil},
		{"k8s:enc:kms:v1:v:w:x", []int{3, 4}, []int{3, 4}},
		{"k8s:enc:kms:v1:v:x", []int{4}, []int{4}},
		{"k8s:enc:kms:v2:v:x", nil, nil},
		{"k8s:enc:", nil, nil},
		{"k8s:enc", []int{5}, nil},
		{"", []int{5}, nil},
		{"{}", []int{5}, nil},
	} {
		index := func(keys []*Key) (found []int) {
			for _, k := range keys {
				found = append(found, slices.Index(c.keys, k))
			}
			return found
		}
		if got := index(c.Match([]byte(tt.value))); !slices.Equal(got, tt.all) {
			t.Errorf("%q matches keys %v, want %v", tt.value, got, tt.all)
		}
		if got := index((Entries{c.Entries()[0]}).Match([]byte(tt.value))); !slices.Equal(got, tt.ofSecrets) {
			t.Errorf("%q matches keys %v of secrets, want %v", tt.value, got, tt.ofSecrets)
		}
	}
	if (Entries{}).Match([]byte("{}")) != nil {
		t.Error("keys of no entry")
	}
}

func TestPolicyString(t *testing.T) {
	var got []string
	for p := Current; p <= UnknownKey+1; p++ {
		got = append(got, p.String())
	}
	want := []string{"current", "wrong-provider", "stale-key", "plaintext", "not-configured", "unknown-key", "unknown"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
