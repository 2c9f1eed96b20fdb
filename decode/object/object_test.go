package object

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// pb is short, because messages are in messages.
var pb = stored.Field

var secretWant = Secret{
	Meta: Meta{
		TypeMeta: TypeMeta{"v1", "Secret"}, Name: "db", Namespace: "payments", UID: "u-1",
		CreationTimestamp: time.Unix(1000, 0).UTC(),
	},
	Type: "Opaque", DataKeys: []string{"password", "user"},
}

func TestParseType(t *testing.T) {
	tests := []struct {
		name  string
		value string
		want  TypeMeta
		err   error
	}{
		{"protobuf", stored.SecretPB, TypeMeta{"v1", "Secret"}, nil},
		{"protobuf, the rest damaged", "k8s\x00" + stored.SecretType + "\xff\xff", TypeMeta{"v1", "Secret"}, nil},
		{"protobuf, the rest cut", stored.SecretPB[:20], TypeMeta{"v1", "Secret"}, nil},
		{"protobuf, type at the end", "k8s\x00" + pb(2, "\x00") + pb(1, pb(2, "Pod")), TypeMeta{"", "Pod"}, nil},
		{"protobuf, no type", "k8s\x00" + pb(2, "\x00"), TypeMeta{}, nil},
		{"protobuf, nothing", "k8s\x00", TypeMeta{}, decode.ErrTruncated},
		{"protobuf, cut in the kind", stored.SecretPB[:14], TypeMeta{}, decode.ErrTruncated},
		{"protobuf, damage in the type", "k8s\x00" + pb(1, pb(1, "v1")+"\x00"), TypeMeta{"v1", ""}, decode.ErrValue},
		{"json", stored.SecretJSON, TypeMeta{"v1", "Secret"}, nil},
		{"json, the rest cut", stored.SecretJSON[:40], TypeMeta{"v1", "Secret"}, nil},
		{"json, behind white space", "\n " + stored.SecretJSON, TypeMeta{"v1", "Secret"}, nil},
		{"json, at the end", `{"spec":{"kind":"no"},"kind":"Pod","apiVersion":"v1"}`, TypeMeta{"v1", "Pod"}, nil},
		{"json, upper case", `{"Kind":"Pod","APIVersion":"v1"}`, TypeMeta{}, nil},
		{"json, null", `{"kind":null}`, TypeMeta{}, nil},
		{"json, numbers", `{"kind":1,"apiVersion":"v1"}`, TypeMeta{"v1", ""}, decode.ErrValue},
		{"json, cut behind the kind", `{"kind":"Pod",`, TypeMeta{"", "Pod"}, decode.ErrTruncated},
		{"json, cut in the kind", `{"kind":"Po`, TypeMeta{}, decode.ErrTruncated},
		{"json, syntax", `{"kind":"Pod" x`, TypeMeta{"", "Pod"}, decode.ErrValue},
		{"json, no field name", `{1:2}`, TypeMeta{}, decode.ErrValue},
		{"json, deep", `{"a":` + strings.Repeat("[", 20_000), TypeMeta{}, decode.ErrValue},
		{"cbor", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x4aapiVersion\x42v1", TypeMeta{"v1", "Pod"}, nil},
		{"cbor, text strings", "\xd9\xd9\xf7\xa2\x64kind\x63Pod\x6aapiVersion\x62v1", TypeMeta{"v1", "Pod"}, nil},
		{"cbor, cut", "\xd9\xd9\xf7\xa2\x44kind\x43Po", TypeMeta{}, decode.ErrTruncated},
		{"cbor, no map", "\xd9\xd9\xf7\x01", TypeMeta{}, decode.ErrValue},
		{"cbor, huge map", "\xd9\xd9\xf7\xbb\x00\xff\xff\xff\xff\xff\xff\xff", TypeMeta{}, decode.ErrValue},
		{"cbor, deep", "\xd9\xd9\xf7" + strings.Repeat("\x81", 20_000), TypeMeta{}, decode.ErrValue},
		{"empty", "", TypeMeta{}, decode.ErrMagic},
		{"text", "hunter2", TypeMeta{}, decode.ErrMagic},
		{"encrypted", "k8s:enc:aescbc:v1:key1:x", TypeMeta{}, decode.ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseType([]byte(tt.value), 0x1000)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
		})
	}
}

