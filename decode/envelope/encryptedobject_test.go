package envelope

import (
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/forged"
	"github.com/etcdsift/etcdsift/fixtures/stored"
)

// Each limit of the API server, at it and one past it. That the API server
// agrees is compared, too.
func TestParseEncryptedObject(t *testing.T) {
	data, id, dek := forged.Field(1, strings.Repeat("d", 60)), forged.Field(2, "kek"), forged.Field(3, "dek")
	annotation := func(name, value string) string { return forged.Field(4, forged.Field(1, name)+forged.Field(2, value)) }
	a := strings.Repeat("a", 63)
	tests := []struct {
		name    string
		message string
		err     error
	}{
		{"key", data + id + dek, nil},
		{"key, said so", data + id + dek + "\x28\x00", nil},
		{"seed", data + id + dek + "\x28\x01", nil},
		{"unknown source", data + id + dek + "\x28\x02", decode.ErrUnknown},
		{"negative source", data + id + dek + "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", decode.ErrUnknown},
		{"source beyond 32 bits", data + id + dek + "\x28\x81\x80\x80\x80\x10", nil},
		{"source as bytes", data + id + dek + "\x2a\x01\x02", nil},
		{"data at the least, key", forged.Field(1, strings.Repeat("d", 28)) + id + dek, nil},
		{"data too short, key", forged.Field(1, strings.Repeat("d", 27)) + id + dek, decode.ErrTruncated},
		{"data too short, seed", forged.Field(1, strings.Repeat("d", 59)) + id + dek + "\x28\x01", decode.ErrTruncated},
		{"no data", id + dek, decode.ErrValue},
		{"empty data", forged.Field(1, "") + id + dek, decode.ErrValue},
		{"no keyID", data + dek, decode.ErrValue},
		{"longest keyID", data + dek + forged.Field(2, strings.Repeat("k", 1024)), nil},
		{"keyID too long", data + dek + forged.Field(2, strings.Repeat("k", 1025)), decode.ErrValue},
		{"keyID not UTF-8", data + dek + forged.Field(2, "\xff"), decode.ErrValue},
		{"last keyID counts", data + dek + id + forged.Field(2, ""), decode.ErrValue},
		{"no source", data + id, decode.ErrValue},
		{"longest source", data + id + forged.Field(3, strings.Repeat("k", 1024)), nil},
		{"source too long", data + id + forged.Field(3, strings.Repeat("k", 1025)), decode.ErrValue},
		{"annotation", data + id + dek + annotation("a.b", "x"), nil},
		{"annotation, dot at the end", data + id + dek + annotation("a.b.", ""), nil},
		{"annotation, one label", data + id + dek + annotation("localhost", "x"), decode.ErrValue},
		{"annotation, no name", data + id + dek + annotation("", "x"), decode.ErrValue},
		{"annotation, only a dot", data + id + dek + annotation(".", "x"), decode.ErrValue},
		{"annotation, two dots", data + id + dek + annotation("a..b", "x"), decode.ErrValue},
		{"annotation, hyphen at an end", data + id + dek + annotation("a.-b", "x"), decode.ErrValue},
		{"annotation, upper case", data + id + dek + annotation("A.b", "x"), decode.ErrValue},
		{"annotation, longest label", data + id + dek + annotation(a+".b", "x"), nil},
		{"annotation, label too long", data + id + dek + annotation(a+"a.b", "x"), decode.ErrValue},
		{"annotation, longest name", data + id + dek + annotation(a+"."+a+"."+a+"."+a[:61], "x"), nil},
		{"annotation, name too long", data + id + dek + annotation(a+"."+a+"."+a+"."+a[:62], "x"), decode.ErrValue},
		{"annotation, not UTF-8", data + id + dek + annotation("a.b\xff", "x"), decode.ErrValue},
		{"annotation, first name not UTF-8", data + id + dek + forged.Field(4, forged.Field(1, "\xff")+forged.Field(1, "a.b")), decode.ErrValue},
		{"annotation, cut", data + id + dek + forged.Field(4, "\x0a\x05a.b"), decode.ErrTruncated},
		{"most annotations", data + id + dek + annotation("a.b", strings.Repeat("x", 32<<10-3)), nil},
		{"too many annotations", data + id + dek + annotation("a.b", strings.Repeat("x", 32<<10-6)) + annotation("a.c", "x"), decode.ErrValue},
		{"unknown fields", data + "\x31" + "12345678" + id + "\x35" + "1234" + dek + "\x3b\x3c" + "\x40\x05", nil},
		{"field number 0", data + id + dek + "\x02\x00", decode.ErrValue},
		{"field number 2^29", data + id + dek + "\x80\x80\x80\x80\x10\x01", decode.ErrValue},
		{"wire type 6", data + id + dek + "\x0e", decode.ErrValue},
		{"group that does not end", data + id + dek + "\x3b", decode.ErrTruncated},
		{"end without a group", data + id + dek + "\x3c", decode.ErrValue},
		{"length past the end", data + id + dek + "\x12\x7f", decode.ErrTruncated},
		{"huge length", data + id + "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", decode.ErrTruncated},
		{"tag cut", data + id + dek + "\x80", decode.ErrTruncated},
		{"empty", "", decode.ErrValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := ParseEncryptedObject([]byte(tt.message), 0x1000)
			stored.CheckError(t, err, tt.err, 0x1000, len(tt.message))
			compareObject(t, []byte(tt.message), o, err)
		})
	}
}

func TestAnnotationsStop(t *testing.T) {
	o := EncryptedObject{Raw: []byte(forged.Field(1, "x") + forged.Field(4, forged.Field(1, "a.b")) + forged.Field(4, forged.Field(1, "c.d")) + "\xff")}
	for range 2 {
		var names []string
		for name := range o.Annotations() {
			names = append(names, string(name))
		}
		if got := strings.Join(names, " "); got != "a.b c.d" {
			t.Errorf("annotations %q", got)
		}
	}
	for name := range o.Annotations() {
		if string(name) != "a.b" {
			t.Errorf("%q after the loop has ended", name)
		}
		break
	}
}
