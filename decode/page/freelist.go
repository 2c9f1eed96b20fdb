package page

import (
	"errors"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// longFreelist as the element count of a freelist page says that the first 8 bytes behind the
// header hold the count instead.
const longFreelist = 0xFFFF

// A freelistError is the cause of damage in the freelist, or in the reference to it.
type freelistError struct{ error }

func (e freelistError) Unwrap() error { return e.error }

// IsFreelist reports whether an error of Walk or Sweep is about the freelist alone. bbolt finds free
// pages by it when it writes, and refuses to open the file for that where the page is no freelist.
// No key is read by it: without other damage the tree is whole.
//
// Source: DB.loadFreelist in go.etcd.io/bbolt/db.go.
func IsFreelist(err error) bool {
	var list freelistError
	return errors.As(err, &list)
}

// isFreelist is IsFreelist, without a search.
func isFreelist(err *decode.FormatError) bool {
	_, is := err.Err.(freelistError)
	return is
}

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

// listed is how many of the entries, from the first on, are as bbolt writes them: in order, and
// each once.
func listed(ids []ID) int {
	last := ID(1)
	for i, id := range ids {
		if id <= last {
			return i
		}
		last = id
	}
	return len(ids)
}

// Lists reports whether p is what bbolt writes for a freelist: page IDs in order, each
// once and below high, and no more than its pages hold.
func (p Page) Lists(high ID) bool {
	ids, err := p.freeIDs()
	if n := len(ids); listed(ids) < n || n > 0 && ids[n-1] >= high {
		return false
	}
	return err == nil && p.Header.Flags == FlagFreelist
}
