package reports

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/etcdsift/etcdsift/decode/manifest"
)

const canary = "hunter2"

var canary64 = base64.StdEncoding.EncodeToString([]byte(canary))

func storedMeta(name string) metav1.ObjectMeta {
	yes := true
	created := metav1.NewTime(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	return metav1.ObjectMeta{
		Name: name, Namespace: "payments", UID: "7d0f8a0e-1c1e-4b6a-9b3c-0a1b2c3d4e5f", Generation: 3, CreationTimestamp: created,
		Labels:          map[string]string{"app.kubernetes.io/name": canary, "a " + canary: "", "b " + canary: ""},
		Annotations:     map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"password":"` + canary64 + `"}}` + "\n"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "u-1", Controller: &yes}},
		Finalizers:      []string{"example.com/" + canary},
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
}

// stored is o as protobuf, decoded.
func stored(t testing.TB, gv apischema.GroupVersion, o runtime.Object) map[string]any {
	t.Helper()
	whole, err := manifest.Parse(protobufOf(t, gv, o), 0)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func protobufOf(t testing.TB, gv apischema.GroupVersion, o runtime.Object) []byte {
	t.Helper()
	codecs := serializer.NewCodecFactory(scheme.Scheme)
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	value, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, gv), o)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func secretObject() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: storedMeta("db"), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{
		"password": []byte(canary), "tls.key": bytes.Repeat([]byte(canary), 20), "empty": {}, "one": {0},
	}}
}

func manifests(t testing.TB) map[string]map[string]any {
	replicas := int32(3)
	deployment := &appsv1.Deployment{ObjectMeta: storedMeta("web"), Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Paused: true,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: "registry.example.com/web:v1", Command: []string{"/bin/sh", "-c", "echo\n  " + canary + "\n"},
			Env:       []corev1.EnvVar{{Name: "PASSWORD", Value: canary}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("1Gi")}},
		}}}},
	}}
	config := &corev1.ConfigMap{
		ObjectMeta: storedMeta("app"), Data: map[string]string{"app.ini": "[db]\npassword = " + canary + "\n"},
		BinaryData: map[string][]byte{"keystore.jks": []byte(canary + "\x00\xff")},
	}
	vault, err := manifest.Parse([]byte(`{"apiVersion":"lab.example.com/v1","kind":"Vault","metadata":{"name":"main","creationTimestamp":null,"managedFields":[{}]},`+
		`"spec":{"size":9007199254740993,"ratio":0.5,"on":true,"none":null,"hunter2 !":"hunter2","list":[1,["hunter2"],{}],"template":{"metadata":{"creationTimestamp":null}}}}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]any{
		"secret":     stored(t, corev1.SchemeGroupVersion, secretObject()),
		"configmap":  stored(t, corev1.SchemeGroupVersion, config),
		"deployment": stored(t, appsv1.SchemeGroupVersion, deployment),
		"custom":     vault,
	}
}

func manifestText(t testing.TB, m Manifest, o map[string]any) string {
	t.Helper()
	var b strings.Builder
	if err := m.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestManifestGolden(t *testing.T) {
	for name, o := range manifests(t) {
		before := runtime.DeepCopyJSON(o)
		for state, m := range map[string]Manifest{"redacted": {Revision: 812}, "revealed": {Reveal: true, Revision: 812}} {
			path := filepath.Join("testdata", "show."+name+"."+state+".golden")
			got := manifestText(t, m, o)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got); rewrite it with -update if this is right:\n%s", path, diff)
			}
			if state == "redacted" && (strings.Contains(got, canary) || strings.Contains(got, canary64)) {
				t.Errorf("%s holds the canary", path)
			}
		}
		if diff := cmp.Diff(before, o); diff != "" {
			t.Errorf("%s has changed (-before +after):\n%s", name, diff)
		}
	}
}

func TestManifestKeepsOnlyWhatMayBeIdentity(t *testing.T) {
	long := strings.Repeat("a", 254)
	for _, tt := range []struct {
		field      string
		kept, gone []any
	}{
		{"name", []any{"db", "db.example.com", ""}, []any{"d b", "db:1", "DB", long, "db\n", 7, []any{"db"}}},
		{"namespace", []any{"payments", ""}, []any{"pay.ments", "Payments", long[:64], map[string]any{"a": "b"}}},
		{"uid", []any{"7d0f8a0e-1c1e-4b6a-9b3c-0a1b2c3d4e5f"}, []any{"7D0F", long[:64]}},
		{"resourceVersion", []any{"812"}, []any{"x", "-1", "99999999999999999999999"}},
		{"creationTimestamp", []any{"2026-03-04T05:06:07Z"}, []any{"2026-03-04", canary, "2026-03-04T05:06:07." + strings.Repeat("1", 50) + "Z"}},
		{"deletionTimestamp", []any{"2026-03-04T05:06:07Z"}, []any{"today"}},
		{"generation", []any{int64(3)}, []any{"3", 3.5}},
		{"generateName", nil, []any{"db-"}},
		{"selfLink", nil, []any{"/api/v1"}},
	} {
		shown := func(v any) any {
			o := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{tt.field: v}}
			return redactedObject(o)["metadata"].(map[string]any)[tt.field]
		}
		for _, v := range tt.kept {
			if got := shown(v); got != v {
				t.Errorf("%s: %q becomes %q", tt.field, v, got)
			}
		}
		for _, v := range tt.gone {
			if got := shown(v); cmp.Equal(got, v) {
				t.Errorf("%s: %q stays", tt.field, v)
			}
		}
	}
	for _, tt := range []struct{ name, apiVersion, kind string }{{"api version", "v1 " + canary, "Secret"}, {"kind", "v1", "Secret " + canary}} {
		if got := manifestText(t, Manifest{}, map[string]any{"apiVersion": tt.apiVersion, "kind": tt.kind, "type": canary}); strings.Contains(got, canary) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	// Of other kinds a name may be any segment of a path.
	o := map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "system:node-Proxier"}}
	if got := manifestText(t, Manifest{}, o); !strings.Contains(got, "name: system:node-Proxier\n") {
		t.Error(got)
	}
}

