package encryption

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/decode/resource"
)

// goodFiles are configurations that the API server accepts, and what describe says of
// each.
var goodFiles = []struct {
	name, file string
	want       []string
}{
	{"one key", toKeys + "      - name: key1\n        secret: " + secret32 + "\n", []string{"4 secrets: aescbc key1 32"}},
	{"lists in lines", head + `resources:
- resources:
  - secrets
  - configmaps
  providers:
  - aesgcm:
      keys:
      - name: key1
        secret: ` + secret32 + "\n",
		[]string{"5 secrets: aesgcm key1 32", "6 configmaps: aesgcm key1 32"}},
	{"keys of every size", toSecret + `  - aescbc:
      keys:
      - {name: c16, secret: ` + secret16 + `}
      - {name: c24, secret: ` + secret24 + `}
      - {name: c32, secret: ` + secret32 + `}
  - aesgcm:
      keys:
      - {name: g16, secret: ` + secret16 + `}
      - {name: g24, secret: ` + secret24 + `}
      - {name: g32, secret: ` + secret32 + `}
  - secretbox:
      keys:
      - {name: s32, secret: ` + secret32 + `}
  - identity: {}
`, []string{"4 secrets: aescbc c16 16, aescbc c24 24, aescbc c32 32, aesgcm g16 16, aesgcm g24 24, aesgcm g32 32, secretbox s32 32, identity"}},
	{"identity first", toSecret + "  - identity: {}\n  - aesgcm:\n      keys:\n      - {name: k, secret: " + secret16 + "}\n",
		[]string{"4 secrets: identity, aesgcm k 16"}},
	{"names with colons, blanks and other scripts", toKeys + `      - {name: "a:b", secret: ` + secret32 + `}
      - {name: ":", secret: ` + secret32 + `}
      - {name: "key 1", secret: ` + secret32 + `}
      - {name: ключ, secret: ` + secret32 + `}
`, []string{"4 secrets: aescbc a:b 32, aescbc : 32, aescbc key 1 32, aescbc ключ 32"}},
	{"names that YAML could take for something else", toKeys + `      - {name: "1", secret: ` + secret32 + `}
      - {name: 2026-01-15, secret: ` + secret32 + `}
      - {name: "yes", secret: ` + secret32 + `}
`, []string{"4 secrets: aescbc 1 32, aescbc 2026-01-15 32, aescbc yes 32"}},
	{"one name for two keys", toKeys + "      - {name: key, secret: " + secret32 + "}\n      - {name: key, secret: " + other32 + "}\n",
		[]string{"4 secrets: aescbc key 32, aescbc key 32"}},
	{"a provider twice", toSecret + "  - aescbc: {keys: [{name: a, secret: " + secret32 + "}]}\n  - aescbc: {keys: [{name: b, secret: " + other32 + "}]}\n",
		[]string{"4 secrets: aescbc a 32, aescbc b 32"}},
	{"secret in quotes", toKeys + "      - name: 'k'\n        secret: \"" + secret32 + "\"\n", []string{"4 secrets: aescbc k 32"}},
	{"secret in a block, with its line feed", toKeys + "      - name: k\n        secret: |\n          " + secret32 + "\n", []string{"4 secrets: aescbc k 32"}},
	{"secret folded", toKeys + "      - name: k\n        secret: >-\n          " + secret32 + "\n", []string{"4 secrets: aescbc k 32"}},

	{"comments and blank lines", "# at the top\n\n---\n" + head + "# before\nresources: # behind\n\n- resources:\n  # the core ones\n  - secrets # all\n" +
		"  providers:\n  - identity: {} # none\n# at the end\n", []string{"11 secrets: identity"}},
	{"second document", toSecret + "  - identity: {}\n---\nanything: at all\n", []string{"4 secrets: identity"}},
	{"line ends of Windows", strings.ReplaceAll(toKeys+"      - name: k\n        secret: "+secret32+"\n", "\n", "\r\n"),
		[]string{"4 secrets: aescbc k 32"}},
	{"byte order mark", "\ufeff" + toSecret + "  - identity: {}\n", []string{"4 secrets: identity"}},
	{"version of YAML", "%YAML 1.1\n---\n" + toSecret + "  - identity: {}\n", []string{"6 secrets: identity"}},
	{"other order of fields", "resources:\n- providers:\n  - identity: {}\n  resources: [secrets]\napiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n",
		[]string{"4 secrets: identity"}},
	{"a provider that is null beside the one", toSecret + "  - identity: {}\n    aescbc: null\n", []string{"4 secrets: identity"}},
	// The API server knows this name "due to a docs bug", as its code says.
	{"old kind and version", "kind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [secrets]\n  providers:\n  - identity: {}\n",
		[]string{"4 secrets: identity"}},

	{"alias of a list of keys", head + `resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys: &keys
      - name: key1
        secret: ` + secret32 + `
- resources: [configmaps]
  providers:
  - aescbc:
      keys: *keys
`, []string{"4 secrets: aescbc key1 32", "10 configmaps: aescbc key1 32"}},
	{"alias of a provider and of a text", head + `resources:
- resources: [&name secrets]
  providers:
  - &none
    identity: {}
- resources: [configmaps]
  providers:
  - aesgcm:
      keys:
      - name: *name
        secret: ` + secret24 + `
  - *none
`, []string{"4 secrets: identity", "8 configmaps: aesgcm secrets 24, identity"}},
	{"merge key", head + `resources:
- &first
  resources: [secrets]
  providers:
  - aescbc:
      keys:
      - &key
        name: key1
        secret: ` + secret32 + `
- resources: [configmaps]
  providers:
  - aescbc:
      keys:
      - <<: *key
`, []string{"5 secrets: aescbc key1 32", "12 configmaps: aescbc key1 32"}},

	{"JSON", `{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
 "resources": [
  {"resources": ["secrets", "configmaps"],
   "providers": [{"aescbc": {"keys": [{"name": "key1", "secret": "` + secret32 + `"}]}}, {"identity": {}}]}]}`,
		[]string{"3 secrets: aescbc key1 32, identity", "3 configmaps: aescbc key1 32, identity"}},
	{"JSON with tabs", "{\n\t\"kind\": \"EncryptionConfiguration\",\n\t\"apiVersion\": \"apiserver.config.k8s.io/v1\",\n" +
		"\t\"resources\": [\n\t\t{\"resources\": [\"secrets\"],\n\t\t\"providers\": [{\"identity\": {}}]}\n\t]\n}\n", []string{"5 secrets: identity"}},
	// YAML has no tabs there, and not these escapes: so there are no lines to be told.
	{"JSON behind white space", "\n\n \t{\"kind\": \"EncryptionConfiguration\", \"apiVersion\": \"apiserver.config.k8s.io/v1\"," +
		"\n\"resources\": [{\"resources\": [\"secrets\"], \"providers\": [{\"identity\": {}}]}]}", []string{"0 secrets: identity"}},
	{"JSON with escapes", `{"kind": "Encryption\u0043onfiguration", "apiVersion": "apiserver.config.k8s.io\/v1", ` +
		`"resources": [{"resources": ["secrets"], "providers": [{"aescbc": {"keys": [{"name": "\ud83d\udd11", "secret": "` + secret32 + `"}]}}]}]}`,
		[]string{"0 secrets: aescbc 🔑 32"}},

	{"KMS v1 by default", toKMS + "      name: vault\n      endpoint: unix:///run/vault.sock\n",
		[]string{"4 secrets: kms-v1 vault unix:///run/vault.sock 3s 1000"}},
	{"KMS v1", toKMS + "      apiVersion: v1\n      name: a:b\n      endpoint: unix:///run/vault.sock\n      timeout: 1m30s\n      cachesize: 7\n",
		[]string{"4 secrets: kms-v1 a:b unix:///run/vault.sock 1m30s 7"}},
	{"KMS v1 without a cache", toKMS + "      name: vault\n      endpoint: unix:///run/vault.sock\n      cachesize: -1\n      timeout: null\n",
		[]string{"4 secrets: kms-v1 vault unix:///run/vault.sock 3s -1"}},
	{"KMS v2", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix:///run/vault.sock\n",
		[]string{"4 secrets: kms-v2 vault unix:///run/vault.sock 3s 0"}},
	{"KMS v2 with a timeout, then v1 of the same name", toKMS + `      apiVersion: v2
      name: vault
      endpoint: unix:///@abstract
      timeout: 250ms
  - kms:
      apiVersion: v1
      name: vault
      endpoint: unix:///run/old.sock
`, []string{"4 secrets: kms-v2 vault unix:///@abstract 250ms 0, kms-v1 vault unix:///run/old.sock 3s 1000"}},
	{"KMS v1 twice, as is allowed without reloading", toKMS + `      name: vault
      endpoint: unix:///run/vault.sock
- resources: [configmaps]
  providers:
  - kms:
      name: vault
      endpoint: unix:///run/vault.sock
  - kms:
      name: vault
      endpoint: unix:///run/other.sock
`, []string{"4 secrets: kms-v1 vault unix:///run/vault.sock 3s 1000",
		"9 configmaps: kms-v1 vault unix:///run/vault.sock 3s 1000, kms-v1 vault unix:///run/other.sock 3s 1000"}},

	{"wildcards", head + `resources:
- resources:
  - events
  - deployments.apps
  providers:
  - identity: {}
- resources: ['*.apps']
  providers: [{aesgcm: {keys: [{name: apps, secret: ` + secret16 + `}]}}]
- resources: ['*.', '*.lab.example.com']
  providers: [{aesgcm: {keys: [{name: core, secret: ` + secret24 + `}]}}]
- resources: ['*.*']
  providers: [{aesgcm: {keys: [{name: rest, secret: ` + secret32 + `}]}}]
`, []string{"5 events: identity", "6 deployments.apps: identity", "9 *.apps: aesgcm apps 16", "11 *.: aesgcm core 24",
		"11 *.lab.example.com: aesgcm core 24", "13 *.*: aesgcm rest 32"}},
	{"a resource in two entries", head + `resources:
- resources: [secrets]
  providers: [{aesgcm: {keys: [{name: new, secret: ` + secret32 + `}]}}]
- resources: [secrets, configmaps]
  providers:
  - aescbc: {keys: [{name: old, secret: ` + secret24 + `}]}
  - identity: {}
`, []string{"4 secrets: aesgcm new 32, aescbc old 24, identity", "6 configmaps: aescbc old 24, identity"}},
	{"a resource with the dot of the core group", head + `resources:
- resources: [secrets.]
  providers: [{identity: {}}]
- resources: [secrets]
  providers: [{identity: {}}]
`, []string{"4 secrets: identity, identity"}},
	{"a resource without a name", head + "resources:\n- resources: ['']\n  providers: [{identity: {}}]\n", []string{"4 : identity"}},
}

