package page

import (
	"fmt"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
)

// Sweep reads the whole file once, in order, and yields every page in it, each with its
// overflow pages. A page that the tree does not reach comes with what is left of them, which
// may be less than its header claims. Pages without a header of their own come together where
// they lie side by side (see Page.Orphan). Damage comes as a *decode.FormatError with the
// zero Page, before the page that it concerns, and the sweep goes on; it wraps the I/O error
// where the disk gave one. Damage in the freelist's entries comes last, and damage in the
// elements of a leaf comes from Page.LeafElements. An inline bucket comes as a Leaf right
// behind the leaf that holds it. A leaf among the overflow pages of another page comes right
// behind that page, as Unreachable (see Page.Covered).
//
// Sweep calls tap, unless it is nil, from one other goroutine with all bytes that it could
// read, in file order: a gap in the offsets is what it could not. The last call has returned
// when Sweep is done.
func (f *File) Sweep(t *Tree, tap func(off int64, b []byte)) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		s := sweeper{File: f, tree: t, yield: yield}
		for w := range f.windows(tap) {
			if w.err != nil {
				s.unread(w)
			} else {
				s.window(w)
			}
			if s.stopped {
				return
			}
		}
		s.endRuns()
		s.checkFreelist()
		s.decide()
		s.checkLost()
	}
}

type sweeper struct {
	*File
	tree    *Tree
	yield   func(Page, error) bool
	stopped bool // the consumer has had enough

	run  Page   // a page whose overflow pages go on in the next window
	need int    // bytes that run still needs; 0 without a run
	buf  []byte // the bytes of run so far
	open bool   // run is residue, and may go on in the next window
	room int    // how many more bytes a run of residue can have

	list Page // the freelist page without its data
	free []ID // what it lists

	flawed    bool           // damage was yielded, of other pages than the freelist
	badList   bool           // and of the freelist
	undecided map[ID]lastKey // of leaves, for decide
}

func (s *sweeper) emit(p Page) {
	if !s.stopped && !s.yield(p, nil) {
		s.stopped = true
	}
}

func (s *sweeper) damage(off int64, id ID, what string, cause error) {
	s.tree.damaged(id)
	if s.tree.at(id).use() == Freelist {
		s.badList = true
		cause = freelistError{cause}
	} else {
		s.flawed = true
	}
	err := &decode.FormatError{Off: off, What: fmt.Sprintf("page %v, %s", id, what), Err: cause}
	if !s.stopped && !s.yield(Page{}, err) {
		s.stopped = true
	}
}

// window takes the pages out of w. Windows start and end at page boundaries.
func (s *sweeper) window(w window) {
	off, b := w.off, w.data
	for len(b) > 0 && !s.stopped {
		n := min(s.need, len(b))
		switch {
		case n > 0:
			s.buf = append(s.buf, b[:n]...)
			if s.need -= n; s.need == 0 {
				s.endRun()
			}
		case s.open:
			n = s.extend(off, b)
		default:
			n = s.page(off, b)
		}
		off, b = off+int64(n), b[n:]
	}
}

// page takes the page at the start of b and says how many bytes it used up.
func (s *sweeper) page(off int64, b []byte) int {
	id := ID(off / int64(s.PageSize))
	m := s.tree.at(id)
	if m.use() == overflowPage {
		m = 0 // so marked by an earlier sweep
	}
	p := Page{ID: id, Use: m.use(), Off: off, Data: b[:min(s.PageSize, len(b))], Bucket: m.bucket(), order: s.Order}
	if len(p.Data) < s.PageSize && id < s.tree.highWater {
		s.damage(off, id, "data", decode.ErrTruncated)
	} else if len(p.Data) < s.PageSize {
		s.damage(off, id, "past the last page in use, data", decode.ErrTruncated)
	}
	h, err := parseHeader(p.Data, s.Order, off)
	p.Header = h
	if err != nil {
		s.emit(p)
		return len(p.Data)
	}
	if p.Use == Unreachable || p.Use == Tail {
		return s.residue(p, b)
	}
	s.checkHeader(p)
	length := s.runLength(p)
	if length > len(b) {
		s.run, s.need, s.buf = p, length-len(b), append(s.buf[:0], b...)
		return len(b)
	}
	p.Data = b[:length]
	s.emitReachable(p)
	return length
}