func TestManifestKeepsKeysApart(t *testing.T) {
	o := map[string]any{"spec": map[string]any{"a b": 1, "b c": "xy", "a c": nil, "": true, "ok": "x", strings.Repeat("a", 254): 1.5}}
	want := `spec:
  <key of 0 bytes>: true
  <key of 3 bytes, 2>: null
  <key of 3 bytes, 3>: '<redacted: 2 bytes>'
  <key of 3 bytes>: '<redacted: number>'
  <key of 254 bytes>: '<redacted: number>'
  ok: '<redacted: 1 byte>'
`
	if diff := cmp.Diff(want, manifestText(t, Manifest{}, o)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// hostileTexts are what a terminal, a CI system or the YAML library may take for
// something else.
var hostileTexts = []string{
	hostile, "\x1b]0;title\x07", "\u009b31m", "\u202eabc\u202c", "a\u2066b", "\ufeff", "\x7f", "\x00", "\r\n", "a\rb", "\u0085", "a\u2028b\u2029",
	"\xff\xfe", "\xc3", "\ue0000\ue001", "\ue000", "\ufffd", "\ufffe\uffff", "\U000e0041", "::error::x", "##vso[x]", "a ##[b]###", "a\ufe0f\u3164", "a\n::error::x", "a\n  ::x", "a\t::b", "a::b",
	strings.Repeat("word ", 40) + "::set-output name=a::b", "---", "--- a\n...\n", "- a", "? a", "a: b", "# a", "&a", "*a", "!a", "%TAG", "@a", "`a",
	"<<", "=", "~", "null", "yes", "no", "y", "on", "1", "0x1f", "1_000", "1e3", ".nan", "2026-03-04", "", " ", "  a\n b", "\n", "\n\na", "a\n", "a\n\n", "\ta",
	"a\tb\n", " \n", "'", `"`, `\`, "\\x1b[31m", "{{", "[a", "<b>&", "日本語", "é\n日本", strings.Repeat("k", 2000), strings.Repeat("é ", 600), "a\u00a0b", "\u200b",
}

func checkHarmless(t testing.TB, got string) {
	t.Helper()
	if !utf8.ValidString(got) {
		t.Errorf("no UTF-8: %q", got)
	}
	for _, r := range got {
		if r != '\n' && !isPrintable(r) {
			t.Errorf("%U in %.500q", r, got)
			break
		}
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##") {
			t.Errorf("a command: %q", line)
		}
	}
}

// checkReads tells that what was written is read as the same.
func checkReads(t testing.TB, got string, o map[string]any) {
	t.Helper()
	asJSON, err := json.Marshal(o) // U+FFFD for what is not UTF-8
	if err != nil {
		t.Fatal(err)
	}
	var want, read any
	if err := json.Unmarshal(asJSON, &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(got), &read); err != nil {
		t.Fatalf("%v: %.500q", err, got)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("(-want +got):\n%s\n%.500q", diff, got)
	}
}

func TestManifestIsHarmless(t *testing.T) {
	for _, text := range hostileTexts {
		o := map[string]any{
			"apiVersion": text, "kind": text, "type": text, text + "1": text, "metadata": map[string]any{
				"name": text, "namespace": text, "annotations": map[string]any{"a": text, text: text},
				"ownerReferences": []any{map[string]any{"name": text, "uid": text}, text},
			},
			"data": map[string]any{text: text, "list": []any{text, []any{text}}},
		}
		revealed := manifestText(t, Manifest{Reveal: true}, o)
		checkHarmless(t, revealed)
		checkReads(t, revealed, o)
		checkHarmless(t, manifestText(t, Manifest{}, o))
	}
}

func TestManifestIsReadAsTheSame(t *testing.T) {
	text := rapid.OneOf(rapid.StringN(0, 12, -1), rapid.SampledFrom(hostileTexts), rapid.StringMatching(`[ \n\ta:#'"-]{0,8}`))
	short := text.Filter(func(s string) bool { return len(s) < 500 && utf8.ValidString(s) })
	rapid.Check(t, func(rt *rapid.T) {
		o := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(rt, "fields") {
			o[short.Draw(rt, "key")] = rapid.SampledFrom([]any{
				short.Draw(rt, "text"), []any{text.Draw(rt, "item"), map[string]any{short.Draw(rt, "inner key"): text.Draw(rt, "inner")}},
				map[string]any{short.Draw(rt, "key"): rapid.Int64Range(-1<<53, 1<<53).Draw(rt, "number")}, nil, true, []any{}, map[string]any{},
			}).Draw(rt, "value")
		}
		// Write drops what would not come back.
		delete(o, "metadata")
		got := manifestText(t, Manifest{Reveal: true}, o)
		checkHarmless(t, got)
		checkReads(t, got, o)
		checkHarmless(t, manifestText(t, Manifest{}, o))
	})
}

// A key that is too long for YAML to be read as one without further ado is written so that
// it is, wherever it stands.
func TestManifestWithLongKeys(t *testing.T) {
	long := strings.Repeat("\u202ekey ", 300)
	in := map[string]any{"kind": "x", long: map[string]any{"a": "b", long: []any{map[string]any{long: "v", long + "2": []any{"w"}}, long}}, long + "3": "x"}
	got := manifestText(t, Manifest{Reveal: true}, in)
	checkReads(t, got, in)
}

// Objects of every kind with a canary in every text.
func TestManifestHoldsNoCanary(t *testing.T) {
	filler := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs), rand.NewSource(1), serializer.NewCodecFactory(scheme.Scheme))
	tested := 0
	for gvk := range scheme.Scheme.AllKnownTypes() {
		o, err := scheme.Scheme.New(gvk)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := o.(metav1.Object); !ok || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		tested++
		for range 3 {
			filler.Fill(o)
			o.GetObjectKind().SetGroupVersionKind(gvk)
			full, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			if err != nil {
				t.Fatal(err)
			}
			withCanaries(full)
			full["apiVersion"], full["kind"] = gvk.GroupVersion().String(), gvk.Kind
			got := manifestText(t, Manifest{Revision: 7}, full)
			if strings.Contains(got, canary) {
				t.Fatalf("%v: %s", gvk, got)
			}
			checkHarmless(t, got)
		}
	}
	if tested < 150 {
		t.Errorf("%d kinds: the test looks at too few", tested)
	}
}

// withCanaries replaces all texts in v. The capital is for the fields that take
// a name, the line end and the space for those that take a segment of a path or
// a type.
func withCanaries(v any) any {
	switch v := v.(type) {
	case string:
		return "A " + canary + "\n"
	case map[string]any:
		for key := range v {
			v[key] = withCanaries(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withCanaries(v[i])
		}
	}
	return v
}

// A damaged byte must not put a datum where a name stays.
func TestManifestOfDamagedSecretHoldsNoCanary(t *testing.T) {
	o := secretObject()
	datum := "hunter2correcthorsebattery"
	o.Data = map[string][]byte{"password": []byte(datum), "user": []byte(datum)}
	o.Labels = map[string]string{"app": canary}
	value := protobufOf(t, corev1.SchemeGroupVersion, o)
	step := 5
	if testing.Short() {
		step = 51
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(datum))
	for at := range value {
		was := value[at]
		for by := 0; by < 256; by += step {
			value[at] = was + byte(by)
			whole, _ := manifest.Parse(value, 0)
			got := manifestText(t, Manifest{}, whole)
			if strings.Contains(got, datum[:7]) || strings.Contains(got, encoded[:9]) {
				t.Fatalf("byte %d is %#x:\n%s", at, value[at], got)
			}
		}
		value[at] = was
	}
}

func TestManifestRevision(t *testing.T) {
	for _, tt := range []struct {
		name     string
		object   map[string]any
		revision int64
		want     string
	}{
		{"none", nil, 0, "{}\n"},
		{"no metadata", map[string]any{"kind": "Pod"}, 0, "kind: Pod\n"},
		{"no metadata, revision", map[string]any{"kind": "Pod"}, 7, "kind: Pod\nmetadata:\n  resourceVersion: \"7\"\n"},
		{"nothing, revision", nil, 7, "metadata:\n  resourceVersion: \"7\"\n"},
		{"metadata of text", map[string]any{"metadata": "a"}, 7, "metadata: a\n"},
		{"resource version in it", map[string]any{"metadata": map[string]any{"resourceVersion": "3", "managedFields": []any{"x"}}}, 7, "metadata:\n  resourceVersion: \"7\"\n"},
		{"not known", map[string]any{"metadata": map[string]any{"resourceVersion": "3"}}, 0, "metadata:\n  resourceVersion: \"3\"\n"},
		{"no number of JSON", map[string]any{"a": math.NaN(), "b": math.Inf(-1)}, 0, "a: NaN\nb: -Inf\n"},
	} {
		if got := manifestText(t, Manifest{Reveal: true, Revision: tt.revision}, tt.object); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestManifestWriteError(t *testing.T) {
	if err := (Manifest{}).Write(&brokenWriter{}, map[string]any{}); !errors.Is(err, errBroken) {
		t.Errorf("%v, want %v", err, errBroken)
	}
}
