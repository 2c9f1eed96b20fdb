// Package unknown reads the runtime.Unknown that wraps every object that an API server stores
// in protobuf.
package unknown

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// Magic is what every object in protobuf starts with.
//
// Source: pkg/runtime/serializer/protobuf in k8s.io/apimachinery v0.37.2.
var Magic = []byte("k8s\x00")

// An Object is a runtime.Unknown, which stands behind Magic.
//
//	field  wire
//	  1    message  TypeMeta: apiVersion 1, kind 2
//	  2    bytes    the object, a message of that type
//	  3    string   content encoding, never set
//	  4    string   content type, never set
//
// Source: pkg/runtime/generated.proto in k8s.io/apimachinery v0.37.2.
type Object struct {
	APIVersion, Kind string // as they stand there: nothing says that they can be a type
	Raw              []byte // the object; aliases the value
	RawOff           int64  // its file offset
}

// The fields of a runtime.Unknown.
const (
	fieldTypeMeta        = 1
	fieldRaw             = 2
	fieldContentEncoding = 3
	fieldContentType     = 4
)

// The fields of a TypeMeta.
const (
	fieldAPIVersion = 1
	fieldKind       = 2
)

// Parse decodes a value that starts with Magic, at file offset off. Its error is a
// *decode.FormatError. Of an object that is cut, Raw is what is left of it, and the error
// wraps ErrTruncated.
func Parse(value []byte, off int64) (Object, error) {
	var u Object
	if len(value) == len(Magic) {
		return u, formatError(off+int64(len(value)), "object, runtime.Unknown", decode.ErrTruncated)
	}
	for pos := len(Magic); pos < len(value); {
		f, err := wire.Next(value[pos:])
		at := off + int64(pos)
		if err != nil && f.Num != fieldRaw {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
		pos += f.Size
		switch {
		case f.Is(fieldTypeMeta, protowire.BytesType):
			if err := u.setType(f.Bytes); err != nil {
				return u, formatError(at, "object, TypeMeta", err)
			}
		case f.Is(fieldRaw, protowire.BytesType):
			u.Raw, u.RawOff = f.Bytes, at+int64(f.Size-len(f.Bytes))
		}
		if err != nil {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
	}
	return u, nil
}

// ParseType is Parse as far as the TypeMeta, which is the first field: Raw may be missing.
func ParseType(value []byte, off int64) (Object, error) {
	f, err := wire.Next(value[len(Magic):])
	if err == nil && f.Is(fieldTypeMeta, protowire.BytesType) {
		var u Object
		if err := u.setType(f.Bytes); err != nil {
			return u, formatError(off+int64(len(Magic)), "object, TypeMeta", err)
		}
		return u, nil
	}
	// Another order is unusual, but protobuf.
	return Parse(value, off)
}

// setType reads a TypeMeta. One that follows another replaces it.
func (u *Object) setType(b []byte) error {
	u.APIVersion, u.Kind = "", ""
	return wire.Each(b, func(f wire.Field) error {
		switch {
		case f.Is(fieldAPIVersion, protowire.BytesType):
			u.APIVersion = string(f.Bytes)
		case f.Is(fieldKind, protowire.BytesType):
			u.Kind = string(f.Bytes)
		}
		return nil
	})
}

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