func TestParseSecret(t *testing.T) {
	with := func(change func(*Secret)) Secret {
		s := secretWant
		change(&s)
		return s
	}
	no := func(*Secret) {}
	tests := []struct {
		name  string
		value string
		want  Secret
		err   error
	}{
		{"protobuf", stored.SecretPB, with(no), nil},
		{"json", stored.SecretJSON, with(no), nil},
		{"json, kubectl's order and stringData", `{"type":"Opaque","stringData":{"user":"root"},"data":{"password":"","user":null},` +
			`"metadata":{"uid":"u-1","namespace":"payments","name":"db","creationTimestamp":"1970-01-01T00:16:40Z"},"kind":"Secret","apiVersion":"v1"}`, with(no), nil},
		{"json, data is no base64", strings.Replace(stored.SecretJSON, "cm9v", "!!!!", 1), with(no), nil},
		{"json, immutable", strings.Replace(stored.SecretJSON, `"type"`, `"immutable":true,"type"`, 1), with(func(s *Secret) { s.Immutable = true }), nil},
		{"json, data is text", strings.Replace(stored.SecretJSON, `{"user":"cm9vdA==","password":"aHVudGVyMg=="}`, `"hunter2"`, 1), with(func(s *Secret) { s.DataKeys = nil }), decode.ErrValue},
		{"json, bad time", strings.Replace(stored.SecretJSON, "00:16", "hunter2", 1), with(func(s *Secret) { s.CreationTimestamp = time.Time{} }), decode.ErrValue},
		{"json, data twice", strings.Replace(stored.SecretJSON, `"type"`, `"data":{"z":""},"type"`, 1), with(func(s *Secret) { s.DataKeys = []string{"z"} }), nil},
		{"json, more behind it", stored.SecretJSON + "hunter2", with(no), decode.ErrValue},
		{"json, cut in the data", stored.SecretJSON[:strings.Index(stored.SecretJSON, "vdA==")], with(func(s *Secret) { s.Type, s.DataKeys = "", nil }), decode.ErrTruncated},
		{"protobuf, cut in the last value", stored.SecretPB[:strings.Index(stored.SecretPB, "root")], with(func(s *Secret) { s.Type, s.DataKeys = "", []string{"password"} }), decode.ErrTruncated},
		{"protobuf, cut in the metadata", stored.SecretPB[:strings.Index(stored.SecretPB, "u-1")], Secret{Meta: Meta{TypeMeta: TypeMeta{"v1", "Secret"}}}, decode.ErrTruncated},
		{"protobuf, immutable", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, "Opaque")+"\x28\x01"), with(func(s *Secret) { s.Immutable = true }), nil},
		{"protobuf, no object", "k8s\x00" + stored.SecretType, Secret{Meta: Meta{TypeMeta: TypeMeta{"v1", "Secret"}}}, nil},
		{"protobuf, damage in the object", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
			with(func(s *Secret) { s.Type, s.DataKeys = "", nil }), decode.ErrValue},
		{"protobuf, data flipped to type", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, pb(1, "k")+pb(2, "hunter2"))), with(func(s *Secret) { s.Type = "" }), decode.ErrValue},
		{"protobuf, datum and key swapped", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, "Opaque")+pb(2, pb(2, "k")+pb(1, "hunter2"))), with(no), decode.ErrValue},
		{"protobuf, two keys", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, "Opaque")+pb(2, pb(1, "k")+pb(1, "hunter2"))), with(no), decode.ErrValue},
		{"protobuf, number for a key", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, "Opaque")+pb(2, "\x08\x01"+pb(2, "hunter2"))), with(no), decode.ErrValue},
		{"protobuf, key and no datum", "k8s\x00" + stored.SecretType + pb(2, stored.SecretMeta+stored.SecretData+pb(3, "Opaque")+pb(4, pb(1, "z"))), with(func(s *Secret) { s.DataKeys = []string{"password", "user", "z"} }), nil},
		{"data key that can be none", strings.Replace(stored.SecretJSON, `"user"`, `"us er"`, 1), with(func(s *Secret) { s.DataKeys = []string{"password"} }), decode.ErrValue},
		{"name that can be none", strings.Replace(stored.SecretJSON, `"db"`, `"d b"`, 1), with(func(s *Secret) { s.Name = "" }), decode.ErrValue},
		{"json, datum is a number", strings.Replace(stored.SecretJSON, `"cm9vdA=="`, `7`, 1), with(func(s *Secret) { s.DataKeys = nil }), decode.ErrValue},
		{"cbor", "\xd9\xd9\xf7\xa2\x44kind\x46Secret\x44data\xa2\x41a\xd6\x41x\x41b\xf6", Secret{Meta: Meta{TypeMeta: TypeMeta{"", "Secret"}}, DataKeys: []string{"a", "b"}}, nil},
		{"cbor, datum without a tag", "\xd9\xd9\xf7\xa2\x44kind\x46Secret\x44data\xa2\x41a\xd6\x41x\x41b\x41y", Secret{Meta: Meta{TypeMeta: TypeMeta{"", "Secret"}}}, decode.ErrValue},
		{"cbor, key of text", "\xd9\xd9\xf7\xa2\x44kind\x46Secret\x44data\xa2\x41a\xd6\x41x\x61b\xd6\x41y", Secret{Meta: Meta{TypeMeta: TypeMeta{"", "Secret"}}}, decode.ErrValue},
		{"another kind", strings.Replace(stored.SecretJSON, "Secret", "SECRET", 1), with(func(s *Secret) { s.Kind = "SECRET" }), decode.ErrValue},
		{"no kind", "{}", Secret{}, decode.ErrValue},
		{"text", "hunter2", Secret{}, decode.ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSecret([]byte(tt.value), 0x1000)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v quotes the value", err)
			}
		})
	}
}

