package naming

import (
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// An object that was found without its key gets the one that it has in the evidence, or would
// have had.
func TestResolve(t *testing.T) {
	sealed := forged.Sealed("aescbc:v1:key1", "x")
	tests := []struct {
		name            string
		keys            []string
		kind            object.TypeMeta
		namespace, call string
		want            string // empty for no key
	}{
		{"a key that is there", []string{"/registry/secrets/payments/db"}, seen.SecretType, "payments", "db", "/registry/secrets/payments/db"},
		{"under another prefix", []string{"/k8s/lab/secrets/payments/db"}, seen.SecretType, "payments", "db", "/k8s/lab/secrets/payments/db"},
		{"of two prefixes the one that has it", []string{"/a/secrets/x/y", "/b/secrets/payments/db"}, seen.SecretType, "payments", "db", "/b/secrets/payments/db"},
		{"a key that is not there any more", []string{"/k8s/lab/secrets/x/y"}, seen.SecretType, "payments", "db", "/k8s/lab/secrets/payments/db"},
		{"no prefix is known", nil, seen.SecretType, "payments", "db", "/registry/secrets/payments/db"},
		{"a path that is not the plural", []string{"/registry/services/specs/a/b"}, object.TypeMeta{APIVersion: "v1", Kind: "Service"}, "a", "b", "/registry/services/specs/a/b"},
		{"a group", []string{"/registry/example.com/things/a/b"}, object.TypeMeta{APIVersion: "example.com/v1", Kind: "Thing"}, "a", "b", "/registry/example.com/things/a/b"},
		{"cluster scope", []string{"/registry/namespaces/a"}, object.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, "", "a", "/registry/namespaces/a"},
		{"no name", []string{"/registry/secrets/payments/db"}, seen.SecretType, "", "", ""},
	}
	for _, tt := range tests {
		tb := newTable(t)
		for i, key := range tt.keys {
			tb.put(key, int64(i+5), sealed)
		}
		ev := tb.learned()
		ev.Unkeyed = []seen.Unkeyed{{TypeMeta: tt.kind, Namespace: tt.namespace, Name: tt.call, Copy: seen.Copy{File: seen.DBFile, Place: seen.InPieces}}}
		Resolve(ev)
		got := ""
		if ev.Copies.Len() == 1 {
			got = ev.Copies.At(0).Key
		}
		if got != tt.want || len(ev.Unkeyed) > 0 {
			t.Errorf("%s: %q, want %q; %d are left", tt.name, got, tt.want, len(ev.Unkeyed))
		}
	}
}

// It gets the revision of the copies that have its bytes, if these are of one write.
func TestResolveDates(t *testing.T) {
	const key = "/registry/secrets/payments/db"
	value := secret(t, "payments", "db")
	for name, tt := range map[string]struct {
		revs []int64 // of the other copies
		want int64
	}{"none": {nil, 0}, "one": {[]int64{7}, 7}, "the same twice": {[]int64{7, 7}, 7}, "two writes": {[]int64{7, 8}, 0}} {
		tb := newTable(t)
		tb.put(key, 9, forged.Sealed("aescbc:v1:key1", "x"))
		for _, rev := range tt.revs {
			tb.copy(key, rev, seen.OnFreePage, value)
		}
		ev := tb.learned()
		ev.Unkeyed = []seen.Unkeyed{{TypeMeta: seen.SecretType, Namespace: "payments", Name: "db",
			Copy: seen.Copy{File: seen.DBFile, Place: seen.InPieces, Complete: true, Sum: tb.interest.Sum(value)}}}
		Resolve(ev)
		if got := ev.Copies.At(ev.Copies.Len() - 1).Rev; got != (mvcc.Revision{Main: tt.want}) {
			t.Errorf("%s: revision %v, want %d", name, got, tt.want)
		}
	}
}
