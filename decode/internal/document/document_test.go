package document

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
)

func TestParse(t *testing.T) {
	const whole = `{"kind":"Secret","data":{"a":"eA=="},"Kind":"x","kind":"Pod","apiVersion":"v1"}`
	for _, tt := range []struct {
		name   string
		value  string
		depth  Depth
		fields string // those of kind and apiVersion that are there
		kind   string
		err    error
	}{
		{"JSON", whole, ToTheEnd, "apiVersion kind", "Pod", nil},
		{"JSON behind white space", "\n\t " + whole + "\n", ToTheEnd, "apiVersion kind", "Pod", nil},
		{"JSON with something behind it", whole + "x", ToTheEnd, "apiVersion kind", "Pod", decode.ErrValue},
		{"as far as it has to be read", whole + "x", UntilFound, "apiVersion kind", "Pod", nil},
		{"cut", whole[:len(whole)-5], ToTheEnd, "kind", "Pod", decode.ErrTruncated},
		{"damaged", strings.Replace(whole, `"data":`, `"data"`, 1), ToTheEnd, "kind", "Secret", decode.ErrValue},
		{"CBOR", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x4aapiVersion\x42v1", ToTheEnd, "apiVersion kind", "Pod", nil},
		{"CBOR that is cut", "\xd9\xd9\xf7\xa2\x44kind\x43Pod\x4aapiVersion", ToTheEnd, "", "", decode.ErrTruncated},
		{"protobuf", "k8s\x00", ToTheEnd, "", "", decode.ErrMagic},
		{"nothing", "", ToTheEnd, "", "", decode.ErrMagic},
	} {
		doc, err := Parse([]byte(tt.value), 7, tt.depth, "kind", "apiVersion")
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
		}
		var format *decode.FormatError
		if errors.As(err, &format) && (format.Off < 7 || format.Off > 7+int64(len(tt.value))) {
			t.Errorf("%s: error at offset %d", tt.name, format.Off)
		}
		var kind string
		var kindErr error
		doc.Get("kind", &kind, &kindErr)
		if fields := strings.Join(slices.Sorted(maps.Keys(doc.Fields)), " "); fields != tt.fields || kind != tt.kind || kindErr != nil {
			t.Errorf("%s: fields %q, kind %q, %v", tt.name, fields, kind, kindErr)
		}
	}
}

// A field of another type is an error, the first of several, and keeps none from being read.
func TestGet(t *testing.T) {
	doc, err := Parse([]byte(`{"a":1,"b":[],"c":"x"}`), 7, ToTheEnd, "a", "b", "c")
	if err != nil {
		t.Fatal(err)
	}
	var a, b, c, none string
	doc.Get("a", &a, &err)
	first := err
	doc.Get("b", &b, &err)
	doc.Get("none", &none, &err)
	doc.Get("c", &c, &err)
	if !errors.Is(err, decode.ErrValue) || err != first || a+b+none != "" || c != "x" {
		t.Errorf("%q, %q, %q, error %v, first %v", a, b, c, err, first)
	}
}
