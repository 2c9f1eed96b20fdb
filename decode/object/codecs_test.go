package object

// The second witness: objects that the API server's own serializers have
// written, in each of the encodings that it stores.

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/fixtures/stored"
)

func wantMeta(apiVersion, kind string, o metav1.ObjectMeta) Meta {
	return Meta{
		TypeMeta: TypeMeta{apiVersion, kind}, Name: o.Name, Namespace: o.Namespace,
		UID: string(o.UID), CreationTimestamp: o.CreationTimestamp.UTC(),
		Managers: []Manager{
			{"kubectl", "Apply", o.ManagedFields[0].Time.UTC()},
			{"kube-controller-manager", "Update", time.Time{}},
		},
	}
}

func TestParseMetaOfTheAPIServer(t *testing.T) {
	namespaced, cluster := stored.ObjectMeta("payments", "web"), stored.ObjectMeta("", "web")
	secondsOfAnHour := int32(3600)
	for _, tt := range []struct {
		apiVersion, kind string
		meta             metav1.ObjectMeta
		object           runtime.Object
	}{
		{"v1", "Pod", namespaced, &corev1.Pod{ObjectMeta: namespaced, Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "c", Env: []corev1.EnvVar{{Name: "P", Value: "hunter2"}}}}}}},
		{"v1", "ConfigMap", namespaced, &corev1.ConfigMap{ObjectMeta: namespaced, Data: map[string]string{"metadata": "x"}, BinaryData: map[string][]byte{"b": {0, 1}}}},
		{"v1", "Namespace", cluster, &corev1.Namespace{ObjectMeta: cluster}},
		{"v1", "Node", cluster, &corev1.Node{ObjectMeta: cluster, Status: corev1.NodeStatus{Phase: corev1.NodeRunning}}},
		{"v1", "Event", namespaced, &corev1.Event{ObjectMeta: namespaced, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "other"}, EventTime: metav1.NowMicro()}},
		{"v1", "Service", namespaced, &corev1.Service{ObjectMeta: namespaced}},
		{"v1", "Secret", namespaced, &corev1.Secret{ObjectMeta: namespaced, Data: map[string][]byte{"name": []byte("hunter2")}}},
		{"v1", "RangeAllocation", cluster, &corev1.RangeAllocation{ObjectMeta: cluster, Range: "10.0.0.0/24", Data: []byte{1}}},
		{"apps/v1", "Deployment", namespaced, &appsv1.Deployment{ObjectMeta: namespaced}},
		{"batch/v1", "CronJob", namespaced, &batchv1.CronJob{ObjectMeta: namespaced}},
		{"coordination.k8s.io/v1", "Lease", namespaced, &coordinationv1.Lease{ObjectMeta: namespaced, Spec: coordinationv1.LeaseSpec{LeaseDurationSeconds: &secondsOfAnHour}}},
		{"networking.k8s.io/v1", "Ingress", namespaced, &networkingv1.Ingress{ObjectMeta: namespaced}},
		{"rbac.authorization.k8s.io/v1", "ClusterRole", cluster, &rbacv1.ClusterRole{ObjectMeta: cluster}},
		{"storage.k8s.io/v1", "StorageClass", cluster, &storagev1.StorageClass{ObjectMeta: cluster, Provisioner: "p"}},
	} {
		gv, err := schema.ParseGroupVersion(tt.apiVersion)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range stored.Encodings(t, scheme.Scheme, gv, tt.object) {
			t.Run(tt.kind+"/"+name, func(t *testing.T) {
				got, err := ParseMeta(value, 0)
				if diff := cmp.Diff(wantMeta(tt.apiVersion, tt.kind, tt.meta), got); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				typ, err := ParseType(value, 0)
				if typ != got.TypeMeta || err != nil {
					t.Errorf("ParseType: %+v, %v", typ, err)
				}
			})
		}
	}
}

// A custom resource is written from a map, in the order of its field names.
func TestParseMetaOfACustomResource(t *testing.T) {
	o := stored.ObjectMeta("payments", "web")
	u := &unstructured.Unstructured{Object: map[string]any{
		"data": map[string]any{"metadata": "no"}, "spec": map[string]any{"kind": "no"},
	}}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.Pod{ObjectMeta: o})
	if err != nil {
		t.Fatal(err)
	}
	u.Object["metadata"] = content["metadata"]
	u.SetAPIVersion("lab.example.com/v1")
	u.SetKind("Vault")
	asJSON, err := runtime.Encode(unstructured.UnstructuredJSONScheme, u)
	if err != nil {
		t.Fatal(err)
	}
	asCBOR, err := runtime.Encode(cbor.NewSerializer(scheme.Scheme, scheme.Scheme), u)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range [][]byte{asJSON, asCBOR} {
		got, err := ParseMeta(value, 0)
		if diff := cmp.Diff(wantMeta("lab.example.com/v1", "Vault", o), got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestParseSecretOfTheAPIServer(t *testing.T) {
	yes, no := true, false
	for typ, keys := range map[corev1.SecretType][]string{
		corev1.SecretTypeOpaque:              {"a", "password"},
		corev1.SecretTypeServiceAccountToken: {"ca.crt", "namespace", "token"},
		corev1.SecretTypeDockercfg:           {".dockercfg"},
		corev1.SecretTypeDockerConfigJson:    {".dockerconfigjson"},
		corev1.SecretTypeBasicAuth:           {"password", "username"},
		corev1.SecretTypeSSHAuth:             {"ssh-privatekey"},
		corev1.SecretTypeTLS:                 {"tls.crt", "tls.key"},
		"bootstrap.kubernetes.io/token":      {"token-id", "token-secret"},
		"helm.sh/release.v1":                 {"release"},
		"":                                   nil,
	} {
		for _, immutable := range []*bool{nil, &yes, &no} {
			o := stored.ObjectMeta("payments", "db")
			secret := &corev1.Secret{ObjectMeta: o, Type: typ, Immutable: immutable}
			for i, k := range keys {
				if secret.Data == nil {
					secret.Data = map[string][]byte{}
				}
				secret.Data[k] = []byte(fmt.Sprint("hunter2", i, "\x00\xff"))
			}
			want := Secret{Meta: wantMeta("v1", "Secret", o), Type: string(typ), DataKeys: keys, Immutable: immutable == &yes}
			for name, value := range stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, secret) {
				got, err := ParseSecret(value, 0)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%s, %s: %v (-want +got):\n%s", typ, name, err, diff)
				}
			}
		}
	}
}

