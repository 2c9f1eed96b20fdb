package object

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// ParseName says what ParseMeta says, in every encoding, and notices a cut: where it
// finds a name and no error, nothing of the object is missing.
func TestParseName(t *testing.T) {
	for _, namespace := range []string{"payments", ""} {
		secret := &corev1.Secret{ObjectMeta: stored.ObjectMeta(namespace, "db"), Data: map[string][]byte{"password": []byte("hunter2")}}
		for encoding, value := range stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, secret) {
			m, err := ParseMeta(value, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := Name{m.TypeMeta, m.Namespace, m.Name}
			if got, err := ParseName(value, 0); err != nil || got != want || got.Name != "db" {
				t.Errorf("%s: got %+v, %v, want %+v", encoding, got, err, want)
			}
			for n := range value {
				if got, err := ParseName(value[:n], 0); err == nil && got.Name != "" {
					if data, whole, _ := ParseSecretData(value[:n], 0); !whole || len(data) != 1 || got != want {
						t.Errorf("%s: no error when cut at byte %d of %d", encoding, n, len(value))
					}
				}
			}
		}
	}
}
