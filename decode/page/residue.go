package page

import (
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

// maxOrphan bounds the bytes of orphaned pages that Sweep yields as one. etcd takes requests
// of up to 1.5 MiB unless told otherwise, so a value that lies whole on such pages most
// likely comes whole.
const maxOrphan = 4 << 20

// residue takes the page p, which the tree does not reach and which b starts with, and the
// pages behind it that belong to it. It says how many bytes of b they use up. It believes
// only a header that names its own page: on a page from the middle of a value, the header is
// payload.
func (s *sweeper) residue(p Page, b []byte) int {
	n := len(p.Data)
	switch {
	case ownHeader(p.ID, p.Data, s.Order):
		s.room = int(min(int64(p.Header.Overflow)*int64(s.PageSize), maxRun))
	case IsZero(p.Data):
		// These may be many, and there is nothing to put together.
		n += s.following(p, b[n:], IsZero)
		p.Header, p.Data = Header{}, b[:n]
		s.emit(p)
		return n
	default:
		p.Header, p.Orphan = Header{}, true
		s.room = maxOrphan - n
	}
	more := s.continuation(p, b[n:])
	s.room -= more
	n += more
	if n == len(b) && s.room > 0 {
		s.run, s.open, s.buf = p, true, append(s.buf[:0], b...)
		return n
	}
	p.Data = b[:n]
	s.emit(p)
	return n
}

// extend adds to the open run what b begins with, and closes it where it ends.
func (s *sweeper) extend(off int64, b []byte) int {
	next := s.run
	next.ID, next.Off = ID(off/int64(s.PageSize))-1, off-int64(s.PageSize)
	n := s.continuation(next, b)
	s.buf = append(s.buf, b[:n]...)
	s.room -= n
	if n < len(b) || s.room == 0 {
		s.endRun()
	}
	return n
}

// continuation is how many bytes of b, which follows the last page of a run so far, belong to
// the run. The run ends where its header says, or before a page in other use, or before one
// with a header of its own, which bbolt wrote over the run later.
func (s *sweeper) continuation(last Page, b []byte) int {
	b = b[:min(len(b), s.room)]
	return s.following(last, b, func([]byte) bool { return true })
}

// following is how many bytes at the start of b are pages that same accepts, in the same use
// as the page before them, and without a header of their own.
func (s *sweeper) following(last Page, b []byte, same func([]byte) bool) int {
	n := 0
	for id := last.ID + 1; n < len(b); id++ {
		data := b[n:min(n+s.PageSize, len(b))]
		if len(data) < s.PageSize || s.useOf(id) != last.Use || ownHeader(id, data, s.Order) || !same(data) {
			break
		}
		n += len(data)
	}
	return n
}

// useOf is what the page is to the tree.
func (s *sweeper) useOf(id ID) Use {
	use := s.tree.at(id).use()
	if use == overflowPage {
		return Unreachable // so marked by an earlier sweep
	}
	return use
}

// ownHeader reports whether data starts with the header of page id.
func ownHeader(id ID, data []byte, order cursor.Order) bool {
	h, err := parseHeader(data, order, 0)
	return err == nil && h.ID == id && (h.Flags == FlagLeaf || h.Flags == FlagBranch || h.Flags == FlagFreelist)
}

// Elements reports whether a page that the tree does not reach is a leaf with at least its
// start still there: LeafElements has what it holds.
func (p Page) Elements() bool { return !p.Orphan && p.Header.Flags == FlagLeaf }

// Table is how many bytes at the start of a leaf page are its header and those of its
// elements, as far as these can be what they seem: behind the first that points back into
// them, or out of the run, lies something else.
func (p Page) Table(pageSize int) int {
	c := cursor.Cursor{B: p.Data, Pos: HeaderSize, Order: p.order}
	end := uint64(HeaderSize) + ElementSize*uint64(p.Header.Count)
	run := max(uint64(len(p.Data)), (uint64(p.Header.Overflow)+1)*uint64(pageSize))
	for i := range uint64(p.Header.Count) {
		start := HeaderSize + ElementSize*i
		flags, pos, ksize, vsize := c.Uint32(), c.Uint32(), c.Uint32(), c.Uint32()
		at := start + uint64(pos)
		if c.Short() || flags > elementBucket || at < end || at+uint64(ksize)+uint64(vsize) > run {
			return int(min(start, uint64(len(p.Data))))
		}
	}
	return int(min(end, uint64(len(p.Data))))
}

// BucketRoot is the root page of the bucket that e, an element of p, stands for; 0 if that lies
// in the value itself, or somewhere behind it. It is false if e is no bucket of etcd's, which
// takes no sequence numbers from a bucket.
func (p Page) BucketRoot(e LeafElement) (root ID, ok bool) {
	if !e.IsBucket() || len(e.Value) < bucketHeader {
		return 0, false
	}
	root, sequence := bucketOf(e.Value, p.order)
	return root, sequence == 0 && (root == 0 || len(e.Value) == bucketHeader)
}

// InlineBucket is the page in the value of e, an element of p that is a bucket;
// false if it is not an inline one.
func (p Page) InlineBucket(e LeafElement) (Page, bool) {
	if !e.IsBucket() || len(e.Value) < bucketHeader+HeaderSize {
		return Page{}, false
	}
	if root, _ := bucketOf(e.Value, p.order); root != 0 {
		return Page{}, false
	}
	off := e.ValueOff() + bucketHeader
	data := e.Value[bucketHeader:]
	h, err := parseHeader(data, p.order, off)
	if err != nil || h.Flags != FlagLeaf {
		return Page{}, false
	}
	return Page{ID: p.ID, Use: p.Use, Off: off, Data: data, Header: h, Inline: true, order: p.order, inner: p.inner}, true
}

// Slack is the bytes behind all that a branch, freelist or meta page holds, and
// where in the page they start. In pages that bbolt wrote they are zeros.
func (p Page) Slack() (b []byte, start int) {
	end := HeaderSize
	switch p.Header.Flags {
	case FlagBranch:
		end += ElementSize * int(p.Header.Count)
		for e := range p.BranchElements() {
			if e.Key != nil {
				end = max(end, e.start+len(e.Key))
			}
		}
	case FlagFreelist:
		ids, err := p.freeIDs()
		if err != nil {
			ids = ids[:listed(ids)] // it claims more than it has, and anything may stand behind that
		}
		end += 8 * len(ids)
		if p.Header.Count == longFreelist {
			end += 8
		}
	case FlagMeta:
		end += metaSize
	}
	end = min(end, len(p.Data))
	return p.Data[end:], end
}

// IsZero reports whether b is zeros only, as fast as b can be read.
func IsZero(b []byte) bool { return raw.IsZero(b) }
