package carve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures"
)

const (
	jsonSecret = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"pay"},"data":{"password":"aHVudGVyMg=="}}`
	yamlSecret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: pay\nstringData:\n  password: hunter2\n"
)

// quoted is s as a string of JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// encode is an object as the API server stores it.
func encode(t testing.TB, o runtime.Object) string {
	b, err := fixtures.Encode(o, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func configMap(t testing.TB, data map[string]string, annotation string) string {
	return encode(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "n",
		Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": annotation}}, Data: data})
}

// Every form of a Secret in another object is found at its place, and nothing that only looks like
// one.
func TestSecrets(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "pay"}, Data: map[string][]byte{"password": []byte("hunter2")}}
	pretty := strings.NewReplacer(":", " : ", ",", ",\n  ").Replace(jsonSecret)
	indented := func(s, by string) string { return by + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+by) }
	list := `{"apiVersion":"v1","kind":"List","items":[` + jsonSecret + `,{"apiVersion":"v1","kind":"Secret","metadata":{"name":"two"},"stringData":{"a":"b"}}]}`
	one := []string{"pay/db password=hunter2"}
	two := []string{"pay/db password=hunter2", "/two a=b"}
	tests := []struct {
		name, value string
		want        []string
	}{
		{"JSON in a ConfigMap", configMap(t, map[string]string{"a": "x", "s.json": jsonSecret, "t": "y"}, ""), one},
		{"JSON with space", configMap(t, map[string]string{"s.json": pretty}, ""), one},
		{"JSON in text", configMap(t, map[string]string{"s.sh": "kubectl apply -f - <<E\n" + jsonSecret + "\nE\n"}, ""), one},
		{"JSON behind braces", configMap(t, map[string]string{"s": "{{ if .a }}{" + jsonSecret + "{{ end }}"}, ""), one},
		{"YAML", configMap(t, map[string]string{"s.yaml": yamlSecret}, ""), one},
		{"YAML behind YAML", configMap(t, map[string]string{"s.yaml": "a: b\nc: d\n---\n# Source: x\n" + yamlSecret + "---\na: b\n"}, ""), one},
		{"YAML in another order", configMap(t, map[string]string{"s.yaml": "stringData:\n  password: hunter2\nmetadata: {name: db, namespace: pay}\n\n# c\n\"kind\": \"Secret\"\napiVersion: v1"}, ""), one},
		{"YAML in YAML", configMap(t, map[string]string{"s.yaml": "kind: ConfigMap\ndata:\n  x: |\n" + indented(yamlSecret, "    ") + "\n  y: z\n"}, ""), one},
		{"YAML item", configMap(t, map[string]string{"s.yaml": "kind: List\nitems:\n- " + strings.TrimSpace(indented(yamlSecret, "  ")) + "\n- kind: Secret\n  apiVersion: v1\n  metadata:\n    name: two\n  stringData:\n    a: b\n"}, ""), two},
		{"YAML with itself in an annotation", configMap(t, map[string]string{"s.yaml": strings.Replace(yamlSecret, "metadata:\n", "metadata:\n  annotations:\n    last-applied: |\n      "+jsonSecret+"\n", 1)}, ""), one},
		{"annotation", configMap(t, nil, `{"apiVersion":"v1","kind":"ConfigMap","data":{"s":`+quoted(jsonSecret)+`}}`), one},
		{"annotation with YAML", configMap(t, nil, `{"apiVersion":"v1","kind":"ConfigMap","data":{"s":`+quoted("# ü\n"+yamlSecret)+`}}`), one},
		{"List in a ConfigMap", configMap(t, map[string]string{"l": list}, ""), two},
		{"List", list, two},
		{"List in protobuf", encode(t, &corev1.List{Items: []runtime.RawExtension{{Raw: []byte(jsonSecret)}, {Raw: []byte(encode(t, secret))}}}),
			[]string{"pay/db password=hunter2", "pay/db password=hunter2"}},
		{"SecretList", configMap(t, map[string]string{"l": `{"kind":"SecretList","items":[{"metadata":{"name":"db","namespace":"pay"},"data":{"password":"aHVudGVyMg=="}}]}`}, ""), one},
		{"SecretList that says so last", `{"items":[{"metadata":{"name":"db","namespace":"pay"},"data":{"password":"aHVudGVyMg=="}}],"kind":"SecretList"}`, one},
		{"custom resource", `{"apiVersion":"x.io/v1","kind":"Object","spec":{"manifest":` + jsonSecret + `}}`, one},
		{"string of a custom resource", `{"apiVersion":"x.io/v1","kind":"Release","spec":{"manifest":` + quoted("---\n"+yamlSecret) + `}}`, one},
		{"string in a string", `{"a":` + quoted(`{"b":`+quoted(jsonSecret)+`}`) + `}`, one},
		{"protobuf in binaryData", encode(t, &corev1.ConfigMap{BinaryData: map[string][]byte{"x": []byte(encode(t, secret))}}), one},
		{"text between bytes of no form", "\xff\x00\x01" + jsonSecret + "\x00\xfe", one},

		{"no data", `{"x":{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"}}}`, nil},
		{"empty data", `{"x":{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"data":{"a":""},"stringData":{"b":" "}}}`, nil},
		{"redacted", `{"x":{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"data":{"a":"++++++++","b":"********","c":"xxxx"},"stringData":{"d":"<redacted>","e":"****","f":"${PASS_WORD}","g":"{{ .Values.x }}","h":"<your password>"}}}`, nil},
		{"reference", `{"spec":{"ref":{"kind":"Secret","apiVersion":"v1","name":"db"}},"data":{"password":"aHVudGVyMg=="}}`, nil},
		{"other kinds", `{"x":{"apiVersion":"v1","kind":"SecretStore","data":{"password":"aHVudGVyMg=="}},"y":{"apiVersion":"x.io/v1","kind":"Secret","data":{"password":"aHVudGVyMg=="}}}`, nil},
		{"SealedSecret", `{"apiVersion":"bitnami.com/v1alpha1","kind":"SealedSecret","spec":{"encryptedData":{"a":"AgBy"},"template":{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"}}}}`, nil},
		{"template of Helm", configMap(t, map[string]string{"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  a: {{ .Values.a | b64enc }}\n"}, ""), nil},
		{"text about it", configMap(t, map[string]string{"README": "Write a manifest with kind: Secret and data: like this."}, ""), nil},
		{"alias", configMap(t, map[string]string{"s.yaml": yamlSecret + "  b: &b xy\n  c: *b\n"}, ""), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			found, searched := Secrets([]byte(test.value))
			if !searched {
				t.Error("not all was searched")
			}
			for _, e := range found {
				data, _, err := object.ParseSecretData(e.Object, 0)
				if err != nil {
					t.Error(err)
				}
				s := e.Namespace + "/" + e.Name
				for _, d := range data {
					s += fmt.Sprintf(" %s=%s", d.Name, d.Value)
				}
				got = append(got, s)
				covered := test.value[e.Off : e.Off+e.Size]
				if !strings.Contains(covered, "Secret") && !strings.Contains(test.name, "SecretList") || e.Escaped != strings.Contains(covered, `\"`) && e.Escaped != strings.Contains(covered, `\n`) {
					t.Errorf("covers %q, escaped %v", covered, e.Escaped)
				}
				if c := covered[0]; !slices.Contains([]byte(`{ask"k`), c) {
					t.Errorf("starts with %q", c)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Values that are made to take long take no longer than others.
func TestSecretsEffort(t *testing.T) {
	const size = 1 << 20
	for _, s := range []string{
		"{", `{"`, `{"a":`, `{"kind":"Secret",`, `"kind":"Secret" `, "kind: Secret\n", "kind: Secret ", "- kind: Secret\n", "\n", " kind: Secret\n\n\n", "k8s\x00",
		`\"kind\":\"Secret\"`, "[", "kind: Secret\ndata: [[[[\n", `{"kind":"SecretList","items":[`, "\x0a\x02v1\x12\x06Secret", "a: {kind: Secret, data: {a: ", jsonSecret, yamlSecret, quoted(yamlSecret),
	} {
		for _, end := range []string{"\nkind: Secret\ndata:\n  a: YQ==\n", `"kind":"Secret"}`} {
			value := []byte(strings.Repeat(s, size/len(s)) + end)
			start := time.Now()
			Secrets(value)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%q: %v", s, took)
			}
		}
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add([]byte(jsonSecret))
	f.Add([]byte(yamlSecret))
	f.Add([]byte(`{"a":` + quoted(`{"b":`+quoted(yamlSecret)+`}`) + `}`))
	f.Add([]byte(configMap(f, map[string]string{"s.yaml": "items:\n- " + yamlSecret}, `{"x":`+quoted(jsonSecret)+`}`)))
	f.Add([]byte(`{"kind":"SecretList","items":[{"metadata":{"name":"db"},"data":{"a":"YQ=="}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		found, _ := Secrets(b)
		if !bytes.Equal(was, b) {
			t.Fatal("the value was changed")
		}
		if len(found) > 0 && !MayHoldSecrets(b) {
			t.Fatal("found without a kind")
		}
		end := 0
		for i, e := range found {
			if e.Off < 0 || e.Size <= 0 || e.Off+e.Size > len(b) {
				t.Fatalf("%d bytes at %d of %d", e.Size, e.Off, len(b))
			}
			if i > 0 && e.Off < end && (e.Off != found[i-1].Off || e.Size != found[i-1].Size) {
				t.Fatal("two finds overlap")
			}
			end = e.Off + e.Size
			if _, ok := secretIn(e.Object); !ok {
				t.Fatal("no Secret")
			}
		}
	})
}

// BenchmarkMayHoldSecrets measures what every value of another object costs: text without the word,
// base64, in which its first letter is frequent, and text that has the word again and again.
func BenchmarkMayHoldSecrets(b *testing.B) {
	for name, text := range map[string]string{
		"text": "log: info, port: 8080, host: db.example.com, Level: debug\n", "base64": "U2VjcmV0cyBhcmUgU1NTIFNvbWV0aGluZyBlbHNlIFNTIGFuZCBT",
		"word": "SomeText about a Secret and other things, Such as this. ",
	} {
		b.Run(name, func(b *testing.B) {
			value := []byte(configMap(b, map[string]string{"a": strings.Repeat(text, 40)}, `{"spec":"x"}`))
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				if MayHoldSecrets(value) {
					b.Fatal("it holds none")
				}
			}
		})
	}
}
