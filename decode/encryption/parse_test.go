package encryption

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/decode/object"
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
				if got := c.For(e.Resource); got != e && !e.Wildcard() {
					t.Errorf("For(%v) = %v", e.Resource, got)
				}
			}
		})
	}
}

// badFiles are those that the API server does not accept, and the error: its whole text,
// or what goes before the reason, up to a colon and a blank.
var badFiles = []struct{ name, file, want string }{
	{"empty", "", "not an EncryptionConfiguration: the file is empty"},
	{"white space", " \n\t\n", "not an EncryptionConfiguration: the file is empty"},
	{"only comments", "# nothing\n# at all\n", "not an EncryptionConfiguration: no fields at the top"},
	{"only the start of a document", "---\n", "not an EncryptionConfiguration: no fields at the top"},
	{"null", "null\n", "not an EncryptionConfiguration: no fields at the top"},
	{"list at the top", "- resources: [secrets]\n", "not an EncryptionConfiguration: no fields at the top"},
	{"secret at the top", secret32 + "\n", "not an EncryptionConfiguration: no fields at the top"},
	{"JSON list at the top", "[]", "not an EncryptionConfiguration: no fields at the top"},
	{"bytes of a value", "k8s\x00\x0a\x04" + secret32, "not YAML: control characters are not allowed"},
	{"not UTF-8", head + "resources: \xff\n", "not YAML: invalid leading UTF-8 octet"},
	{"tab", head + "resources:\n\t- resources: [secrets]\n", "not YAML: near line 4: found character that cannot start any token"},
	{"tab behind a secret", toKeys + "      - name: key1\n        secret: " + secret32 + "\n\tname: x\n",
		"not YAML: near line "},
	{"colon in a line", toKeys + "      - name: a: " + secret32 + "\n", "not YAML: near line 8: mapping values are not allowed in this context"},
	{"quote that does not end", toKeys + "      - name: key1\n        secret: '" + secret32 + "\n", "not YAML: near line "},
	{"bracket that does not end", toSecret + "  - aescbc: {keys: [{name: a, secret: " + secret32 + "}]\n",
		"not YAML: near line "},
	{"anchor that is not there", toKeys + "      - name: key1\n        secret: *" + secret32[:43] + "\n", "not YAML: unknown anchor"},
	{"anchor in itself", head + "resources: &a [*a]\n", ""},
	{"JSON cut", `{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": [`, ""},
	{"JSON and something behind it", `{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", ` +
		`"resources": [{"resources": ["secrets"], "providers": [{"identity": {}}]}]} ` + secret32, "not "},
	{"YAML that starts as JSON", "{kind: EncryptionConfiguration, apiVersion: apiserver.config.k8s.io/v1, " +
		"resources: [{resources: [secrets], providers: [{identity: {}}]}]}", ""},

	{"no kind", "apiVersion: apiserver.config.k8s.io/v1\nresources: []\n", "not an EncryptionConfiguration: it has no kind"},
	{"kind is empty", "kind: ''\napiVersion: apiserver.config.k8s.io/v1\n", "not an EncryptionConfiguration: it has no kind"},
	{"no version", "kind: EncryptionConfiguration\nresources: []\n", "not an EncryptionConfiguration: it has no apiVersion"},
	{"another kind", "apiVersion: v1\nkind: Secret\ndata:\n  token: " + secret32 + "\n",
		"line 2: kind: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"another kind of the same group", "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n",
		"line 2: kind: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"kind in lower case", "kind: encryptionconfiguration\napiVersion: apiserver.config.k8s.io/v1\n",
		"line 1: kind: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"another version", "kind: EncryptionConfiguration\n\napiVersion: apiserver.config.k8s.io/v1beta1\n",
		"line 3: apiVersion: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"another group", "kind: EncryptionConfiguration\napiVersion: v1\n",
		"line 2: apiVersion: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"old kind with the new version", "kind: EncryptionConfig\napiVersion: apiserver.config.k8s.io/v1\n",
		"line 1: kind: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},

	{"unknown field at the top", head + "metadata: {}\nresources:\n- resources: [secrets]\n  providers:\n  - identity: {}\n",
		"line 3: metadata: unknown field"},
	{"unknown field of an entry", toSecret + "  - identity: {}\n  provider: []\n", "line 7: resources[0].provider: unknown field"},
	{"unknown provider", toSecret + "  - chacha: {}\n", "line 6: resources[0].providers[0].chacha: unknown field"},
	{"provider in upper case", toSecret + "  - AESCBC: {}\n", "line 6: resources[0].providers[0].AESCBC: unknown field"},
	{"unknown field of a provider", toSecret + "  - aescbc:\n      key: []\n", "line 7: resources[0].providers[0].aescbc.key: unknown field"},
	{"unknown field of identity", toSecret + "  - identity: {on: 1}\n", "line 6: resources[0].providers[0].identity.true: unknown field"},
	{"unknown field of a key", toKeys + "      - name: key1\n        secrets: " + secret32 + "\n",
		"line 9: resources[0].providers[0].aescbc.keys[0].secrets: unknown field"},
	{"unknown field of KMS", toKMS + "      name: vault\n      cacheSize: 1\n", "line 8: resources[0].providers[0].kms.cacheSize: unknown field"},
	{"two unknown fields", head + "a: 1\nresources: []\nb: 2\n", "line 3: a: unknown field\nline 5: b: unknown field"},
	{"unknown field in JSON", "{\"kind\": \"EncryptionConfiguration\", \"apiVersion\": \"apiserver.config.k8s.io/v1\",\n\"resource\": []}",
		"line 2: resource: unknown field"},
	{"duplicate field at the top", head + "resources: []\nresources: []\n", "line 4: a field that is there twice"},
	{"duplicate field of an entry", toSecret + "  - identity: {}\n  resources: [configmaps]\n", "line 7: a field that is there twice"},
	{"duplicate provider", toSecret + "  - identity: {}\n    identity: {}\n", "line 7: a field that is there twice"},
	{"duplicate list of keys", toKeys + "      - {name: a, secret: " + secret32 + "}\n      keys: []\n", "line 9: a field that is there twice"},
	{"duplicate secret", toKeys + "      - name: a\n        secret: " + secret32 + "\n        secret: " + other32 + "\n", "line 10: a field that is there twice"},
	{"duplicate field in JSON", "{\"kind\": \"EncryptionConfiguration\", \"apiVersion\": \"apiserver.config.k8s.io/v1\",\n\"resources\": [],\n\"resources\": []}",
		"line 2: resources: duplicate field"},

	{"resources are text", head + "resources: secrets\n", "line 3: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"resources are a map", head + "resources: {}\n", "line 3: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"resources of an entry are text", head + "resources:\n- resources: secrets\n", "line 4: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"resource is a list", head + "resources:\n- resources: [[secrets]]\n", "line 4: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"providers are a map", head + "resources:\n- resources: [secrets]\n  providers: {aescbc: {}}\n", "line 5: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"provider is text", toSecret + "  - identity\n", "line 6: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"keys are text", toSecret + "  - aescbc:\n      keys: " + secret32 + "\n", "line 7: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"key is text", toKeys + "      - " + secret32 + "\n", "line 8: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"name is a map", toKeys + "      - name: {a: b}\n        secret: " + secret32 + "\n", "line 8: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"name is a number", toKeys + "      - name: 1\n        secret: " + secret32 + "\n", "line 8: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"secret is a number", toKeys + "      - name: key1\n        secret: 1234567890123456\n", "line 9: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"secret is a list", toKeys + "      - name: key1\n        secret: [" + secret32 + "]\n", "line 9: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"secret is a map", toKeys + "      - name: key1\n        secret: {" + secret32 + ": " + other32 + "}\n", "line 9: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"endpoint is a list", toKMS + "      name: vault\n      endpoint: [unix:///x]\n", "line 8: not an EncryptionConfiguration: a field has a value of the wrong type"},
	{"kind is a number", "kind: 1\napiVersion: apiserver.config.k8s.io/v1\n", "line 1: kind: want kind EncryptionConfiguration of apiVersion apiserver.config.k8s.io/v1"},
	{"kind is a list", "kind: [a]\napiVersion: apiserver.config.k8s.io/v1\n", "line 1: not an EncryptionConfiguration: a field has a value of the wrong type"},

	{"no resources at all", head, "resources: at least one resources is required"},
	{"no entry", head + "resources: []\n", "line 3: resources: at least one resources is required"},
	{"empty entry", head + "resources:\n- {}\n", "line 4: resources[0].resources: at least one resources[0].resources is required\n" +
		"line 4: resources[0].providers: at least one resources[0].providers is required"},
	{"no resources", head + "resources:\n- resources: []\n  providers:\n  - identity: {}\n", "line 4: resources[0].resources: at least one resources[0].resources is required"},
	{"no providers", head + "resources:\n- resources: [secrets]\n  providers: []\n", "line 5: resources[0].providers: at least one resources[0].providers is required"},
	{"no provider in an element", toSecret + "  - {}\n", "line 6: resources[0].providers[0]: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"},
	{"identity without its braces", toSecret + "  - identity:\n", "line 6: resources[0].providers[0]: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"},
	{"two providers in an element", toSecret + "  - identity: {}\n  - identity: {}\n    aescbc:\n      keys: [{name: a, secret: " + secret32 + "}]\n",
		"line 7: resources[0].providers[1]: more than one provider specified in a single element, should split into different list elements"},
	{"no keys", toSecret + "  - aescbc: {}\n", "line 6: resources[0].providers[0].aescbc.keys: at least one keys is required"},
	{"empty list of keys", toSecret + "  - secretbox:\n      keys: []\n", "line 7: resources[0].providers[0].secretbox.keys: at least one keys is required"},
	{"key without a name", toKeys + "      - secret: " + secret32 + "\n", "line 8: resources[0].providers[0].aescbc.keys[0].name: name is a mandatory field for a key"},
	{"name is empty", toKeys + "      - name: ''\n        secret: " + secret32 + "\n", "line 8: resources[0].providers[0].aescbc.keys[0].name: name is a mandatory field for a key"},
	{"key without a secret", toKeys + "      - name: key1\n", "line 8: resources[0].providers[0].aescbc.keys[0].secret: secret is a mandatory field for a key"},
	{"secret is null", toKeys + "      - name: key1\n        secret:\n", "line 9: resources[0].providers[0].aescbc.keys[0].secret: secret is a mandatory field for a key"},
	{"secret is not base64", toKeys + "      - name: key1\n        secret: " + raw32 + "\n", "line 9: resources[0].providers[0].aescbc.keys[0].secret: secrets must be base64 encoded"},
	{"secret without its padding", toKeys + "      - name: key1\n        secret: " + secret32[:43] + "\n", "line 9: resources[0].providers[0].aescbc.keys[0].secret: secrets must be base64 encoded"},
	{"secret encoded for URLs", toKeys + "      - name: key1\n        secret: " + strings.Repeat("_-", 21) + "_=\n", "line 9: resources[0].providers[0].aescbc.keys[0].secret: secrets must be base64 encoded"},
	{"secret twice over", toKeys + "      - name: key1\n        secret: " + secret32 + other32 + "\n", "line 9: resources[0].providers[0].aescbc.keys[0].secret: secrets must be base64 encoded"},
	{"AES-CBC key of 31 bytes", toKeys + "      - name: key1\n        secret: " + encode(raw32[1:]) + "\n",
		"line 9: resources[0].providers[0].aescbc.keys[0].secret: secret is not of the expected length, got 31, expected one of [16 24 32]"},
	{"AES-GCM key of 15 bytes, the second", toSecret + "  - aesgcm:\n      keys:\n      - {name: a, secret: " + secret16 + "}\n      - {name: b, secret: " + encode(raw16[1:]) + "}\n",
		"line 9: resources[0].providers[0].aesgcm.keys[1].secret: secret is not of the expected length, got 15, expected one of [16 24 32]"},
	{"secretbox key of 24 bytes", toSecret + "  - secretbox:\n      keys:\n      - name: a\n        secret: " + secret24 + "\n",
		"line 9: resources[0].providers[0].secretbox.keys[0].secret: secret is not of the expected length, got 24, expected one of [32]"},
	{"bad key behind an alias", head + "resources:\n- resources: [secrets]\n  providers:\n  - aescbc:\n      keys: &k\n      - name: a\n        secret: " + secret32 +
		"\n- resources: [configmaps]\n  providers:\n  - secretbox:\n      keys: *k\n  - aescbc:\n      keys:\n      - name: b\n        secret: no*\n",
		"line 17: resources[1].providers[1].aescbc.keys[0].secret: secrets must be base64 encoded"},

	{"capital letters", head + "resources:\n- resources: [secrets, ConfigMaps]\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources[1]: resource name should not contain capital letters"},
	{"secret as a resource", head + "resources:\n- resources:\n  - " + secret32 + "\n  providers:\n  - identity: {}\n",
		"line 5: resources[0].resources[0]: resource name should not contain capital letters"},
	{"star", head + "resources:\n- resources:\n  - '*'\n  providers:\n  - identity: {}\n",
		"line 5: resources[0].resources[0]: use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"},
	{"events of their other group", head + "resources:\n- resources: [events.events.k8s.io]\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources[0]: '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file"},
	{"extensions", head + "resources:\n- resources: [ingresses.extensions]\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources[0]: 'extensions' group has been removed and cannot be used for encryption"},
	{"no REST API", head + "resources:\n- resources: [serviceipallocations]\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources[0]: resources which do not have REST API/s cannot be encrypted"},
	{"a resource of any group", head + "resources:\n- resources: ['secrets.*']\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources[0]: encrypting the same resource across groups is not supported"},
	{"a resource twice in a list", head + "resources:\n- resources: [secrets, secrets.]\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources: the same resource cannot be specified multiple times"},
	{"overlapping wildcards", head + "resources:\n- resources: ['*.', '*.*']\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked"},
	{"masked in its list", head + "resources:\n- resources:\n  - '*.apps'\n  - deployments.apps\n  providers:\n  - identity: {}\n",
		"line 4: resources[0].resources: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked"},
	{"masked by the wildcard of its group", head + "resources:\n- resources: ['*.']\n  providers:\n  - identity: {}\n- resources:\n  - deployments.apps\n  - secrets\n  providers:\n  - identity: {}\n",
		`line 9: resources[1].resources[1]: resource "secrets" is masked by the earlier rule "*."`},
	{"masked by the wildcard of all", head + "resources:\n- resources: ['*.*']\n  providers:\n  - identity: {}\n- resources: ['*.apps']\n  providers:\n  - identity: {}\n",
		`line 7: resources[1].resources[0]: resource "*.apps" is masked by the earlier rule "*.*"`},
	{"wildcard twice", head + "resources:\n- resources: ['*.apps']\n  providers:\n  - identity: {}\n- resources: ['*.apps']\n  providers:\n  - identity: {}\n",
		`line 7: resources[1].resources[0]: resource "*.apps" is masked by the earlier rule "*.apps"`},

	{"KMS without anything", toKMS + "      {}\n", "line 6: resources[0].providers[0].kms.name: name is a mandatory field for a provider\n" +
		"line 6: resources[0].providers[0].kms.endpoint: endpoint is a mandatory field for a kms"},
	{"KMS v3", toKMS + "      apiVersion: v3\n      name: vault\n      endpoint: unix:///x\n",
		"line 7: resources[0].providers[0].kms.apiVersion: "},
	{"KMS v2 name with a colon", toKMS + "      apiVersion: v2\n      name: a:b\n      endpoint: unix:///x\n", "line 8: resources[0].providers[0].kms.name: "},
	{"KMS v2 name twice", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix:///x\n  - kms:\n      apiVersion: v2\n      name: vault\n      endpoint: unix:///y\n", "line 12: resources[0].providers[1].kms.name: "},
	{"KMS v2 with the name of a v1", toKMS + "      apiVersion: v1\n      name: vault\n      endpoint: unix:///x\n  - kms:\n      apiVersion: v2\n      name: vault\n      endpoint: unix:///y\n", "line 12: resources[0].providers[1].kms.name: "},
	{"KMS over the network", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: tcp://10.0.0.1:8080\n", "line 9: resources[0].providers[0].kms.endpoint: "},
	{"KMS at a path", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: /run/vault.sock\n", "line 9: resources[0].providers[0].kms.endpoint: "},
	{"KMS endpoint empty", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: ''\n",
		"line 9: resources[0].providers[0].kms.endpoint: endpoint is a mandatory field for a kms"},
	{"KMS endpoint is no URL", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix:///%zz\n", "line 9: resources[0].providers[0].kms.endpoint: "},
	{"KMS timeout negative", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix:///x\n      timeout: -3s\n",
		"line 10: resources[0].providers[0].kms.timeout: timeout should be a positive value"},
	{"KMS timeout zero", toKMS + "      name: vault\n      endpoint: unix:///x\n      timeout: 0s\n",
		"line 9: resources[0].providers[0].kms.timeout: timeout should be a positive value"},
	{"KMS v1 cachesize zero", toKMS + "      name: vault\n      endpoint: unix:///x\n      cachesize: 0\n",
		"line 9: resources[0].providers[0].kms.cachesize: cachesize should be a positive value, or negative to disable"},
	{"KMS v2 cachesize", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix:///x\n      cachesize: 10\n",
		"line 10: resources[0].providers[0].kms.cachesize: cachesize is not supported in v2"},
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range badFiles {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.file))
			checkAccepted(t, []byte(tt.file), err)
			if err == nil {
				t.Fatalf("accepted: %q", describe(c))
			}
			checkText(t, err, tt.want)
			checkHidden(t, err)
		})
	}
}

// checkText checks the text of an error; want is all of it, or its start up to a blank,
// or nothing if whatever it says will do.
func checkText(t testing.TB, err error, want string) {
	t.Helper()
	got := err.Error()
	if got != want && !(strings.HasSuffix(want, " ") && strings.HasPrefix(got, want)) && want != "" {
		t.Errorf("error:\n%s\nwant:\n%s", got, want)
	}
}

// A value of a wrong type is found wherever it is, and nothing else is taken for it.
func TestParseFindsTheWrongType(t *testing.T) {
	const what = "not an EncryptionConfiguration: a field has a value of the wrong type"
	for _, tt := range []struct {
		name, file string
		line       int
	}{
		{"behind a name that YAML takes for a date", toKeys + "      - name: 2026-01-15\n        secret: " + secret32 + "\n      - name: b\n        secret: 12\n", 11},
		{"behind an alias of a list", toSecret + "  - aescbc:\n      keys: &k\n      - {name: a, secret: " + secret32 + "}\n  - aesgcm: {keys: *k}\n  - secretbox:\n      keys: 1\n", 11},
		{"behind an alias of a text", toKeys + "      - {name: &a a, secret: " + secret32 + "}\n      - {name: *a, secret: " + secret32 + "}\n      - {name: 3, secret: x}\n", 10},
		{"behind an alias of a provider", toSecret + "  - &p\n    identity: {}\n  - *p\n  - aescbc:\n      keys: 1\n", 10},
		{"name that old YAML takes for a boolean", toKeys + "      - name: a\n        secret: " + secret32 + "\n      - name: yes\n        secret: " + secret32 + "\n", 10},
		{"provider with text", toSecret + "  - identity: {}\n  - aescbc: " + secret32 + "\n", 7},
		{"provider with a list", toSecret + "  - identity: {}\n  - identity: [" + secret32 + "]\n", 7},
		{"entry that is text", head + "resources:\n- resources: [secrets]\n  providers: []\n- " + secret32 + "\n", 6},
		{"resource that is a number", head + "resources:\n- resources:\n  - secrets\n  - 1\n  providers: []\n", 6},
		{"timeout that is none", toKMS + "      name: a\n      endpoint: unix:///x\n      timeout: " + secret32 + "\n", 9},
		{"timeout that is a list", toKMS + "      name: a\n      endpoint: unix:///x\n      timeout: []\n", 9},
		{"cachesize that is text", toKMS + "      name: a\n      endpoint: unix:///x\n      cachesize: " + secret32 + "\n", 9},
		{"cachesize with a fraction", toKMS + "      name: a\n      endpoint: unix:///x\n      cachesize: 1.5\n", 9},
		{"cachesize beyond 32 bits", toKMS + "      name: a\n      endpoint: unix:///x\n      cachesize: 2147483648\n", 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.file))
			checkAccepted(t, []byte(tt.file), err)
			if want := fmt.Sprintf("line %d: %s", tt.line, what); err == nil || err.Error() != want {
				t.Errorf("error: %v\nwant: %s", err, want)
			}
			checkHidden(t, err)
		})
	}
}

