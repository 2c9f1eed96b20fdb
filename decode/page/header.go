package page

import (
	"strconv"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// An ID is the number of a page: it starts at file offset ID * page size.
type ID uint64

func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// noFreelist in a Meta's freelist field says that bbolt did not write the freelist: the free
// pages are then those that nothing reaches. etcd on Linux does this.
const noFreelist = ID(1<<64 - 1)

// Flags is the kind of a page, as its header tells it.
type Flags uint16

// The kinds of pages that bbolt writes.
const (
	FlagBranch   Flags = 0x01
	FlagLeaf     Flags = 0x02
	FlagMeta     Flags = 0x04
	FlagFreelist Flags = 0x10
)

func (f Flags) String() string {
	switch f {
	case FlagBranch:
		return "branch"
	case FlagLeaf:
		return "leaf"
	case FlagMeta:
		return "meta"
	case FlagFreelist:
		return "freelist"
	}
	return "unknown" // not the number: on a page in the middle of a value it is a piece of the value
}

// HeaderSize is the size of a page header, and ElementSize that of the header of a
// branch or leaf element, in bytes.
const (
	HeaderSize  = 16
	ElementSize = 16
)

// A Header is the start of each page, in the byte order of the host that wrote it.
//
//	off size
//	 0   8   page ID
//	 8   2   flags
//	10   2   number of elements
//	12   4   overflow: how many pages follow that belong to this one
//
// Source: Page in go.etcd.io/bbolt/internal/common/page.go.
type Header struct {
	ID       ID
	Flags    Flags
	Count    uint16
	Overflow uint32
}

// parseHeader decodes the header at the start of b, which starts at file offset
// off. Its error is a *decode.FormatError wrapping decode.ErrTruncated.
func parseHeader(b []byte, order cursor.Order, off int64) (Header, error) {
	c := cursor.Cursor{B: b, Order: order}
	h := Header{
		ID:       ID(c.Uint64()),
		Flags:    Flags(c.Uint16()),
		Count:    c.Uint16(),
		Overflow: c.Uint32(),
	}
	if c.Short() {
		return h, &decode.FormatError{Off: off, What: "page header", Err: decode.ErrTruncated}
	}
	return h, nil
}
