package page

import (
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// longFreelist as the element count of a freelist page says that the first 8 bytes behind the
// header hold the count instead.
const longFreelist = 0xFFFF

// freeIDs decodes the page IDs of a freelist page, 8 bytes each behind the header. With
// decode.ErrBounds the list claims more than its pages hold, and freeIDs returns what they
// hold.
//
// Source: Page.FreelistPageIds in go.etcd.io/bbolt/internal/common/page.go.
func (p Page) freeIDs() ([]ID, error) {
	c := cursor.Cursor{B: p.Data, Pos: HeaderSize, Order: p.order}
	count := uint64(p.Header.Count)
	if count == longFreelist {
		count = c.Uint64()
	}
	room := uint64(max(0, len(p.Data)-c.Pos)) / 8
	var err error
	if count > room {
		count, err = room, decode.ErrBounds
	}
	ids := make([]ID, count)
	for i := range ids {
		ids[i] = ID(c.Uint64())
	}
	return ids, err
}

// Lists reports whether p is what bbolt writes for a freelist: page IDs in order, each
// once and below high, and no more than its pages hold.
func (p Page) Lists(high ID) bool {
	ids, err := p.freeIDs()
	last := ID(1)
	for _, id := range ids {
		if id <= last || id >= high {
			return false
		}
		last = id
	}
	return err == nil && p.Header.Flags == FlagFreelist
}