// Cut at every byte: never more than the whole has, and an error each time.
func TestParseSecretCutAtEveryByte(t *testing.T) {
	whole := stored.SecretPB[:len(stored.SecretPB)-4] // without the two empty fields at the end
	for _, value := range []string{whole, stored.SecretJSON} {
		for n := range len(value) {
			got, err := ParseSecret([]byte(value[:n]), 0)
			if err == nil && n != len("k8s\x00")+len(stored.SecretType) { // there, all that is missing is the object
				t.Errorf("%q: no error", value[:n])
			}
			stored.CheckError(t, err, err, 0, n)
			for _, pair := range [][2]string{
				{got.Name, "db"}, {got.Namespace, "payments"}, {got.Type, "Opaque"}, {got.Kind, "Secret"},
			} {
				if pair[0] != "" && pair[0] != pair[1] {
					t.Errorf("%q: %q, want %q", value[:n], pair[0], pair[1])
				}
			}
		}
	}
}

func TestParseMetaTimes(t *testing.T) {
	for in, want := range map[string]time.Time{
		`"2024-02-29T12:00:00Z"`:      time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		`"2024-02-29T12:00:00+02:00"`: time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC),
		`"2024-02-29T12:00:00.9Z"`:    time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		`null`:                        {},
		`"9999-12-31T23:59:59-01:00"`: {}, // year 10000 in UTC
	} {
		got, err := ParseMeta([]byte(`{"metadata":{"creationTimestamp":`+in+`}}`), 0)
		if err != nil || !got.CreationTimestamp.Equal(want) || got.CreationTimestamp.Location() != time.UTC {
			t.Errorf("%s: %v, %v, want %v", in, got.CreationTimestamp, err, want)
		}
	}
	for in, want := range map[string]time.Time{
		"": {}, "\x08\x00": time.Unix(0, 0).UTC(),
		"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f":     {}, // the largest
		"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01": {}, // the smallest
	} {
		got, err := ParseMeta([]byte("k8s\x00"+pb(1, "")+pb(2, pb(1, pb(8, in)))), 0)
		if err != nil || got.CreationTimestamp != want {
			t.Errorf("%x: %v, %v, want %v", in, got.CreationTimestamp, err, want)
		}
	}
}

func TestParseCRD(t *testing.T) {
	spec := `{"group":"lab.example.com","scope":"Namespaced","names":{"plural":"vaults","kind":"Vault"},"versions":[{"name":"v1","schema":{}}]}`
	value := `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":` + spec + `}`
	pbSpec := pb(1, "lab.example.com") + pb(3, pb(1, "vaults")+pb(4, "Vault")) + pb(4, "Cluster") + pb(7, "schema")
	pbValue := "k8s\x00" + pb(1, pb(2, "CustomResourceDefinition")) + pb(2, pb(1, "metadata")+pb(2, pbSpec))
	want := CRD{Group: "lab.example.com", Plural: "vaults", Kind: "Vault", Namespaced: true}
	with := func(change func(*CRD)) CRD {
		c := want
		change(&c)
		return c
	}
	tests := []struct {
		name  string
		value string
		want  CRD
		err   error
	}{
		{"json", value, want, nil},
		{"json, cluster", strings.Replace(value, "Namespaced", "Cluster", 1), with(func(c *CRD) { c.Namespaced = false }), nil},
		{"protobuf", pbValue, with(func(c *CRD) { c.Namespaced = false }), nil},
		{"protobuf, cut in the schema", pbValue[:len(pbValue)-3], CRD{}, decode.ErrTruncated},
		{"another scope", strings.Replace(value, "Namespaced", "namespaced", 1), with(func(c *CRD) { c.Namespaced = false }), decode.ErrValue},
		{"no plural", strings.Replace(value, "plural", "Plural", 1), with(func(c *CRD) { c.Plural = "" }), decode.ErrValue},
		{"spec of another type", strings.Replace(value, spec, "[]", 1), CRD{}, decode.ErrValue},
		{"no spec", strings.Replace(value, `"spec"`, `"Spec"`, 1), CRD{}, decode.ErrValue},
		{"another kind", strings.Replace(value, "CustomResourceDefinition", "Secret", 1), want, decode.ErrValue},
		{"text", "hunter2", CRD{}, decode.ErrMagic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCRD([]byte(tt.value), 0x1000)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.value))
		})
	}
}

