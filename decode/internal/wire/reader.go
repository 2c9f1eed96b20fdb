package wire

import "encoding/binary"

// A Reader reads the fields of a message that stands in bytes of another origin, in the one
// form that encoders write: each tag is a byte, and each varint the shortest. Each and Next
// take what else protobuf allows. After a field that is not there or is cut, Failed is set
// and all else is zero.
type Reader struct {
	B      []byte
	Pos    int // of the next tag
	Failed bool
}

// Is reports whether the next field has that tag.
func (r *Reader) Is(tag byte) bool { return r.Pos < len(r.B) && r.B[r.Pos] == tag }

// Field reads a tag and the varint behind it.
func (r *Reader) Field(tag byte) uint64 {
	if r.Failed || !r.Is(tag) {
		r.Failed = true
		return 0
	}
	v, n := binary.Uvarint(r.B[r.Pos+1:])
	if n <= 0 || n > 1 && r.B[r.Pos+n] == 0 {
		r.Failed = true
		return 0
	}
	r.Pos += 1 + n
	return v
}

// Int64 is Field for an int64.
func (r *Reader) Int64(tag byte) int64 { return int64(r.Field(tag)) }

// Bytes reads a tag, a length and as many bytes, which alias B.
func (r *Reader) Bytes(tag byte) []byte {
	n := r.Field(tag)
	if r.Failed || n > uint64(len(r.B)-r.Pos) {
		r.Failed = true
		return nil
	}
	b := r.B[r.Pos : r.Pos+int(n)]
	r.Pos += int(n)
	return b
}
