package page

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/etcdsift/etcdsift/decode"
)

// A File is a bbolt file after Open has read its metas.
type File struct {
	PageSize int
	Order    Order
	// Metas are pages 0 and 1; MetaErrs says what is wrong with each, nil for a good one. A
	// Meta with an error holds what could be read.
	Metas    [2]Meta
	MetaErrs [2]error

	r    io.ReaderAt
	size int64
}

// Open reads the metas of the bbolt file r of size bytes (without the hash that ends a
// snapshot) and finds its page size and byte order. Where no meta is valid but the bytes look
// like bbolt pages, the File has MetaErrs for both, no tree, and a guessed page size. A meta
// that the disk does not give counts as not valid. The error is an I/O error of r that leaves
// neither metas nor pages to go by, or a *decode.FormatError wrapping ErrMagic for bytes that
// are not a bbolt file.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	head, err := f.readHead()
	for _, order := range []Order{Little, Big} {
		if f.findMetas(head, order) {
			return f, nil
		}
	}
	if f.guessGeometry() {
		f.Metas[0], f.MetaErrs[0] = head.meta(0, f.Order)
		f.Metas[1], f.MetaErrs[1] = head.meta(f.PageSize, f.Order)
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, &decode.FormatError{Off: 0, What: "bbolt file", Err: decode.ErrMagic}
}

// Size is the size that Open was given, in bytes.
func (f *File) Size() int64 { return f.size }

// Meta is the valid meta with the highest transaction ID, and its page. ok is
// false where neither meta is valid.
func (f *File) Meta() (m Meta, id ID, ok bool) {
	for i, candidate := range f.Metas {
		if f.MetaErrs[i] == nil && (!ok || candidate.TxID > m.TxID) {
			m, id, ok = candidate, ID(i), true
		}
	}
	return m, id, ok
}

// Pages is the number of pages that the file has, the last one perhaps cut short.
func (f *File) Pages() ID {
	pages := ID(f.size / int64(f.PageSize))
	if f.size%int64(f.PageSize) > 0 {
		pages++
	}
	return pages
}

// A head is the start of a file: both metas, whatever the page size, and the
// pages behind them.
type head struct {
	b   []byte
	bad map[int]error // by offset: what the disk did not give, each minPageSize bytes of zeros in b
}

// readHead reads the head in one go or, where the disk gives an error, in pieces of the
// smallest page. The error is the first that a piece gave; the rest of the head is there.
func (f *File) readHead() (h head, err error) {
	if f.size == 0 {
		// Empty, or not to be read at all?
		if _, err := f.r.ReadAt(make([]byte, 1), 0); err != nil && !errors.Is(err, io.EOF) {
			return h, fmt.Errorf("read at offset 0: %w", err)
		}
	}
	if h.b, err = f.readAt(0, 2*maxPageSize); err == nil {
		return h, nil
	}
	h = head{b: make([]byte, min(2*maxPageSize, f.size)), bad: map[int]error{}}
	err = nil
	for off := 0; off < len(h.b); off += minPageSize {
		piece, pieceErr := f.readAt(int64(off), minPageSize)
		if pieceErr != nil {
			h.bad[off] = pieceErr
			err = cmp.Or(err, pieceErr)
		}
		copy(h.b[off:], piece)
	}
	return h, err
}

// findMetas looks for a valid meta in page 0, which tells the page size, and
// else in page 1, which lies at one of the possible page sizes.
func (f *File) findMetas(h head, order Order) bool {
	f.Metas[0], f.MetaErrs[0] = h.meta(0, order)
	if f.MetaErrs[0] == nil {
		f.PageSize, f.Order = f.Metas[0].PageSize, order
		f.Metas[1], f.MetaErrs[1] = h.meta(f.PageSize, order)
		if f.MetaErrs[1] == nil && f.Metas[1].PageSize != f.PageSize {
			f.MetaErrs[1] = &decode.FormatError{
				Off: int64(f.PageSize + HeaderSize + 8), What: "page 1, meta, page size", Err: decode.ErrValue}
		}
		return true
	}
	for pageSize := minPageSize; pageSize <= maxPageSize; pageSize *= 2 {
		m, err := h.meta(pageSize, order)
		if err == nil && m.PageSize == pageSize {
			f.PageSize, f.Order = pageSize, order
			f.Metas[1], f.MetaErrs[1] = m, nil
			return true
		}
	}
	return false
}

// meta decodes the meta in the page at off.
func (h head) meta(off int, order Order) (Meta, error) {
	if err := h.bad[off]; err != nil {
		return Meta{}, &decode.FormatError{Off: int64(off), What: fmt.Sprintf("page %d, meta", min(off, 1)), Err: err}
	}
	body := min(off+HeaderSize, len(h.b))
	m, err := ParseMeta(h.b[body:], order, int64(body))
	var format *decode.FormatError
	if errors.As(err, &format) {
		format.What = fmt.Sprintf("page %d, %s", min(off, 1), format.What)
	}
	return m, err
}

// guessPages is how many pages a guess of the page size looks at, at the start of the file
// and again spread over all of it: the start may be lost.
const guessPages = 64

// guessGeometry decides whether a file without a valid meta holds bbolt pages, and of which
// size: by the page IDs in the headers of some pages, or by a meta with only its checksum
// wrong.
func (f *File) guessGeometry() bool {
	best := 0
	for _, order := range []Order{Little, Big} {
		for pageSize := minPageSize; pageSize <= maxPageSize; pageSize *= 2 {
			if n := f.plausiblePages(pageSize, order); n > best {
				best, f.PageSize, f.Order = n, pageSize, order
			}
		}
	}
	return best > 0
}

// plausiblePages counts the pages that carry their own page ID and a kind that
// bbolt writes there. Page 0 needs a meta too: its ID says nothing.
func (f *File) plausiblePages(pageSize int, order Order) int {
	n := 0
	spread := ID(f.size/int64(pageSize)) / guessPages
	for i := range ID(2 * guessPages) {
		id := i
		if i >= guessPages {
			id = (i - guessPages) * spread
		}
		if i >= guessPages && id < guessPages {
			continue // looked at already
		}
		off := int64(id) * int64(pageSize)
		b, err := f.readAt(off, HeaderSize+metaSize)
		h, short := parseHeader(b, order, off)
		if err != nil || short != nil || h.ID != id {
			continue
		}
		switch h.Flags {
		case FlagMeta:
			m, err := ParseMeta(b[HeaderSize:], order, off)
			if id == 1 || id == 0 && !errors.Is(err, decode.ErrMagic) && m.PageSize == pageSize {
				n++
			}
		case FlagBranch, FlagLeaf, FlagFreelist:
			if id > 1 {
				n++
			}
		}
	}
	return n
}

// readAt reads up to n bytes at offset off, fewer where the file ends.
func (f *File) readAt(off int64, n int) ([]byte, error) {
	return f.readInto(make([]byte, min(int64(n), max(0, f.size-off))), off)
}

// readInto is readAt into b.
func (f *File) readInto(b []byte, off int64) ([]byte, error) {
	n := int(min(int64(len(b)), max(0, f.size-off)))
	b = b[:n]
	got, err := f.r.ReadAt(b, off)
	if err != nil && !(errors.Is(err, io.EOF) && got > 0 || n == 0) {
		return nil, fmt.Errorf("read %d bytes at offset %#x: %w", n, off, err)
	}
	return b[:got], nil
}