// checkHeader compares the header of a reachable page with what led to it. It tells no number
// out of the header: on a page in the middle of a value, that is a piece of the value.
func (s *sweeper) checkHeader(p Page) {
	if p.Header.ID != p.ID {
		s.damage(p.Off, p.ID, "another page ID in its header", decode.ErrValue)
	}
	if p.Use == Leaf && p.Header.Flags == FlagBranch {
		s.deeper()
	}
	if p.Header.Flags != p.Use.flags() {
		s.damage(p.Off+8, p.ID, fmt.Sprintf("%v page where the tree has a %v page, flags", p.Header.Flags, p.Use), decode.ErrValue)
	}
}

// runLength is the length in bytes of the page p and its overflow pages. They end
// before another reachable page, the high water mark and the end of the file,
// whatever the header claims.
func (s *sweeper) runLength(p Page) int {
	if p.Header.Overflow == 0 || p.Use == MetaPage {
		return len(p.Data)
	}
	pages := ID(p.Header.Overflow) + 1
	limit := s.tree.highWater - p.ID
	cause := decode.ErrBounds
	if m := ID(maxRun / s.PageSize); pages > m && limit > m {
		limit, cause = m, decode.ErrLimit
	}
	for i := ID(1); i < min(pages, limit); i++ {
		if m := s.tree.at(p.ID + i); m != 0 && m.use() != overflowPage {
			limit, cause = i, decode.ErrOverlap
		}
	}
	if pages > limit {
		s.damage(p.Off+12, p.ID, "number of overflow pages", cause)
		pages = limit
	}
	return int(min(int64(pages)*int64(s.PageSize), s.size-p.Off))
}

// endRun emits the page whose overflow pages came in several windows, as far as
// they came. A page among these may then be the open run.
func (s *sweeper) endRun() {
	if len(s.buf) == 0 {
		return
	}
	p, open := s.run, s.open
	p.Data = s.buf
	s.need, s.open = 0, false
	if open {
		s.emit(p)
	} else {
		s.emitReachable(p)
	}
	if !s.open {
		s.buf = s.buf[:0]
	}
}

// endRuns is endRun where nothing can be behind it.
func (s *sweeper) endRuns() {
	for len(s.buf) > 0 {
		s.endRun()
	}
}

// unread reports a part of the file that could not be read.
func (s *sweeper) unread(w window) {
	s.endRuns()
	id := ID(w.off / int64(s.PageSize))
	s.tree.damaged(id)
	s.flawed = true // whatever the first of the pages is
	if err := (&decode.FormatError{Off: w.off, What: fmt.Sprintf("page %v, data", id), Err: w.err}); !s.stopped && !s.yield(Page{}, err) {
		s.stopped = true
	}
	s.emit(Page{ID: id, Use: Unread, Off: w.off, order: s.Order})
}

func (s *sweeper) emitReachable(p Page) {
	other := s.otherFirst(p)
	p.Astray = other || p.Header.ID != p.ID
	inner := s.innerLeaves(&p)
	s.emit(p)
	for i := 1; i*s.PageSize < len(p.Data); i++ {
		s.tree.mark(p.ID+ID(i), overflowPage, p.Bucket)
	}
	s.checkCount(p)
	if other {
		s.damage(p.Off, p.ID, "first key, which is not that of the branch element that leads here", decode.ErrValue)
	} else {
		s.checkLast(p, s.tree.pages.at(p.ID))
	}
	switch {
	case p.Use == Leaf && p.Header.Flags == FlagLeaf:
		s.inlineBuckets(p)
	case p.Use == Freelist && p.Header.Flags == FlagFreelist:
		s.freelist(p)
	}
	s.emitInner(p, inner)
}

// inlineBuckets emits the inline buckets in p, and checks its other buckets.
func (s *sweeper) inlineBuckets(p Page) {
	if !p.hasBuckets() {
		return
	}
	for e := range p.LeafElements() {
		if !e.IsBucket() || e.Key == nil {
			continue // the consumer reads the elements too, and sees their damage
		}
		what := fmt.Sprintf("leaf element %d, bucket", e.Index)
		if len(e.Value) < bucketHeader {
			s.damage(e.ValueOff(), p.ID, what, decode.ErrTruncated)
			continue
		}
		root, sequence := bucketOf(e.Value, s.Order)
		i, known := s.tree.bucket(p.Bucket, e.Key)
		if root != 0 {
			if len(e.Value) > bucketHeader {
				// An inline bucket with a wrong root, and all that it holds.
				s.damage(e.ValueOff(), p.ID, what, decode.ErrValue)
			}
			if !known {
				s.deeper()
			}
			continue
		}
		if !known {
			var err error
			i, err = s.tree.addBucket(Bucket{Name: e.Key, Parent: p.Bucket, Sequence: sequence})
			if err != nil {
				s.damage(e.ValueOff(), p.ID, what, err)
				continue
			}
		}
		s.inlineBucket(p, e, i)
	}
}

