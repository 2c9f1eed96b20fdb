package page

import (
	"hash/fnv"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

const (
	magic       = 0xED0CDAED
	version     = 2
	metaSize    = 64
	metaSummed  = 56 // bytes of a meta that its checksum covers
	minPageSize = 1 << 10
	maxPageSize = 1 << 16
)

// A Meta is the body of a bbolt meta page (page 0 or 1): the 64 bytes after the
// page header, in the byte order of the host that wrote them.
//
//	off size
//	 0   4   magic, 0xED0CDAED
//	 4   4   version, 2
//	 8   4   page size, in bytes
//	12   4   flags, unused
//	16  16   root bucket: page ID, then sequence
//	32   8   freelist page ID, or 2^64-1 if it was not written
//	40   8   high water mark: one past the last page ID in use
//	48   8   transaction ID
//	56   8   FNV-1a 64 of bytes 0 to 55
//
// Source: Meta in go.etcd.io/bbolt/internal/common/meta.go.
type Meta struct {
	PageSize  int
	Root      ID
	Sequence  uint64
	Freelist  ID
	HighWater ID
	TxID      uint64
	Checksum  uint64
}

// HasFreelist reports whether bbolt wrote the freelist to a page of its own.
func (m Meta) HasFreelist() bool { return m.Freelist != noFreelist }

// ParseMeta decodes the meta b, which starts (behind the page header) at file offset off. Its
// error is a *decode.FormatError wrapping ErrTruncated, ErrMagic, ErrVersion, ErrChecksum, or
// ErrValue for a page size that is not a power of two from 1 KiB to 64 KiB. With any but
// ErrTruncated and ErrMagic it fills in the Meta: the damage is evidence too.
func ParseMeta(b []byte, order Order, off int64) (Meta, error) {
	if len(b) < metaSize {
		return Meta{}, &decode.FormatError{Off: off, What: "meta", Err: decode.ErrTruncated}
	}
	c := cursor.Cursor{B: b, Order: order}
	if c.Uint32() != magic {
		return Meta{}, &decode.FormatError{Off: off, What: "meta, magic", Err: decode.ErrMagic}
	}
	v := c.Uint32()
	pageSize := c.Uint32()
	_ = c.Uint32()
	m := Meta{
		Root:      ID(c.Uint64()),
		Sequence:  c.Uint64(),
		Freelist:  ID(c.Uint64()),
		HighWater: ID(c.Uint64()),
		TxID:      c.Uint64(),
		Checksum:  c.Uint64(),
	}
	if validPageSize(pageSize) {
		m.PageSize = int(pageSize)
	}
	h := fnv.New64a()
	h.Write(b[:metaSummed])
	switch {
	case v != version:
		return m, &decode.FormatError{Off: off + 4, What: "meta, version", Err: decode.ErrVersion}
	case h.Sum64() != m.Checksum:
		return m, &decode.FormatError{Off: off + metaSummed, What: "meta, checksum", Err: decode.ErrChecksum}
	case m.PageSize == 0:
		return m, &decode.FormatError{Off: off + 8, What: "meta, page size", Err: decode.ErrValue}
	}
	return m, nil
}

func validPageSize(n uint32) bool {
	return n >= minPageSize && n <= maxPageSize && n&(n-1) == 0
}
