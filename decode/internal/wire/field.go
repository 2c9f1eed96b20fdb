// Package wire reads protobuf messages field by field, without a copy and without their
// generated types, for the few places that need no more or must get along with messages that
// are cut.
package wire

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
)

// A Field is one field of a message. To protobuf, a known number with a wire type not its own
// is an unknown field, and skipped.
type Field struct {
	Num    protowire.Number
	Type   protowire.Type
	Size   int    // with its tag, in bytes
	Bytes  []byte // of a BytesType; aliases the message
	Varint uint64 // of a VarintType
}

// Is reports whether the field has that number and type.
func (f *Field) Is(num protowire.Number, typ protowire.Type) bool {
	return f.Num == num && f.Type == typ
}

// Next reads the field at the start of b, which is not empty. Its error is
// decode.ErrTruncated or decode.ErrValue. A BytesType that is cut comes with what is left.
func Next(b []byte) (Field, error) {
	num, typ, tag := protowire.ConsumeTag(b)
	switch {
	case tag < 0:
		return Field{}, cause(tag)
	case num > protowire.MaxValidNumber:
		return Field{}, decode.ErrValue
	}
	f := Field{Num: num, Type: typ}
	if typ == protowire.BytesType {
		return f.bytes(b, tag)
	}
	n := protowire.ConsumeFieldValue(num, typ, b[tag:])
	if n < 0 {
		return Field{}, cause(n)
	}
	if typ == protowire.VarintType {
		f.Varint, _ = protowire.ConsumeVarint(b[tag:])
	}
	f.Size = tag + n
	return f, nil
}

// bytes fills in the rest of a BytesType. Its tag takes tag bytes.
func (f Field) bytes(b []byte, tag int) (Field, error) {
	length, n := protowire.ConsumeVarint(b[tag:])
	if n < 0 {
		return Field{}, cause(n)
	}
	rest := b[tag+n:]
	if length > uint64(len(rest)) {
		f.Size, f.Bytes = len(b), rest[:len(rest):len(rest)]
		return f, decode.ErrTruncated
	}
	f.Bytes = rest[:length:length]
	f.Size = tag + n + len(f.Bytes)
	return f, nil
}

// Each calls f with each field of a message. It ends at the first error, of f or its own.
func Each(message []byte, f func(Field) error) error {
	for len(message) > 0 {
		field, err := Next(message)
		if err != nil {
			return err
		}
		message = message[field.Size:]
		if err := f(field); err != nil {
			return err
		}
	}
	return nil
}

func cause(code int) error {
	if errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		return decode.ErrTruncated
	}
	return decode.ErrValue
}