// deeper notes that a Walk of the branches alone was not enough for this file.
func (s *sweeper) deeper() {
	s.tree.Deeper = s.tree.depth == Branches
}

func (s *sweeper) inlineBucket(p Page, e LeafElement, bucket int) {
	off := e.ValueOff() + bucketHeader
	data := e.Value[bucketHeader:]
	h, err := parseHeader(data, s.Order, off)
	what := fmt.Sprintf("leaf element %d, inline bucket", e.Index)
	if err != nil {
		s.damage(off, p.ID, what, decode.ErrTruncated)
		return
	}
	inline := Page{ID: p.ID, Use: Leaf, Off: off, Data: data, Header: h, Bucket: bucket, Inline: true, Astray: p.Astray, order: s.Order, inner: p.inner}
	if h.Flags != FlagLeaf || inline.hasBuckets() {
		// bbolt keeps neither branches nor buckets inside an inline bucket.
		s.damage(off+8, p.ID, what, decode.ErrValue)
	}
	s.checkCount(inline)
	if h.Flags == FlagLeaf {
		s.emit(inline)
	}
}

// hasBuckets reports whether any element is a bucket. It looks at the flags alone, because it
// runs for every leaf of the file.
func (p Page) hasBuckets() bool {
	low := HeaderSize // the byte that holds the lowest bit of the first element's flags
	if p.order == Big {
		low += 3
	}
	for i := range p.elementCount() {
		if off := low + i*ElementSize; off < len(p.Data) && p.Data[off]&elementBucket != 0 {
			return true
		}
	}
	return false
}

// freelist takes the page IDs out of p. Their use is known when the sweep is done.
func (s *sweeper) freelist(p Page) {
	ids, err := p.freeIDs()
	if err != nil {
		s.damage(p.Off+HeaderSize, p.ID, "freelist", err)
	}
	s.free, s.list = ids, p
	s.list.Data = nil
}

// checkFreelist checks that no page in the freelist is out of range, in use or
// listed twice. It ends at the first that is out of range: the rest would be noise.
func (s *sweeper) checkFreelist() {
	first := s.list.Off + HeaderSize
	if s.list.Header.Count == longFreelist {
		first += 8
	}
	seen := make(map[ID]bool, len(s.free))
	for i, id := range s.free {
		off := first + 8*int64(i)
		if id < 2 || id >= s.tree.highWater {
			s.damage(off, s.list.ID, fmt.Sprintf("freelist entry %d, page %v", i, id), decode.ErrBounds)
			return
		}
		if s.tree.at(id) != 0 || seen[id] {
			s.damage(off, s.list.ID, fmt.Sprintf("freelist entry %d, page %v in use or listed twice", i, id), decode.ErrOverlap)
		}
		seen[id] = true
	}
}

// checkCount looks for pages that hold less than bbolt ever writes: a branch or leaf
// without elements is no page of a tree, but for the root of an empty bucket, and
// there is nothing else in that.
func (s *sweeper) checkCount(p Page) {
	if p.Header.Flags != p.Use.flags() || p.Use != Leaf && p.Use != Branch || p.Header.Count > 0 {
		return
	}
	root := p.Inline || s.tree.Buckets[p.Bucket].Root == p.ID
	if !root || p.Use == Branch || !IsZero(p.Data[HeaderSize:]) {
		s.damage(p.Off+10, p.ID, "number of elements", decode.ErrValue)
	}
}

// otherFirst reports whether the first key of a page is not that of the branch element
// that led to it: a wrong reference may lead to another page that is good in itself.
func (s *sweeper) otherFirst(p Page) bool {
	if p.Header.Flags != p.Use.flags() || p.Use != Leaf && p.Use != Branch {
		return false
	}
	want := s.tree.pages.at(p.ID).first
	if want == 0 || p.Header.Count == 0 {
		return false
	}
	key := p.firstKey()
	return key != nil && keySum(key) != want
}

// firstKey is the key of the first element of a branch or leaf page, nil if it has
// none that can be read.
func (p Page) firstKey() []byte {
	if p.Use == Branch {
		for e := range p.BranchElements() {
			return e.Key
		}
	}
	for e := range p.LeafElements() {
		return e.Key
	}
	return nil
}