// Secrets in places where the API server's own errors show what stands there.
var misplacedSecrets = []struct{ name, file, want string }{
	{"as a field of a key", toKeys + "      - name: key1\n        " + secret32 + ":\n", "line 9: "},
	{"as a field of a key, without a blank behind its colon", toKeys + "      - {name: key1, \"" + secret32 + "\":1}\n", "line 8: "},
	{"as a field of a provider", toSecret + "  - aescbc:\n      " + secret24 + ": {}\n", "line 7: "},
	{"as a field at the top", head + secret16 + ": 1\n", "line 3: "},
	{"as a field at the top, raw", head + "'" + raw32 + "': 1\n", "line 3: "},
	{"as a field that is there twice", head + secret16 + ": 1\n" + secret16 + ": 1\n", ""},
	{"as a field of JSON that is there twice", "{\"kind\": \"EncryptionConfiguration\", \"apiVersion\": \"apiserver.config.k8s.io/v1\",\n\"" + secret16 + "\": 1,\n\"" + secret16 + "\": 2}", ""},
	{"as the kind", "kind: " + secret32 + "\napiVersion: apiserver.config.k8s.io/v1\n", "line 1: "},
	{"as the version", "kind: EncryptionConfiguration\napiVersion: " + secret32 + "\n", "line 2: "},
	{"as a version with a slash too many", "kind: EncryptionConfiguration\napiVersion: a/b/" + secret32 + "\n", ""},
	{"in the name of a KMS v2 provider", toKMS + "      apiVersion: v2\n      name: vault:" + secret32 + "\n      endpoint: unix:///x\n", "line 8: "},
	{"as the name of two KMS v2 providers", toKMS + "      apiVersion: v2\n      name: " + secret32 + "\n      endpoint: unix:///x\n  - kms:\n      apiVersion: v2\n      name: " + secret32 + "\n      endpoint: unix:///y\n", "line 12: "},
	{"as the version of a KMS provider", toKMS + "      apiVersion: " + secret32 + "\n      name: vault\n      endpoint: unix:///x\n", "line 7: "},
	{"as an endpoint", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: " + secret32 + "\n", "line 9: "},
	{"as an endpoint behind a colon", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: ':" + secret32 + "'\n", "line 9: "},
	{"as the scheme of an endpoint", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: " + secret32[:43] + "://x\n", "line 9: "},
	{"in an endpoint that is no URL", toKMS + "      apiVersion: v2\n      name: vault\n      endpoint: unix://" + secret32 + ":x\n", "line 9: "},
	{"as a map key that is a list", head + "? [" + secret32 + "]\n: 1\n", ""},
	{"as a tag", head + "resources: !" + secret32 + " {}\n", "line 3: "},
	{"as an anchor", head + "resources: &" + secret32[:43] + " {}\n", "line 3: "},
}

func TestParseHidesAMisplacedSecret(t *testing.T) {
	for _, tt := range misplacedSecrets {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.file))
			checkAccepted(t, []byte(tt.file), err)
			if err == nil {
				t.Fatal("accepted")
			}
			if tt.want != "" {
				checkText(t, err, tt.want)
			}
			checkHidden(t, err)
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

// Aliases that stand for more than memory holds are refused at once.
func TestParseRefusesAliasBombs(t *testing.T) {
	bomb := func(levels, width int, item string) string {
		b := new(strings.Builder)
		fmt.Fprintf(b, "a0: &a0 %s\n", item)
		for i := range levels {
			fmt.Fprintf(b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), width), ", "))
		}
		return b.String()
	}
	deep := 100_000
	for name, file := range map[string]string{
		"billion laughs":         head + bomb(9, 9, "lol"),
		"billion laughs, longer": head + bomb(30, 9, secret32),
		"doubled":                head + bomb(60, 2, "lol"),
		"below resources":        bomb(9, 9, "lol") + head + "resources: [*a9]\n",
		"aliases where they belong": head + "resources: [&e {resources: [a], providers: [&p {aescbc: {keys: [&k {name: a, secret: b}" + strings.Repeat(", *k", 1000) +
			"]}}" + strings.Repeat(", *p", 1000) + "]}" + strings.Repeat(", *e", 1000) + "]\n",
		"a list of aliases":       head + "a: &a [" + strings.Repeat("x, ", 1000) + "x]\nresources: [" + strings.Repeat("*a, ", 300_000) + "*a]\n",
		"merge keys":              head + "a: &a {x: y}\nresources: {" + strings.Repeat("<<: *a, ", 100_000) + "z: z}\n",
		"deep lists":              head + "resources: " + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "\n",
		"deep maps":               head + "resources: " + strings.Repeat("{a: ", deep) + strings.Repeat("}", deep) + "\n",
		"deep lists by lines":     head + "resources:\n" + strings.Repeat("- ", deep) + "x\n",
		"deep JSON":               `{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": ` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}",
		"many items":              head + "resources: [" + strings.Repeat("x,", 128<<10) + "x]\n",
		"one byte more than that": head + strings.Repeat("#", MaxFile+1-len(head)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse([]byte(file))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("accepted")
			}
			if took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 512 {
				t.Errorf("it allocated %d MiB for %d KiB", allocated, len(file)>>10)
			}
			checkHidden(t, err)
		})
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
		resource, group, _ := strings.Cut(name, ".")
		got[name] = slices.Index(c.Entries(), c.For(object.GroupResource{Group: group, Resource: resource}))
	}
	want := map[string]int{"secrets": 0, "secrets.lab": 5, "pods": 4, "deployments.apps": 1, "deployments": 4, "daemonsets.apps": 3,
		"events": 2, "events.events": 5, "x.y.z": 5, "": 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	c = parse(t, toSecret+"  - identity: {}\n")
	if e := c.For(object.GroupResource{Resource: "pods"}); e != nil {
		t.Errorf("pods: %v, want no entry", e)
	}
}
