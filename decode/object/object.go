// Package object tells what a plaintext value says of itself: its type, its metadata,
// the keys of a Secret, the scope of a custom resource. Data of a Secret comes out of ParseSecretData and
// ParseManifest alone, whose callers must not let it out; and errors hold no bytes of a
// value.
package object

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode"
)

// The encodings of a stored object, told by its first bytes.
//
//	k8s 0x00                   protobuf, a runtime.Unknown around the object
//	{ (white space before it)  JSON
//	0xd9 0xd9 0xf7             CBOR
//
// Source: pkg/runtime/serializer/{protobuf,json,cbor} in k8s.io/apimachinery v0.37.2.
var (
	protobufMagic = []byte("k8s\x00")
	cborMagic     = []byte("\xd9\xd9\xf7")
)

func isJSON(value []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{"))
}

// A TypeMeta says what an object is.
type TypeMeta struct {
	APIVersion string // "v1", "apps/v1"
	Kind       string // "Secret"
}

// ParseType reads the type of the object in value, which starts at file offset
// off, and no more than it has to: it may find nothing wrong with a value whose
// rest is damaged. Its error is a *decode.FormatError, ErrMagic for a value of
// no known encoding, ErrValue for a text that can be no type. The TypeMeta then
// holds what could be read. It does not alias value, like everything that this
// package returns but for the data of a Secret.
func ParseType(value []byte, off int64) (TypeMeta, error) {
	t, err := parseType(value, off)
	t.check(off, &err)
	return t, err
}

func parseType(value []byte, off int64) (TypeMeta, error) {
	if bytes.HasPrefix(value, protobufMagic) {
		return parseUnknownType(value, off)
	}
	doc, err := parseDocument(value, off, untilFound, "apiVersion", "kind")
	return doc.typeMeta(&err), err
}

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
