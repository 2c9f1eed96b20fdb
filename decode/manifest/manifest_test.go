package manifest

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// Every kind that the API server's clients know, filled at random, written by
// its serializers in each encoding, and read back by its own decoder.
func TestParseLikeTheAPIServer(t *testing.T) {
	codecs := serializer.NewCodecFactory(scheme.Scheme)
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), codecs)
	tested := 0
	for gvk := range scheme.Scheme.AllKnownTypes() {
		o, err := scheme.Scheme.New(gvk)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := o.(metav1.Object); !ok || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		if apiVersion, kind := gvk.ToAPIVersionAndKind(); !KnownKind(object.TypeMeta{APIVersion: apiVersion, Kind: kind}) {
			t.Errorf("%v is not known", gvk)
		}
		tested++
		for range 10 {
			filler.Fill(o)
			if secret, ok := o.(*corev1.Secret); ok {
				withValidNames(secret)
			}
			values := stored.Encodings(t, scheme.Scheme, gvk.GroupVersion(), o)
			read, _, err := codecs.UniversalDeserializer().Decode(values["protobuf"], nil, nil)
			if err != nil {
				t.Fatalf("%v: %v", gvk, err)
			}
			// Protobuf does not keep empty lists apart from those that are not there.
			want := map[string]map[string]any{"protobuf": jsonOf(t, gvk, read), "json": jsonOf(t, gvk, o)}
			want["cbor"] = want["json"]
			for name, value := range values {
				got, err := Parse(value, 0)
				if diff := cmp.Diff(want[name], got); diff != "" || err != nil {
					t.Errorf("%v in %s: %v (-want +got):\n%s", gvk, name, err, diff)
				}
			}
		}
	}
	if tested < 150 {
		t.Errorf("%d kinds: the test looks at too few", tested)
	}
}

// jsonOf is what the API server makes of o, without what kubectl hides.
func jsonOf(t *testing.T, gvk schema.GroupVersionKind, o runtime.Object) map[string]any {
	t.Helper()
	o = o.DeepCopyObject()
	o.(metav1.Object).SetManagedFields(nil)
	o.GetObjectKind().SetGroupVersionKind(gvk)
	manifest, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatalf("%v: %v", gvk, err)
	}
	return manifest
}

// withValidNames gives a Secret names of data that it can have, and takes the
// stringData, which is not stored.
func withValidNames(secret *corev1.Secret) {
	data := map[string][]byte{}
	for _, value := range secret.Data {
		data[fmt.Sprintf("key-%d", len(data))] = value
	}
	secret.Data, secret.StringData = data, nil
}

// pb is short, because messages are in messages.
var pb = stored.Field

