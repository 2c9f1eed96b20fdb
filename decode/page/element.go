package page

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// elementBucket in a leaf element's flags says that its value is a bucket.
const elementBucket = 1

// A LeafElement is a key and its value in a leaf page. Key and Value alias the
// page's data.
//
//	off size
//	 0   4   flags: 1 for a bucket
//	 4   4   pos: offset of the key from the start of this element
//	 8   4   size of the key
//	12   4   size of the value, which follows the key
//
// Source: leafPageElement in go.etcd.io/bbolt/internal/common/page.go.
type LeafElement struct {
	Index int
	Flags uint32
	Key   []byte
	Value []byte
	Off   int64 // file offset of the key; the value follows it
}

// IsBucket reports whether the value is a bucket: a root page ID and a sequence,
// or with root 0 a leaf page behind them.
func (e LeafElement) IsBucket() bool { return e.Flags&elementBucket != 0 }

// ValueOff is the file offset of the value.
func (e LeafElement) ValueOff() int64 { return e.Off + int64(len(e.Key)) }

// LeafElements yields the elements of a leaf page in the order of the page. The
// error is a *decode.FormatError: with ErrTruncated or ErrBounds the element has
// no bytes (Key is nil); with ErrOverlap, ErrValue or ErrOrder it has them, though
// they lie inside those of another element or behind a gap, or its key does not
// follow the one before.
// Elements that overlap get up to four times the bytes of the page in all, then none and
// ErrLimit: this bounds the work of who reads them. The walk goes on after any of these
// errors.
func (p Page) LeafElements() iter.Seq2[LeafElement, error] {
	return func(yield func(LeafElement, error) bool) {
		l := layout{page: p, kind: "leaf"}
		for i := range p.elementCount() {
			c := l.header(i)
			e := LeafElement{Index: i, Flags: c.Uint32()}
			pos, ksize, vsize := c.Uint32(), c.Uint32(), c.Uint32()
			start, err := l.place(i, c.Short(), pos, uint64(ksize)+uint64(vsize))
			if start >= 0 {
				e.Off = p.Off + int64(start)
				e.Key = p.Data[start : start+int(ksize) : start+int(ksize)]
				end := start + int(ksize) + int(vsize)
				e.Value = p.Data[start+int(ksize) : end : end]
				err = l.order(i, e.Key, err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// A BranchElement is a child of a branch page and the first key below it. Key
// aliases the page's data.
//
//	off size
//	 0   4   pos: offset of the key from the start of this element
//	 4   4   size of the key
//	 8   8   page ID of the child
//
// Source: branchPageElement in go.etcd.io/bbolt/internal/common/page.go.
type BranchElement struct {
	Index int
	Key   []byte
	Child ID

	start int // of Key in the page
}

// BranchElements yields the elements of a branch page in the order of the page, with the
// errors of LeafElements. Child is set with any error but ErrTruncated.
func (p Page) BranchElements() iter.Seq2[BranchElement, error] {
	return func(yield func(BranchElement, error) bool) {
		l := layout{page: p, kind: "branch"}
		for i := range p.elementCount() {
			c := l.header(i)
			pos, ksize := c.Uint32(), c.Uint32()
			e := BranchElement{Index: i, Child: ID(c.Uint64())}
			start, err := l.place(i, c.Short(), pos, uint64(ksize))
			if start >= 0 {
				e.Key, e.start = p.Data[start:start+int(ksize):start+int(ksize)], start
				err = l.order(i, e.Key, err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// elementCount is how many elements to look at: those that the header claims, or one more
// than there is room for, which reports the missing rest once.
func (p Page) elementCount() int {
	return min(int(p.Header.Count), max(0, len(p.Data)-HeaderSize)/ElementSize+1)
}

// layout checks where the elements of one page lie.
type layout struct {
	page Page
	kind string
	end  int    // end of the last element's bytes
	lost bool   // the element before has no bytes, so nobody knows where this one starts
	sum  uint64 // bytes of all elements so far
	last []byte // key of the last element that had one
}

// maxOverlap is how many times the size of a page its elements may claim. In a page of
// bbolt's it is less than once; too large a count makes each good element overlap the header
// of another.
const maxOverlap = 4

func (l *layout) header(i int) cursor.Cursor {
	return cursor.Cursor{B: l.page.Data, Pos: HeaderSize + i*ElementSize, Order: l.page.order}
}

// place finds where the size bytes of element i start in the page; -1 where they do not lie
// inside.
func (l *layout) place(i int, short bool, pos uint32, size uint64) (int, error) {
	end := max(l.end, HeaderSize+int(l.page.Header.Count)*ElementSize)
	lost := l.lost
	l.lost = true
	if short {
		return -1, l.damage(i, "header", decode.ErrTruncated)
	}
	start := uint64(HeaderSize+i*ElementSize) + uint64(pos)
	if start+size > uint64(len(l.page.Data)) {
		return -1, l.damage(i, "data", decode.ErrBounds)
	}
	var err error
	l.sum += size
	switch {
	case int(start) < end && size > 0:
		err = l.damage(i, "data", decode.ErrOverlap)
		if l.sum > maxOverlap*uint64(len(l.page.Data)) {
			return -1, l.damage(i, "data", decode.ErrLimit)
		}
	case int(start) != end && !lost:
		// bbolt leaves no gaps: one holds an element that the count or a size hides.
		err = l.damage(i, "gap before its data", decode.ErrValue)
	}
	l.end, l.lost = max(end, int(start+size)), false
	return int(start), err
}

// order checks that key follows the key before it, unless err already tells what is wrong
// with the element.
func (l *layout) order(i int, key []byte, err error) error {
	if err == nil && l.last != nil && bytes.Compare(l.last, key) >= 0 {
		err = l.damage(i, "key", decode.ErrOrder)
	}
	l.last = key
	return err
}

func (l *layout) damage(i int, what string, cause error) error {
	return &decode.FormatError{
		Off:  l.page.Off + int64(HeaderSize+i*ElementSize),
		What: fmt.Sprintf("page %v, %s element %d, %s", l.page.ID, l.kind, i, what),
		Err:  cause,
	}
}
