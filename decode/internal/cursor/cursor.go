// Package cursor reads fixed-width integers from untrusted bytes in either byte
// order. A read past the end gives zero and marks the cursor, so that a decoder
// reads all fields of a struct and asks once whether they were there.
package cursor

import "encoding/binary"

// An Order is the byte order of the host that wrote a file.
type Order uint8

// The two byte orders. bbolt writes structs as they lie in memory, so a file
// from s390x is big-endian and one from amd64 or arm64 little-endian.
const (
	Little Order = iota
	Big
)

func (o Order) String() string {
	if o == Big {
		return "big-endian"
	}
	return "little-endian"
}

// Append appends v to b in this order.
func (o Order) Append(b []byte, v uint64) []byte {
	if o == Big {
		return binary.BigEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint64(b, v)
}

// A Cursor reads B from Pos on, in the byte order Order.
type Cursor struct {
	B     []byte
	Pos   int
	Order Order
	short bool
}

// Short reports whether any read so far went past the end.
func (c *Cursor) Short() bool { return c.short }

// Uint16 reads 2 bytes, or gives 0 past the end.
func (c *Cursor) Uint16() uint16 {
	b := c.next(2)
	if b == nil {
		return 0
	}
	if c.Order == Big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// Uint32 reads 4 bytes, or gives 0 past the end.
func (c *Cursor) Uint32() uint32 {
	b := c.next(4)
	if b == nil {
		return 0
	}
	if c.Order == Big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// Uint64 reads 8 bytes, or gives 0 past the end.
func (c *Cursor) Uint64() uint64 {
	b := c.next(8)
	if b == nil {
		return 0
	}
	if c.Order == Big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// next takes the n bytes at Pos, or marks the cursor short and gives nil.
func (c *Cursor) next(n int) []byte {
	if c.Pos < 0 || n > len(c.B)-c.Pos {
		c.short = true
		return nil
	}
	b := c.B[c.Pos : c.Pos+n]
	c.Pos += n
	return b
}