func TestParse(t *testing.T) {
	pod, vault := pb(1, pb(1, "v1")+pb(2, "Pod")), pb(1, pb(1, "lab.example.com/v1")+pb(2, "Vault"))
	meta := pb(1, pb(1, "web")+pb(3, "payments")+pb(17, pb(1, "kubectl")))
	limits := func(quantity string) string { // spec.containers.resources.limits
		return "k8s\x00" + pod + pb(2, meta+pb(2, pb(2, pb(8, pb(1, pb(1, "cpu")+pb(2, quantity))))))
	}
	deepSchema := pb(5, "object")
	for range 400 {
		deepSchema = pb(29, pb(1, "p")+pb(2, deepSchema)) // properties
	}
	crd := "k8s\x00" + pb(1, pb(1, "apiextensions.k8s.io/v1")+pb(2, "CustomResourceDefinition")) +
		pb(2, pb(1, pb(1, "web"))+pb(2, pb(7, pb(4, pb(1, deepSchema)))))
	identity := map[string]any{"name": "web", "namespace": "payments"}
	manifest := func(apiVersion, kind string, more ...any) map[string]any {
		m := map[string]any{"apiVersion": apiVersion, "kind": kind}
		for pair := range slices.Chunk(more, 2) {
			m[pair[0].(string)] = pair[1]
		}
		return m
	}
	onlyMeta, noObject := manifest("v1", "Pod", "metadata", identity), map[string]any(nil)
	metaOfSecret := map[string]any{"name": "db", "namespace": "payments", "uid": "u-1", "creationTimestamp": "1970-01-01T00:16:40Z"}
	secret := manifest("v1", "Secret", "metadata", metaOfSecret, "type", "Opaque", "data", map[string]any{"password": "aHVudGVyMg==", "user": "cm9vdA=="})
	onlySecretMeta := manifest("v1", "Secret", "metadata", metaOfSecret)
	json := func(rest string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"payments","managedFields":[{}]}` + rest
	}
	tests := []struct {
		name  string
		value string
		want  map[string]any
		err   error
	}{
		{"secret", stored.SecretPB, secret, nil},
		{"secret, json", stored.SecretJSON, secret, nil},
		{"secret, datum and key swapped", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+pb(2, pb(2, "k")+pb(1, "hunter2"))), onlySecretMeta, decode.ErrValue},
		{"secret, cut in the data", stored.SecretPB[:strings.Index(stored.SecretPB, "root")], onlySecretMeta, decode.ErrTruncated},
		{"secret, cut in the metadata", stored.SecretPB[:strings.Index(stored.SecretPB, "u-1")], manifest("v1", "Secret"), decode.ErrTruncated},
		{"secret, damage in the metadata", "k8s\x00" + stored.SecretType + pb(2, pb(1, pb(1, "db")+"\x00")), manifest("v1", "Secret", "metadata", map[string]any{"name": "db"}), decode.ErrValue},
		{"custom resource of kind Secret", `{"apiVersion":"lab.example.com/v1","kind":"Secret","data":[1]}`, manifest("lab.example.com/v1", "Secret", "data", []any{int64(1)}), nil},
		{"custom resource in protobuf", "k8s\x00" + vault + pb(2, meta+pb(2, "hunter2")), manifest("lab.example.com/v1", "Vault", "metadata", identity), nil},
		{"damage in the spec", "k8s\x00" + pod + pb(2, meta+pb(2, "hunter2")), onlyMeta, decode.ErrValue},
		{"number for a spec", "k8s\x00" + pod + pb(2, meta+"\x10\x01"), onlyMeta, decode.ErrValue},
		{"group", "k8s\x00" + pod + pb(2, meta+"\x0b\x0c"), onlyMeta, decode.ErrValue},
		{"quantity", limits(pb(1, "1500m")), manifest("v1", "Pod", "metadata", identity, "status", map[string]any{}, "spec", map[string]any{
			"containers": []any{map[string]any{"name": "", "resources": map[string]any{"limits": map[string]any{"cpu": "1500m"}}}},
		}), nil},
		{"quantity, large exponent", limits(pb(1, "1000000000000000000000e2147483647")), onlyMeta, decode.ErrValue},
		{"quantity, small exponent", limits(pb(1, "1E-2147483647")), onlyMeta, decode.ErrValue},
		{"quantity, behind a number for its field", "k8s\x00" + pod + pb(2, meta+pb(2, pb(2, pb(8, pb(1, "\x10\x23"+pb(1, "1000000000000000000000e2147483647")))))), onlyMeta, decode.ErrValue},
		{"quantity, long", limits(pb(1, "1"+strings.Repeat("0", 1_000_000))), onlyMeta, decode.ErrValue},
		{"quantity, groups", limits(strings.Repeat("\x0b", 1_000_000)), onlyMeta, decode.ErrValue},
		{"empty containers", "k8s\x00" + pod + pb(2, meta+pb(2, strings.Repeat("\x12\x00", 1_000_000))), onlyMeta, decode.ErrLimit},
		{"deep schema", crd, manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", "metadata", map[string]any{"name": "web"}), decode.ErrLimit},
		{"json, integers", json(`,"spec":{"a":9007199254740993,"b":1.5,"c":-1,"d":1e3,"e":null}}`), manifest("v1", "Pod", "metadata", identity,
			"spec", map[string]any{"a": int64(9007199254740993), "b": 1.5, "c": int64(-1), "d": 1000.0, "e": nil}), nil},
		{"json, cut", json(`,"spec":{"hunter2":"hunt`), onlyMeta, decode.ErrTruncated},
		{"json, cut in the metadata", json("")[:40], manifest("v1", "Pod"), decode.ErrTruncated},
		{"json, number too large", json(`,"spec":1e400}`), onlyMeta, decode.ErrValue},
		{"json, more behind it", json(`}hunter2`), onlyMeta, decode.ErrValue},
		{"json, deep", json(`,"spec":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}"), onlyMeta, decode.ErrLimit},
		{"json, deeper", json(`,"spec":` + strings.Repeat("[", 20_000)), onlyMeta, decode.ErrValue},
		{"json, many elements", json(`,"spec":[` + strings.Repeat("{},", 1_000_000) + "{}]}"), onlyMeta, decode.ErrLimit},
		{"json, elements of one text", json(`,"spec":"` + strings.Repeat(",", 300_000) + `"}`), manifest("v1", "Pod", "metadata", identity, "spec", strings.Repeat(",", 300_000)), nil},
		{"json, large", json(`,"spec":"` + strings.Repeat("a", 11<<20) + `"}`), onlyMeta, decode.ErrLimit},
		{"json, metadata of text", `{"kind":"Pod","metadata":"hunter2"}`, map[string]any{"kind": "Pod", "metadata": "hunter2"}, nil},
		{"cbor", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x44spec\x1a\x00\x01\x00\x00", map[string]any{"kind": "Pod", "spec": int64(65536)}, nil},
		{"cbor, cut", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x44spec", noObject, decode.ErrTruncated},
		{"cbor, deep", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x44spec" + strings.Repeat("\x81", 500) + "\x00", map[string]any{"kind": "Pod"}, decode.ErrLimit},
		{"cbor, many elements", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x44spec\x9a\x00\x20\x00\x00" + strings.Repeat("\xa0", 2<<20), map[string]any{"kind": "Pod"}, decode.ErrLimit},
		{"empty", "", noObject, decode.ErrMagic},
		{"encrypted", "k8s:enc:aescbc:v1:key1:x", noObject, decode.ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.value), 0x1000)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%.2000s", diff)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v quotes the value", err)
			}
		})
	}
}

// Definitions are stored in JSON, but their types could be protobuf as well.
func TestParseOfACRD(t *testing.T) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiextensionsv1.AddToScheme, apiextensionsv1beta1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	maximum := 1.5
	size := apiextensionsv1.JSONSchemaProps{Type: "number", Maximum: &maximum, Default: &apiextensionsv1.JSON{Raw: []byte(`{"a":[1]}`)}}
	properties := map[string]apiextensionsv1.JSONSchemaProps{"size": size, "list": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &size}}}
	schemaOf := &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Properties: properties}}
	for gv, o := range map[schema.GroupVersion]runtime.Object{
		apiextensionsv1.SchemeGroupVersion: &apiextensionsv1.CustomResourceDefinition{ObjectMeta: stored.ObjectMeta("", "vaults.lab.example.com"), Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Schema: schemaOf}},
		}},
		apiextensionsv1beta1.SchemeGroupVersion: &apiextensionsv1beta1.CustomResourceDefinition{ObjectMeta: stored.ObjectMeta("", "vaults.lab.example.com")},
	} {
		gvk := gv.WithKind("CustomResourceDefinition")
		for name, value := range stored.Encodings(t, s, gv, o) {
			got, err := Parse(value, 0)
			if diff := cmp.Diff(jsonOf(t, gvk, o), got); diff != "" || err != nil {
				t.Errorf("%v in %s: %v (-want +got):\n%s", gv, name, err, diff)
			}
		}
	}
}