func TestParse(t *testing.T) {
	for _, tt := range goodFiles {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.file))
			checkAccepted(t, []byte(tt.file), err)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, describe(c)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, e := range c.Entries() {
				if got := c.For(e.Resource); !slices.Equal(got, Entries{e}) && !e.Wildcard() {
					t.Errorf("For(%v) = %v", e.Resource, got)
				}
			}
		})
	}
}

// Printing what Parse returns shows no key.
func TestConfigPrintsNoKeys(t *testing.T) {
	c := parse(t, toKeys+"      - {name: a, secret: "+secret32+"}\n      - {name: b, secret: "+other32+"}\n")
	for _, v := range []any{c.Entries()[0], c.Entries()[0].Resource} {
		checkHidden(t, fmt.Errorf("%v", v))
	}
	for _, name := range c.Names() {
		checkHidden(t, fmt.Errorf("%v", name))
	}
}

// Keys are one where provider, name and bytes are: in whatever entry.
func TestParseSharesEqualKeys(t *testing.T) {
	c := parse(t, head+`resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: a, secret: `+secret32+`}, {name: a, secret: `+other32+`}]}
  - aesgcm: {keys: [{name: a, secret: `+secret32+`}]}
  - kms: {name: v, endpoint: "unix:///x"}
  - identity: {}
- resources: [configmaps]
  providers:
  - identity: {}
  - kms: {name: v, endpoint: "unix:///x"}
  - kms: {name: v, endpoint: "unix:///y"}
  - aesgcm: {keys: [{name: a, secret: `+other32+`}, {name: a, secret: `+secret32+`}]}
  - aescbc: {keys: [{name: a, secret: `+other32+`}]}
`)
	a, b := c.Entries()[0].Keys, c.Entries()[1].Keys
	var got [][]int
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				got = append(got, []int{i, j})
			}
		}
	}
	want := [][]int{{1, 5}, {2, 4}, {3, 1}, {4, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys that are one (-want +got):\n%s", diff)
	}
	var names []string
	for _, n := range c.Names() {
		names = append(names, n.Provider.String()+":"+n.Name)
	}
	if diff := cmp.Diff([]string{"aescbc:a", "aesgcm:a", "kms-v1:v"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// Whatever a file names first, For takes the nearest entry.
func TestForResource(t *testing.T) {
	c := parse(t, head+`resources:
- resources: [secrets, deployments.apps, events]
  providers: [{identity: {}}]
- resources: ['*.apps']
  providers: [{identity: {}}]
- resources: ['*.']
  providers: [{identity: {}}]
- resources: ['*.*']
  providers: [{identity: {}}]
`)
	got := map[string]int{}
	for _, name := range []string{"secrets", "secrets.lab", "pods", "deployments.apps", "deployments", "daemonsets.apps", "events", "events.events", "x.y.z", ""} {
		plural, group, _ := strings.Cut(name, ".")
		got[name] = slices.Index(c.Entries(), c.For(resource.GroupResource{Group: group, Resource: plural})[0])
	}
	want := map[string]int{"secrets": 0, "secrets.lab": 5, "pods": 4, "deployments.apps": 1, "deployments": 4, "daemonsets.apps": 3,
		"events": 2, "events.events": 5, "x.y.z": 5, "": 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	c = parse(t, toSecret+"  - identity: {}\n")
	if e := c.For(resource.GroupResource{Resource: "pods"}); e != nil {
		t.Errorf("pods: %v, want no entry", e)
	}
}
