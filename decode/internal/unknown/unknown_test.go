package unknown

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

// value is what the API server's type makes of an object.
func value(t interface{ Fatal(...any) }, apiVersion, kind string, raw []byte) []byte {
	u := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: raw}
	b, err := u.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(Magic), b...)
}

// What the API server's type writes is read, by its length and without it, and a part of it
// is never whole.
func TestParse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		apiVersion := rapid.SampledFrom([]string{"v1", "apps/v1", strings.Repeat("g", 64) + ".example.com/v1"}).Draw(r, "apiVersion")
		kind := rapid.StringMatching("[A-Z][a-z]{0,20}").Draw(r, "kind")
		raw := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(r, "raw")
		b := value(r, apiVersion, kind, raw)
		at := len(b) - len("\x1a\x00\x22\x00") - len(raw)
		got, err := Parse(b, 7)
		if diff := cmp.Diff(Object{apiVersion, kind, raw, 7 + int64(at)}, got); diff != "" || err != nil {
			r.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		typ, err := ParseType(b, 7)
		if typ.APIVersion != apiVersion || typ.Kind != kind || err != nil {
			r.Fatalf("type %+v, %v", typ, err)
		}
		behind := rapid.SliceOf(rapid.Byte()).Draw(r, "behind")
		start, ok := ParseStart(append(bytes.Clone(b), behind...))
		if diff := cmp.Diff(Start{apiVersion, kind, raw, len(b), true}, start); diff != "" || !ok {
			r.Fatalf("start, %v (-want +got):\n%s", ok, diff)
		}
		cut := rapid.IntRange(len(Magic), len(b)-1).Draw(r, "cut")
		if start, ok := ParseStart(b[:cut]); ok && (start.Whole || start.Size != cut && start.Size != at+len(raw)) {
			r.Fatalf("cut at %d of %d: %+v", cut, len(b), start)
		}
		if part, err := Parse(b[:cut], 7); err == nil && cut < at+len(raw) && len(part.Raw) > 0 {
			r.Fatalf("cut at %d of %d: %+v without an error", cut, len(b), part)
		}
	})
}

func TestParseStartIsStrict(t *testing.T) {
	good := string(value(t, "v1", "Secret", []byte("x")))
	for name, b := range map[string]string{
		"no type":                    "k8s\x00\x12\x01x\x1a\x00\x22\x00",
		"a kind that can be none":    strings.Replace(good, "Secret", "Secre\x00", 1),
		"a version that can be none": strings.Replace(good, "v1", "V1", 1),
		"a length of two bytes":      strings.Replace(good, "\x02v1", "\x82\x00v1", 1),
		"no object":                  strings.Replace(good, "\x12\x01x", "\x52\x01x", 1) + strings.Repeat("x", 20),
	} {
		if start, ok := ParseStart([]byte(b)); ok {
			t.Errorf("%s: %+v", name, start)
		}
	}
}

func TestParseErrors(t *testing.T) {
	good := string(value(t, "v1", "Secret", []byte("abc")))
	for _, tt := range []struct {
		name string
		b    string
		raw  string
		err  error
	}{
		{"nothing", "k8s\x00", "", decode.ErrTruncated},
		{"cut in the object", good[:strings.Index(good, "bc")], "a", decode.ErrTruncated},
		{"damage in the type", "k8s\x00\x0a\x01\x00\x12\x01x", "", decode.ErrValue},
		{"damage behind the object", "k8s\x00\x12\x01x\x00", "x", decode.ErrValue},
		{"another order", "k8s\x00\x12\x01x\x0a\x00", "x", nil},
	} {
		got, err := Parse([]byte(tt.b), 7)
		if !errors.Is(err, tt.err) || string(got.Raw) != tt.raw {
			t.Errorf("%s: %+v, error %v, want %v", tt.name, got, err, tt.err)
		}
	}
}
