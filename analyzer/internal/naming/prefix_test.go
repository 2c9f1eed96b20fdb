package naming

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A prefix shows in keys that name a built-in resource, and whose values may be Kubernetes'.
func TestFindPrefixes(t *testing.T) {
	sealed, pod, text := forged.Sealed("aescbc:v1:key1", "x"), jsonObject("v1", "Pod", "p"), []byte("text")
	tests := []struct {
		name string
		keys map[string][]byte
		want []string
	}{
		{"none", nil, nil},
		{"the usual one", map[string][]byte{"/registry/secrets/a/b": sealed}, []string{"/registry"}},
		{"the usual one of an unknown resource", map[string][]byte{"/registry/example.com/things/a/b": text}, []string{"/registry"}},
		{"one below it", map[string][]byte{"/registry/cluster-a/secrets/a/b": sealed}, []string{"/registry/cluster-a"}},
		{"below it of cluster scope: a namespace may be called like a resource", map[string][]byte{"/registry/example.com/nodes/a": pod},
			[]string{"/registry"}},
		{"another one", map[string][]byte{"/k8s/lab/secrets/a/b": sealed}, []string{"/k8s/lab"}},
		{"several, in order", map[string][]byte{"/b/secrets/a/b": sealed, "/a/pods/a/b": pod}, []string{"/a", "/b"}},
		{"a value that is no object", map[string][]byte{"/b/secrets/a/b": text}, nil},
		{"no resource", map[string][]byte{"/b/things/a/b": pod}, nil},
	}
	for _, tt := range tests {
		tb := newTable(t)
		for key, value := range tt.keys {
			tb.put(key, 5, value)
		}
		if got, _, _ := findPrefixes(tb.evidence()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A deleted key shows no prefix.
func TestPrefixOfDeleted(t *testing.T) {
	tb := newTable(t).put("/b/secrets/a/b", 5, forged.Sealed("aescbc:v1:key1", "x"))
	tb.ev.Keys.At(1).Deleted = true
	if got, _, _ := findPrefixes(tb.evidence()); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// Of more prefixes than are taken those with most keys count, and it is said how many do not.
func TestMostPrefixes(t *testing.T) {
	tb := newTable(t)
	for i := range MaxPrefixes + 5 {
		for n := range 1 + min(i, 1) { // two keys under each but the first
			tb.put(fmt.Sprintf("/p%02d/secrets/a/%d", i, n), 5, forged.Sealed("aescbc:v1:key1", "x"))
		}
	}
	got, _, more := findPrefixes(tb.evidence())
	if len(got) != MaxPrefixes || got[0] != "/p01" {
		t.Errorf("%q", got)
	}
	if more != 5 {
		t.Errorf("%d more, want 5", more)
	}
	ev := tb.evidence()
	if err := Learn(t.Context(), ev, nil); err != nil {
		t.Fatal(err)
	}
	if n := ev.NotExamined; len(n) != 1 || !n[0].Unread || !strings.Contains(n[0].What, "keys under 5 more prefixes") {
		t.Errorf("%+v", n)
	}
}
