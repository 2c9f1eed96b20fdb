package object

import "bytes"

// Contents is what a Secret holds beside its metadata. Data must not get out, see Datum.
type Contents struct {
	Type     string
	DataKeys []string // as in Secret
	Data     []Datum
	Whole    bool // the Secret has no other data
}

// ParseContents reads what the Secret in value holds, as ParseSecret and ParseSecretData
// do, of a broken one what could be read. It leaves the metadata alone, and so takes
// half the time.
func ParseContents(value []byte, off int64) Contents {
	data, whole, _ := ParseSecretData(value, off)
	var s Secret
	var ignored error
	if bytes.HasPrefix(value, protobufMagic) {
		u, _ := parseUnknown(value, off)
		s, _ = u.secretFields()
		s.check(off, &ignored)
	} else {
		s, _ = ParseSecret(value, off)
	}
	return Contents{s.Type, s.DataKeys, data, whole}
}
