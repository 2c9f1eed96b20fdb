// Package object tells what a plaintext value says of itself: its type, its metadata, the
// keys of a Secret, the scope of a custom resource. Package manifest has the rest. Only
// ParseSecretData and ParseContents return data of a Secret, and their callers must not let
// it out. Errors hold no bytes of a value.
//
// An object is stored in one of three encodings. Its first bytes tell which:
//
//	k8s 0x00                   protobuf, a runtime.Unknown around the object
//	{ (white space before it)  JSON
//	0xd9 0xd9 0xf7             CBOR
package object

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/document"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
)

// A TypeMeta says what an object is.
type TypeMeta struct {
	APIVersion string // "v1", "apps/v1"
	Kind       string // "Secret"
}

func protobufType(u *unknown.Object) TypeMeta { return TypeMeta{u.APIVersion, u.Kind} }

func documentType(doc *document.Document, err *error) TypeMeta {
	var t TypeMeta
	doc.Get("apiVersion", &t.APIVersion, err)
	doc.Get("kind", &t.Kind, err)
	return t
}

// ParseType reads the type of the object in value, which starts at file offset off, and no
// more than it has to: it may find nothing wrong with a value that is damaged further on. Its
// error is a *decode.FormatError, ErrMagic for a value of no known encoding, ErrValue for a
// text that can be no type. The TypeMeta then holds what could be read. It does not alias
// value; in this package only the data of a Secret do.
func ParseType(value []byte, off int64) (TypeMeta, error) {
	t, err := parseType(value, off)
	t.check(off, &err)
	return t, err
}

func parseType(value []byte, off int64) (TypeMeta, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.ParseType(value, off)
		return protobufType(&u), err
	}
	doc, err := document.Parse(value, off, document.UntilFound, "apiVersion", "kind")
	return documentType(&doc, &err), err
}

// CheckType is ParseType for a value that is whole: it reads it to its end, so its error is also that of
// a value that is cut, or has something behind the object.
func CheckType(value []byte, off int64) (TypeMeta, error) {
	t, err := checkType(value, off)
	t.check(off, &err)
	return t, err
}

func checkType(value []byte, off int64) (TypeMeta, error) {
	if bytes.HasPrefix(value, unknown.Magic) {
		u, err := unknown.Parse(value, off)
		return protobufType(&u), err
	}
	doc, err := document.Parse(value, off, document.ToTheEnd, "apiVersion", "kind")
	return documentType(&doc, &err), err
}

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
