package object

import (
	"errors"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// A value full of empty entries, which take a
// hundred times the memory that they take in the file, is refused before that.
func TestEntriesLimit(t *testing.T) {
	const size = 2 << 20
	fill := func(entry string) string { return strings.Repeat(entry, size/len(entry)) }
	secret := func(body string) []byte {
		return []byte("k8s\x00" + pb(1, pb(1, "v1")+pb(2, "Secret")) + pb(2, body))
	}
	inJSON := func(field string) []byte {
		return []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","` + field + `":[` + fill("{},") + `{}]}}`)
	}
	for name, value := range map[string][]byte{
		"labels":                secret(pb(1, fill("\x5a\x00"))),
		"ownerReferences":       secret(pb(1, fill("\x6a\x00"))),
		"finalizers":            secret(pb(1, fill("\x72\x00"))),
		"managedFields":         secret(pb(1, fill("\x8a\x01\x00"))),
		"metadata again":        secret(fill(pb(1, "\x8a\x01\x00"))),
		"data":                  secret(pb(1, "") + fill("\x12\x00")),
		"managedFields in JSON": inJSON("managedFields"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSecret(value, 0)
			if !errors.Is(err, decode.ErrLimit) {
				t.Errorf("error %v, want %v", err, decode.ErrLimit)
			}
			alloc.Bound{Fixed: 16 << 20, PerByte: 8}.Check(t, len(value), func() { _, _ = ParseSecret(value, 0) })
		})
	}
	for name, value := range map[string][]byte{
		"ownerReferences in JSON": inJSON("ownerReferences"),
		"data in JSON":            []byte(`{"apiVersion":"v1","kind":"Secret","data":{` + fill(`"":"",`) + `"":""}}`),
		"nested JSON":             []byte(`{"apiVersion":"v1","kind":"Secret","x":` + fill("[") + `}`),
		"CBOR":                    []byte("\xd9\xd9\xf7\xa2\x44kind\x46Secret\x41a\x9a\x00\x20\x00\x00" + fill("\xa0")),
		"versions of a CRD":       []byte("k8s\x00" + pb(1, pb(1, "apiextensions.k8s.io/v1")+pb(2, "CustomResourceDefinition")) + pb(2, pb(2, fill("\x3a\x00")))),
	} {
		t.Run(name, func(t *testing.T) {
			alloc.Bound{Fixed: 1 << 20, PerByte: 16}.Check(t, len(value), func() {
				_, _ = ParseSecret(value, 0)
				_, _ = ParseCRD(value, 0)
			})
		})
	}
	// What an object may have is read.
	value := secret(pb(1, pb(1, "db")+strings.Repeat(pb(17, pb(1, "kubectl")), maxEntries-1)) + strings.Repeat(pb(2, pb(1, "a")), maxData))
	if s, err := ParseSecret(value, 0); err != nil || len(s.Managers) != maxEntries-1 || s.Name != "db" || len(s.DataKeys) != 1 {
		t.Errorf("%d managers, %d names of data, %v", len(s.Managers), len(s.DataKeys), err)
	}
}