// Any metadata and any data, decoded by the API server's serializer and by us.
func TestParseSecretLikeTheAPIServer(t *testing.T) {
	text := rapid.StringN(0, 12, -1)
	subdomain := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,70}[a-z0-9])?(\.[a-z0-9]{1,9}){0,2}`)
	label := rapid.StringMatching(`([a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?)?`)
	rapid.Check(t, func(rt *rapid.T) {
		want := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name: subdomain.Draw(rt, "name"), Namespace: label.Draw(rt, "namespace"), GenerateName: text.Draw(rt, "generateName"),
				UID:               types.UID(label.Draw(rt, "uid")),
				CreationTimestamp: metav1.Unix(rapid.Int64Range(-62135596799, 253402300799).Draw(rt, "created"), 0),
				Annotations:       rapid.MapOfN(text, text, 0, 3).Draw(rt, "annotations"),
			},
			Data: rapid.MapOfN(rapid.StringMatching(`[-._a-zA-Z0-9]{1,12}`), rapid.SliceOf(rapid.Byte()), 0, 4).Draw(rt, "data"),
			Type: corev1.SecretType(rapid.StringMatching(`[ -~]{0,20}`).Draw(rt, "type")),
		}
		for name, value := range stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, want) {
			got, err := ParseSecret(value, 0)
			if err != nil || got.Name != want.Name || got.Namespace != want.Namespace || got.UID != string(want.UID) ||
				!got.CreationTimestamp.Equal(want.CreationTimestamp.Time) || got.Type != string(want.Type) ||
				!cmp.Equal(got.DataKeys, slices.Sorted(maps.Keys(want.Data))) {
				rt.Fatalf("%s: %+v, %v, want %+v", name, got, err, want)
			}
		}
	})
}

func TestParseCRDOfTheAPIServer(t *testing.T) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiextensionsv1.AddToScheme, apiextensionsv1beta1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	for scope, namespaced := range map[string]bool{"Namespaced": true, "Cluster": false} {
		o := stored.ObjectMeta("", "vaults.lab.example.com")
		schemaProps := map[string]apiextensionsv1.JSONSchemaProps{"spec": {Type: "object", Description: "group"}}
		v1 := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: o, Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "lab.example.com", Scope: apiextensionsv1.ResourceScope(scope),
			Names:    apiextensionsv1.CustomResourceDefinitionNames{Plural: "vaults", Singular: "vault", Kind: "Vault", ListKind: "VaultList", ShortNames: []string{"v"}},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Properties: schemaProps}}}},
		}}
		v1beta1 := &apiextensionsv1beta1.CustomResourceDefinition{ObjectMeta: o, Spec: apiextensionsv1beta1.CustomResourceDefinitionSpec{
			Group: "lab.example.com", Version: "v1", Scope: apiextensionsv1beta1.ResourceScope(scope),
			Names: apiextensionsv1beta1.CustomResourceDefinitionNames{Plural: "vaults", Singular: "vault", Kind: "Vault"},
		}}
		want := CRD{Group: "lab.example.com", Plural: "vaults", Kind: "Vault", Namespaced: namespaced}
		for gv, obj := range map[schema.GroupVersion]runtime.Object{apiextensionsv1.SchemeGroupVersion: v1, apiextensionsv1beta1.SchemeGroupVersion: v1beta1} {
			for name, value := range stored.Encodings(t, s, gv, obj) {
				if got, err := ParseCRD(value, 0); err != nil || got != want {
					t.Errorf("%s, %s: %+v, %v, want %+v", gv, name, got, err, want)
				}
				if got, err := ParseMeta(value, 0); err != nil || !cmp.Equal(got, wantMeta(gv.String(), "CustomResourceDefinition", o)) {
					t.Errorf("%s, %s: %+v, %v", gv, name, got, err)
				}
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	secret := &corev1.Secret{ObjectMeta: stored.ObjectMeta("payments", "db"), Data: map[string][]byte{"a": make([]byte, 2000)}}
	for name, value := range stored.Encodings(b, scheme.Scheme, corev1.SchemeGroupVersion, secret) {
		b.Run("Type/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseType(value, 0)
			}
		})
		b.Run("Secret/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseSecret(value, 0)
			}
		})
	}
}
