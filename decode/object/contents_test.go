package object

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// contentsTwice is what ParseContents stands for.
func contentsTwice(value []byte) Contents {
	s, _ := ParseSecret(value, 7)
	data, whole, _ := ParseSecretData(value, 7)
	return Contents{s.Type, s.DataKeys, data, whole}
}

// One pass tells what two tell, of whole Secrets in every encoding and of damaged ones.
func TestParseContents(t *testing.T) {
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "payments", UID: "1-2"},
		Type:       "Opaque",
		Data:       map[string][]byte{"user": []byte("root"), "password": []byte("hunter2"), "empty": nil},
	}
	empty := &corev1.Secret{TypeMeta: secret.TypeMeta, ObjectMeta: secret.ObjectMeta}
	odd := secret.DeepCopy()
	odd.StringData = map[string]string{"password": "other", "more": "x"}
	rnd := rand.New(rand.NewPCG(5, 7))
	for _, o := range []*corev1.Secret{secret, empty, odd} {
		for name, value := range stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, o) {
			got := ParseContents(value, 7)
			if diff := cmp.Diff(contentsTwice(value), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if o == secret && (len(got.Data) != 3 || got.Type != "Opaque" || !got.Whole) {
				t.Errorf("%s: %d data, type %q, whole %v", name, len(got.Data), got.Type, got.Whole)
			}
			for range 2000 {
				broken := bytes.Clone(value)
				if broken[rnd.IntN(len(broken))] ^= byte(1 << rnd.IntN(8)); rnd.IntN(4) == 0 {
					broken = broken[:rnd.IntN(len(broken))]
				}
				if diff := cmp.Diff(contentsTwice(broken), ParseContents(broken, 7)); diff != "" {
					t.Fatalf("%s, %q (-want +got):\n%s", name, broken, diff)
				}
			}
		}
	}
}
