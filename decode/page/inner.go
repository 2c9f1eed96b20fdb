package page

import (
	"iter"
	"sort"
)

// bbolt writes a page of the tree and its overflow pages in one go, and only the first has a
// header. A file may mix two moments of a db, as a copy of a running etcd does. Then the page
// may be of one moment, and a page that it covers a leaf of the other, with records that are
// nowhere else. But somebody may also have stored a value that looks like such a page, so
// what is on it is residue, and never more.

// An extent is bytes of a file.
type extent struct{ off, end int64 }

// innerLeaves returns the leaves among the overflow pages of p, each with the pages behind it
// that belong to it, and notes in p where they are.
func (s *sweeper) innerLeaves(p *Page) []Page {
	var inner []Page
	for at := s.PageSize; at+s.PageSize <= len(p.Data); {
		q := Page{ID: p.ID + ID(at/s.PageSize), Off: p.Off + int64(at), Data: p.Data[at:], order: s.Order}
		n := s.PageSize
		if s.isLeaf(&q) {
			s.room = q.overflow(s.PageSize)
			n += s.continuation(q, q.Data[n:])
			q.Data, q.Covered = q.Data[:n], n
			inner = append(inner, q)
			p.inner = append(p.inner, extent{q.Off, q.Off + int64(n)})
		}
		at += n
	}
	return inner
}

// isLeaf reports whether q starts with a leaf of its own: a header that names the page, and
// a first element that can be one. It fills in the header.
func (s *sweeper) isLeaf(q *Page) bool {
	if !ownHeader(q.ID, q.Data, s.Order) {
		return false
	}
	q.Header, _ = parseHeader(q.Data, s.Order, q.Off) // never cut: data are at least a page
	first := *q
	first.Data = q.Data[:s.PageSize] // a table that claims more would be read for each page
	return q.Header.Flags == FlagLeaf && first.Table(s.PageSize) > HeaderSize
}

// emitInner emits what innerLeaves found in p. The last may go on behind p.
func (s *sweeper) emitInner(p Page, inner []Page) {
	for i, q := range inner {
		room := q.overflow(s.PageSize) - (len(q.Data) - s.PageSize)
		atEnd := q.Off+int64(len(q.Data)) == p.Off+int64(len(p.Data))
		if i == len(inner)-1 && atEnd && room > 0 {
			s.run, s.open, s.room = q, true, room
			s.buf = append(s.buf[:0], q.Data...) // q may lie in buf itself: append copes
			return
		}
		s.emit(q)
	}
}

// overflow is how many bytes the header claims behind the first page, up to maxRun.
func (p Page) overflow(pageSize int) int {
	return int(min(int64(p.Header.Overflow)*int64(pageSize), maxRun))
}

// Apart yields, in order, the parts of b (bytes of p at file offset off) that lie on no leaf
// that Sweep yields behind p.
func (p Page) Apart(b []byte, off int64) iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		// Pages with many such leaves have many such parts: do not look at all leaves for
		// each.
		i := sort.Search(len(p.inner), func(i int) bool { return p.inner[i].end > off })
		for _, x := range p.inner[i:] {
			if x.off >= off+int64(len(b)) {
				break
			}
			if x.off > off && !yield(off, b[:x.off-off]) {
				return
			}
			n := min(x.end-off, int64(len(b)))
			b, off = b[n:], off+n
		}
		if len(b) > 0 {
			yield(off, b)
		}
	}
}
