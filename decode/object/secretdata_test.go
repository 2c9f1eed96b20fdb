package object

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

func TestParseSecretData(t *testing.T) {
	password, user := Datum{"password", []byte("hunter2")}, Datum{"user", []byte("root")}
	both, first := []Datum{password, user}, []Datum{password}
	secret := func(body string) string {
		return "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+body)
	}
	tests := []struct {
		name  string
		value string
		want  []Datum
		err   error
	}{
		{"protobuf", stored.SecretPB, both, nil},
		{"protobuf, no data", secret(""), nil, nil},
		{"protobuf, no object", "k8s\x00" + stored.SecretType, nil, nil},
		{"protobuf, empty datum", secret(pb(2, pb(1, "a")+pb(2, "")) + pb(2, pb(1, "b"))), []Datum{{"a", []byte{}}, {"b", nil}}, nil},
		{"protobuf, twice", secret(stored.SecretData + pb(2, pb(1, "user")+pb(2, "admin"))), []Datum{password, {"user", []byte("admin")}}, nil},
		{"protobuf, stringData first", secret(pb(4, pb(1, "user")+pb(2, "admin")) + stored.SecretData), []Datum{password, {"user", []byte("admin")}}, nil},
		{"protobuf, damage in the metadata", "k8s\x00" + stored.SecretType + pb(2, pb(1, "\x00")+stored.SecretData), both, nil},
		{"protobuf, cut in the last value", stored.SecretPB[:strings.Index(stored.SecretPB, "root")], first, decode.ErrTruncated},
		{"protobuf, cut behind the data", stored.SecretPB[:strings.Index(stored.SecretPB, "Opaque")], both, decode.ErrTruncated},
		{"protobuf, datum and key swapped", secret(stored.SecretData + pb(2, pb(2, "k")+pb(1, "hunter2"))), both, decode.ErrValue},
		{"protobuf, no key", secret(stored.SecretData + pb(2, pb(2, "hunter2"))), both, decode.ErrValue},
		{"protobuf, key that can be none", secret(stored.SecretData + pb(2, pb(1, "hunter 2")+pb(2, "x"))), both, decode.ErrValue},
		{"protobuf, another kind", strings.Replace(stored.SecretPB, "Secret", "secret", 1), nil, decode.ErrValue},
		{"json", stored.SecretJSON, both, nil},
		{"json, stringData", strings.Replace(stored.SecretJSON, `"type"`, `"stringData":{"user":"admin"},"type"`, 1), []Datum{password, {"user", []byte("admin")}}, nil},
		{"json, null", strings.Replace(stored.SecretJSON, `"cm9vdA=="`, `null`, 1), []Datum{password, {"user", nil}}, nil},
		{"json, no base64", strings.Replace(stored.SecretJSON, "cm9vdA==", "hunter2!", 1), first, decode.ErrValue},
		{"json, datum is a list", strings.Replace(stored.SecretJSON, `"cm9vdA=="`, `[1,2]`, 1), nil, decode.ErrValue},
		{"json, data is text", strings.Replace(stored.SecretJSON, `{"user":"cm9vdA==","password":"aHVudGVyMg=="}`, `"hunter2"`, 1), nil, decode.ErrValue},
		{"json, cut in the data", stored.SecretJSON[:strings.Index(stored.SecretJSON, "vdA==")], nil, decode.ErrTruncated},
		{"json, cut behind the data", stored.SecretJSON[:len(stored.SecretJSON)-1], both, decode.ErrTruncated},
		{"json, no kind", `{"data":{"a":""}}`, nil, decode.ErrValue},
		{"cbor", "\xd9\xd9\xf7\xa2\x44kind\x46Secret\x44data\xa2\x41a\xd6\x41x\x41b\xf6", []Datum{{"a", []byte("x")}, {"b", nil}}, nil},
		{"cbor, datum without a tag", "\xd9\xd9\xf7\xa2\x44kind\x46Secret\x44data\xa2\x41a\xd6\x41x\x41b\x41y", nil, decode.ErrValue},
		{"encrypted", "k8s:enc:aescbc:v1:key1:x", nil, decode.ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, whole, err := ParseSecretData([]byte(tt.value), 0x1000)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if whole != (err == nil) {
				t.Errorf("whole is %v with error %v", whole, err)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("%v quotes the value", err)
			}
		})
	}
}

// Cut at every byte: only entries that the whole has, and with their values.
func TestParseSecretDataCutAtEveryByte(t *testing.T) {
	for _, value := range []string{stored.SecretPB, stored.SecretJSON} {
		for n := range len(value) {
			data, whole, err := ParseSecretData([]byte(value[:n]), 0)
			stored.CheckError(t, err, err, 0, n)
			if whole && len(data) != 2 && n != len("k8s\x00")+len(stored.SecretType) { // there, all that is missing is the object
				t.Errorf("%q: whole", value[:n])
			}
			for _, d := range data {
				if want := map[string]string{"password": "hunter2", "user": "root"}[d.Name]; string(d.Value) != want {
					t.Errorf("%q: %q is %q, want %q", value[:n], d.Name, d.Value, want)
				}
			}
		}
	}
}

// Any data, written by the API server's serializers.
func TestParseSecretDataOfTheAPIServer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.MapOfN(rapid.StringMatching(`[-._a-zA-Z0-9]{1,12}`), rapid.SliceOf(rapid.Byte()), 0, 4).Draw(rt, "data")
		secret := &corev1.Secret{ObjectMeta: stored.ObjectMeta("payments", "db"), Data: want}
		for name, value := range stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, secret) {
			data, whole, err := ParseSecretData(value, 0)
			got := map[string][]byte{}
			for i, d := range data {
				got[d.Name] = append([]byte{}, d.Value...)
				if i > 0 && data[i-1].Name >= d.Name {
					rt.Fatalf("%s: %q before %q", name, data[i-1].Name, d.Name)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" || !whole || err != nil {
				rt.Fatalf("%s: %v, %v (-want +got):\n%s", name, whole, err, diff)
			}
		}
	})
}
