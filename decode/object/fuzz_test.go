package object

import (
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// An object costs what it takes to decode it: the types that are generated for protobuf
// have fields for all that there may be, a list of them in a byte or two, and a map in JSON
// is some hundred bytes where the text has three.
var objectBound = alloc.Bound{Fixed: 64 << 10, PerByte: 512}

func FuzzParseSecretData(f *testing.F) {
	stored.Seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		data, whole, err := ParseSecretData(value, 3)
		stored.CheckError(t, err, err, 3, len(value))
		if whole != (err == nil) {
			t.Fatalf("whole is %v with error %v", whole, err)
		}
		objectBound.Check(t, len(value), func() { _, _, _ = ParseSecretData(value, 3) })
		var names []string
		size := 0
		for _, d := range data {
			names = append(names, d.Name)
			size += len(d.Value)
		}
		if size > 3*len(value) { // in JSON, a byte that is not UTF-8 becomes three
			t.Fatalf("%d bytes of data from %d", size, len(value))
		}
		s, secretErr := ParseSecret(value, 3)
		if err == nil && secretErr == nil && !cmp.Equal(names, s.DataKeys) {
			t.Fatalf("ParseSecretData has %q, ParseSecret %q", names, s.DataKeys)
		}
	})
}

// One pass tells what two tell, whatever the value.
func FuzzParseContents(f *testing.F) {
	stored.Seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		if diff := cmp.Diff(contentsTwice(value), ParseContents(value, 7)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		objectBound.Check(t, len(value), func() { _ = ParseContents(value, 7) })
	})
}

func FuzzParseMeta(f *testing.F) {
	stored.Seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		checkParsers(t, value)
		objectBound.Check(t, len(value), func() { _, _ = ParseMeta(value, 0) })
	})
}

func FuzzParseSecret(f *testing.F) {
	stored.Seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := ParseSecret(value, 0)
		stored.CheckError(t, err, err, 0, len(value))
		objectBound.Check(t, len(value), func() { _, _ = ParseSecret(value, 0) })
		size := 0
		for _, k := range s.DataKeys {
			size += len(k)
		}
		// JSON escapes shrink; a byte that is not UTF-8 becomes three.
		if size > 3*len(value) || len(s.DataKeys) > len(value) {
			t.Fatalf("%d bytes of keys from %d", size, len(value))
		}
		if err == nil && s.Kind != "Secret" {
			t.Fatalf("kind %q", s.Kind)
		}
	})
}

func FuzzParseCRD(f *testing.F) {
	stored.Seed(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := ParseCRD(value, 0)
		stored.CheckError(t, err, err, 0, len(value))
		objectBound.Check(t, len(value), func() { _, _ = ParseCRD(value, 0) })
		if err == nil && (c.Group == "" || c.Plural == "") {
			t.Fatalf("%+v without an error", c)
		}
		if err == nil && utf8.Valid(value) {
			r := resource.NewRegistry(resource.DefaultPrefixes)
			r.LearnScope(resource.GroupResource{Group: c.Group, Resource: c.Plural}, c.Namespaced)
			r.Identify("/registry/" + c.Group + "/" + c.Plural + "/a/b")
		}
	})
}
