package kubename

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, tt := range []struct {
		what       string
		is         func(string) bool
		good, none []string
	}{
		{"apiVersion", IsAPIVersion, []string{"v1", "apps/v1", "lab.example.com/v1alpha1", long(64) + ".example.com/v1"},
			[]string{"", "/", "/v1", "apps/", "apps/v1/x", "Apps/v1", "v1\n", long(64), "apps/" + long(64), long(254) + "/v1"}},
		{"subdomain", IsSubdomain, []string{"a", "db-1", "lab.example.com", long(64) + ".com", long(253)},
			[]string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "A", "a_b", "é", long(254)}},
		{"label", IsLabel[string], []string{"a", "0", "db-1", "a--b", long(63)},
			[]string{"", "-", "-a", "a-", "a.b", "A", "a_b", "a\x00", long(64)}},
		{"kind", IsKind, []string{"Secret", "secret", "V1", "My-Kind", "a--b", long(63)},
			[]string{"", "1Secret", "-Kind", "Kind-", "-", "My_Kind", "A b", "É", long(64)}},
		{"segment", IsSegment, []string{"db", "system:node-Proxier", "a b", "é", "...", long(300)},
			[]string{"", ".", "..", "a/b", "50%", "a\n", "\xff", "\ufffd"}},
		{"printable", IsPrintable, []string{"", "a b", "é日本"}, []string{"\x00", "a\x7f", "\u202e", "\xff", "\ufffd"}},
	} {
		for _, s := range tt.good {
			if !tt.is(s) {
				t.Errorf("%s: %.80q is refused", tt.what, s)
			}
		}
		for _, s := range tt.none {
			if tt.is(s) {
				t.Errorf("%s: %.80q is taken", tt.what, s)
			}
		}
	}
}

// What Kubernetes takes, and nothing else, is a label and a subdomain; of the names that it
// takes, a segment is what can be printed.
func TestNamesOfKubernetes(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[a-zA0-9._/-]{0,8}`), rapid.StringMatching(`[a-z-]{60,66}(\.[a-z]{1,70}){0,3}`), rapid.String())
	rapid.Check(t, func(r *rapid.T) {
		s := text.Draw(r, "text")
		if got, want := IsLabel(s), len(validation.IsDNS1123Label(s)) == 0; got != want || IsLabel([]byte(s)) != want {
			r.Errorf("label %q: %v, want %v", s, got, want)
		}
		if got, want := IsSubdomain(s), len(validation.IsDNS1123Subdomain(s)) == 0; got != want {
			r.Errorf("subdomain %q: %v, want %v", s, got, want)
		}
		if got, want := IsSegment(s), s != "" && len(content.IsPathSegmentName(s)) == 0 && IsPrintable(s); got != want {
			r.Errorf("segment %q: %v, want %v", s, got, want)
		}
	})
}
