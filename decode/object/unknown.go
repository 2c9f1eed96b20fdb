package object

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// An unknown is the runtime.Unknown that wraps every object in protobuf.
//
//	field  wire
//	  1    message  TypeMeta: apiVersion 1, kind 2
//	  2    bytes    the object, a message of that type
//	  3    string   content encoding, never set
//	  4    string   content type, never set
//
// Source: pkg/runtime/generated.proto in k8s.io/apimachinery v0.37.2.
type unknown struct {
	TypeMeta
	raw    []byte // the object; aliases the value
	rawOff int64  // its file offset
}

// parseUnknown decodes a value that starts with protobufMagic. Of an object
// that is cut, raw is what is left of it, and the error wraps ErrTruncated.
func parseUnknown(value []byte, off int64) (unknown, error) {
	var u unknown
	if len(value) == len(protobufMagic) {
		return u, formatError(off+int64(len(value)), "object, runtime.Unknown", decode.ErrTruncated)
	}
	for pos := len(protobufMagic); pos < len(value); {
		f, err := wire.Next(value[pos:])
		at := off + int64(pos)
		if err != nil && f.Num != 2 {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
		pos += f.Size
		switch {
		case f.Is(1, protowire.BytesType):
			var typeErr error
			u.TypeMeta, typeErr = parseTypeMeta(f.Bytes)
			if typeErr != nil {
				return u, formatError(at, "object, TypeMeta", typeErr)
			}
		case f.Is(2, protowire.BytesType):
			u.raw, u.rawOff = f.Bytes, at+int64(f.Size-len(f.Bytes))
		}
		if err != nil {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
	}
	return u, nil
}

// parseUnknownType reads as far as the TypeMeta, which is the first field.
func parseUnknownType(value []byte, off int64) (TypeMeta, error) {
	f, err := wire.Next(value[len(protobufMagic):])
	if err == nil && f.Is(1, protowire.BytesType) {
		t, err := parseTypeMeta(f.Bytes)
		if err != nil {
			return t, formatError(off+int64(len(protobufMagic)), "object, TypeMeta", err)
		}
		return t, nil
	}
	// Another order is unusual, but protobuf.
	u, err := parseUnknown(value, off)
	return u.TypeMeta, err
}

func parseTypeMeta(b []byte) (TypeMeta, error) {
	var t TypeMeta
	err := wire.Each(b, func(f wire.Field) error {
		switch {
		case f.Is(1, protowire.BytesType):
			t.APIVersion = string(f.Bytes)
		case f.Is(2, protowire.BytesType):
			t.Kind = string(f.Bytes)
		}
		return nil
	})
	return t, err
}

// libraryCause names the cause in an error of a library's decoder. The text of
// such an error is dropped: it may quote the value.
func libraryCause(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return decode.ErrTruncated
	}
	return decode.ErrValue
}