// checkParsers tells what holds for any value: no panic, errors that have a
// place in the value and hold none of its bytes, results that do not alias it,
// and the same again from a second reading.
func checkParsers(t testing.TB, value []byte) {
	t.Helper()
	parse := func(v []byte) string {
		typ, err1 := ParseType(v, 3)
		m, err2 := ParseMeta(v, 3)
		s, err3 := ParseSecret(v, 3)
		c, err4 := ParseCRD(v, 3)
		n, err5 := ParseName(v, 3)
		for _, err := range []error{err1, err2, err3, err4, err5} {
			stored.CheckError(t, err, err, 3, len(v))
		}
		if err3 == nil && (err2 != nil || !cmp.Equal(s.Meta, m)) {
			t.Fatalf("ParseSecret %+v, ParseMeta %+v, %v", s, m, err2)
		}
		if err2 == nil && (err5 != nil || n != Name{m.TypeMeta, m.Namespace, m.Name}) {
			t.Fatalf("ParseName %+v, %v, ParseMeta %+v", n, err5, m)
		}
		return fmt.Sprintf("%+v %v %+v %v %+v %v %+v %v %+v %v", typ, err1, m, err2, s, err3, c, err4, n, err5)
	}
	mine := bytes.Clone(value)
	first := parse(mine)
	m, _ := ParseMeta(mine, 0)
	s, _ := ParseSecret(mine, 0)
	c, _ := ParseCRD(mine, 0)
	before := fmt.Sprint(m, s, c)
	for i := range mine {
		mine[i] ^= 0xff
	}
	if after := fmt.Sprint(m, s, c); after != before {
		t.Fatalf("%s turned into %s with the value", before, after)
	}
	if again := parse(value); again != first {
		t.Fatalf("first %s\nagain %s", first, again)
	}
}

func TestParseAnything(t *testing.T) {
	starts := rapid.SampledFrom([]string{"", "k8s\x00", "{", `{"metadata":`, "\xd9\xd9\xf7", "\xd9\xd9\xf7\xa1", stored.SecretPB, stored.SecretJSON})
	rapid.Check(t, func(rt *rapid.T) {
		value := append([]byte(starts.Draw(rt, "start")), rapid.SliceOf(rapid.Byte()).Draw(rt, "rest")...)
		for range rapid.IntRange(0, 3).Draw(rt, "damages") {
			if len(value) > 0 {
				value[rapid.IntRange(0, len(value)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "by")
			}
		}
		checkParsers(t, value)
	})
}

// No byte of a Secret's data leaves ParseSecret, nor does that of its other
// texts, whatever one byte of the value becomes, and wherever the value is cut.
func TestParseSecretKeepsTheData(t *testing.T) {
	const datum = "hunter2-hunter2-hunter2" // could be a name, which is the worst it can be
	encoded := base64.StdEncoding.EncodeToString([]byte(datum))
	o := metav1.ObjectMeta{
		Name: "db", Namespace: "payments", UID: "u-1",
		Labels: map[string]string{"label": datum}, Annotations: map[string]string{"last-applied": datum},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Update"}},
	}
	secret := &corev1.Secret{ObjectMeta: o, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"password": []byte(datum), "user": []byte(datum)}}
	values := stored.Encodings(t, scheme.Scheme, corev1.SchemeGroupVersion, secret)
	values["json, of another type"] = []byte(`{"kind":"Secret","data":"` + datum + `","metadata":"` + datum + `","immutable":"` + datum + `"}`)
	// The kind lies two levels deep, because a string at its place that looks like a kind is one.
	values["json, inside out"] = []byte(`{"kind":[["` + datum + `"]],"type":{"k":"` + datum + `"},"metadata":{"creationTimestamp":"` + datum + `","managedFields":"` + datum + `"}}`)
	check := func(name string, value []byte) {
		s, err := ParseSecret(value, 0)
		m, err2 := ParseMeta(value, 0)
		typ, err3 := ParseType(value, 0)
		said := fmt.Sprintf("%+v %v %+v %v %+v %v", s, err, m, err2, typ, err3)
		if strings.Contains(said, datum[:7]) || strings.Contains(said, encoded[:7]) {
			t.Fatalf("%s: %q: %s", name, value, said)
		}
	}
	for name, value := range values {
		for at := range value {
			check(name, value[:at])
			was := value[at]
			for by := range 256 {
				// JSON is framed by few bytes, and slow.
				if value[0] == '{' && !strings.ContainsRune("{}[]:,\"\\ a0\x00", rune(by)) {
					continue
				}
				value[at] = byte(by)
				check(name, value)
			}
			value[at] = was
		}
		check(name, value)
	}
}
