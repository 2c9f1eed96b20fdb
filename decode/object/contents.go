package object

import (
	"bytes"
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// Contents is what a Secret holds beside its metadata. Data must not get out, see Datum.
type Contents struct {
	Type     string
	DataKeys []string // as in Secret
	Data     []Datum
	Whole    bool // the Secret has no other data
}

// ParseContents reads what the Secret in value holds, as ParseSecret and ParseSecretData do;
// of a broken Secret, what it can. It leaves the metadata alone, and reads each field once in
// protobuf, which nearly all Secrets are stored in.
func ParseContents(value []byte, off int64) Contents {
	if bytes.HasPrefix(value, unknown.Magic) {
		if c, ok := parseContents(value, off); ok {
			return c
		}
	}
	s, _ := ParseSecret(value, off)
	data, whole, _ := ParseSecretData(value, off)
	return Contents{s.Type, s.DataKeys, data, whole}
}

// parseContents reads a Secret in which nothing is strange; false if something is.
func parseContents(value []byte, off int64) (c Contents, ok bool) {
	u, err := unknown.Parse(value, off)
	if err != nil || u.Kind != "Secret" || !kubename.IsAPIVersion(u.APIVersion) {
		return c, false
	}
	ok = true
	err = eachEntry(u.Raw, func(e dataEntry) {
		// stringData is never stored.
		ok = ok && !e.stringData && e.err == nil && e.name != "" && isDataKey(e.name) && len(c.Data) < maxData
		if ok {
			c.Data = append(c.Data, Datum{e.name, e.value})
		}
	}, func(f wire.Field) {
		switch {
		case !ok:
		case f.Num == 2, f.Num == 4: // of another wire type than an entry has
			ok = false
		case f.Num == 3:
			c.Type = string(f.Bytes)
			ok = f.Type == protowire.BytesType && kubename.IsPrintable(c.Type)
		}
	})
	slices.SortFunc(c.Data, func(a, b Datum) int { return cmp.Compare(a.Name, b.Name) })
	for i, d := range c.Data {
		ok = ok && (i == 0 || d.Name != c.Data[i-1].Name)
		c.DataKeys = append(c.DataKeys, d.Name)
	}
	c.Whole = true
	return c, ok && err == nil
}
