package object

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
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
		f, err := nextField(value[pos:])
		at := off + int64(pos)
		if err != nil && f.num != 2 {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
		pos += f.size
		switch {
		case f.is(1, protowire.BytesType):
			var typeErr error
			u.TypeMeta, typeErr = parseTypeMeta(f.bytes)
			if typeErr != nil {
				return u, formatError(at, "object, TypeMeta", typeErr)
			}
		case f.is(2, protowire.BytesType):
			u.raw, u.rawOff = f.bytes, at+int64(f.size-len(f.bytes))
		}
		if err != nil {
			return u, formatError(at, "object, runtime.Unknown", err)
		}
	}
	return u, nil
}

// parseUnknownType reads as far as the TypeMeta, which is the first field.
func parseUnknownType(value []byte, off int64) (TypeMeta, error) {
	f, err := nextField(value[len(protobufMagic):])
	if err == nil && f.is(1, protowire.BytesType) {
		t, err := parseTypeMeta(f.bytes)
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
	err := eachField(b, func(f field) error {
		switch {
		case f.is(1, protowire.BytesType):
			t.APIVersion = string(f.bytes)
		case f.is(2, protowire.BytesType):
			t.Kind = string(f.bytes)
		}
		return nil
	})
	return t, err
}

// A field is one field of a protobuf message.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	size   int    // with its tag
	bytes  []byte // of a BytesType; aliases the message
	varint uint64 // of a VarintType
}

func (f *field) is(num protowire.Number, typ protowire.Type) bool {
	return f.num == num && f.typ == typ
}

// nextField reads the field at the start of b. Its error is decode.ErrTruncated
// or decode.ErrValue. Of a BytesType that is cut, the field is filled in with
// what is left.
func nextField(b []byte) (field, error) {
	num, typ, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return field{}, protobufCause(tag)
	}
	f := field{num: num, typ: typ}
	if typ != protowire.BytesType {
		n := protowire.ConsumeFieldValue(num, typ, b[tag:])
		if n < 0 {
			return field{}, protobufCause(n)
		}
		if typ == protowire.VarintType {
			f.varint, _ = protowire.ConsumeVarint(b[tag:])
		}
		f.size = tag + n
		return f, nil
	}
	length, n := protowire.ConsumeVarint(b[tag:])
	if n < 0 {
		return field{}, protobufCause(n)
	}
	rest := b[tag+n:]
	if length > uint64(len(rest)) {
		f.size, f.bytes = len(b), rest
		return f, decode.ErrTruncated
	}
	f.bytes = rest[:length:length]
	f.size = tag + n + len(f.bytes)
	return f, nil
}

// eachField calls f with each field of a message. It ends at the first error,
// f's or its own.
func eachField(message []byte, f func(field) error) error {
	for len(message) > 0 {
		fd, err := nextField(message)
		if err != nil {
			return err
		}
		message = message[fd.size:]
		if err := f(fd); err != nil {
			return err
		}
	}
	return nil
}

func protobufCause(code int) error {
	if errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		return decode.ErrTruncated
	}
	return decode.ErrValue
}

// libraryCause names the cause in an error of a library's decoder. The text of
// such an error is dropped: it may quote the value.
func libraryCause(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return decode.ErrTruncated
	}
	return decode.ErrValue
}
