package encryption

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

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
		"one resource many times": toProviders(strings.Repeat("a, ", 60_000) + "a"),
		"a resource too many":     toProviders(strings.Repeat("a, ", maxResources) + "a"),
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

func toProviders(resources string) string {
	return head + "resources:\n- resources: [" + resources + "]\n  providers:\n  - identity: {}\n"
}

// As many resources as are allowed are all read.
func TestParseManyResources(t *testing.T) {
	names := new(strings.Builder)
	for i := range maxResources {
		fmt.Fprintf(names, "r%d.example.com, ", i)
	}
	c, err := Parse([]byte(toProviders(strings.TrimSuffix(names.String(), ", "))))
	if err != nil || len(c.Entries()) != maxResources {
		t.Errorf("%v", err)
	}
}
