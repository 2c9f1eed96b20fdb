package page

import (
	"errors"
	"fmt"
	"io"

	"github.com/etcdsift/etcdsift/decode"
)

// A File is a bbolt file of which the metas have been read.
type File struct {
	PageSize int
	Order    Order
	// Metas are pages 0 and 1; MetaErrs says what is wrong with each, nil if
	// nothing is. A Meta with an error is filled in as far as it could be read.
	Metas    [2]Meta
	MetaErrs [2]error

	r    io.ReaderAt
	size int64
}

// Open reads the metas of the bbolt file r of size bytes (without the hash that
// ends a snapshot) and finds its page size and byte order. Where no meta is
// valid but the bytes look like bbolt pages, the File has MetaErrs for both, no
// tree, and a guessed page size. The error is an I/O error of r, or a
// *decode.FormatError wrapping ErrMagic for bytes that are no bbolt file.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	head, err := f.readAt(0, 2*maxPageSize)
	if err != nil {
		return nil, err
	}
	for _, order := range []Order{Little, Big} {
		if f.findMetas(head, order) {
			return f, nil
		}
	}
	if f.guessGeometry(head) {
		return f, nil
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
	return ID((f.size + int64(f.PageSize) - 1) / int64(f.PageSize))
}

// findMetas looks for a valid meta in page 0, which tells the page size, and
// else in page 1, which lies at one of the possible page sizes.
func (f *File) findMetas(head []byte, order Order) bool {
	f.Metas[0], f.MetaErrs[0] = metaAt(head, 0, order)
	if f.MetaErrs[0] == nil {
		f.PageSize, f.Order = f.Metas[0].PageSize, order
		f.Metas[1], f.MetaErrs[1] = metaAt(head, f.PageSize, order)
		if f.MetaErrs[1] == nil && f.Metas[1].PageSize != f.PageSize {
			f.MetaErrs[1] = &decode.FormatError{
				Off: int64(f.PageSize + HeaderSize + 8), What: "page 1, meta, page size", Err: decode.ErrValue}
		}
		return true
	}
	for pageSize := minPageSize; pageSize <= maxPageSize; pageSize *= 2 {
		m, err := metaAt(head, pageSize, order)
		if err == nil && m.PageSize == pageSize {
			f.PageSize, f.Order = pageSize, order
			f.Metas[1], f.MetaErrs[1] = m, nil
			return true
		}
	}
	return false
}

func metaAt(head []byte, off int, order Order) (Meta, error) {
	body := min(off+HeaderSize, len(head))
	m, err := ParseMeta(head[body:], order, int64(body))
	var format *decode.FormatError
	if errors.As(err, &format) {
		format.What = fmt.Sprintf("page %d, %s", min(off, 1), format.What)
	}
	return m, err
}

// guessGeometry decides whether a file without a valid meta holds bbolt pages,
// and of which size: by the page IDs in the headers of the pages that follow the
// metas, or by a meta whose checksum alone is wrong.
func (f *File) guessGeometry(head []byte) bool {
	best := 0
	for _, order := range []Order{Little, Big} {
		for pageSize := minPageSize; pageSize <= maxPageSize; pageSize *= 2 {
			if n := plausiblePages(head, pageSize, order); n > best {
				best, f.PageSize, f.Order = n, pageSize, order
			}
		}
	}
	if best == 0 {
		return false
	}
	f.Metas[0], f.MetaErrs[0] = metaAt(head, 0, f.Order)
	f.Metas[1], f.MetaErrs[1] = metaAt(head, f.PageSize, f.Order)
	return true
}

// plausiblePages counts the pages in head that carry their own page ID and a
// kind that bbolt writes, or a meta's magic number.
func plausiblePages(head []byte, pageSize int, order Order) int {
	n := 0
	for id := 0; (id+1)*pageSize <= len(head); id++ {
		b := head[id*pageSize:]
		h, err := parseHeader(b, order, 0)
		if err != nil || h.ID != ID(id) {
			continue
		}
		switch h.Flags {
		case FlagMeta:
			if m, err := ParseMeta(b[HeaderSize:], order, 0); !errors.Is(err, decode.ErrMagic) && m.PageSize == pageSize {
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
	n = int(min(int64(n), max(0, f.size-off)))
	b := make([]byte, n)
	got, err := f.r.ReadAt(b, off)
	if err != nil && !(errors.Is(err, io.EOF) && got > 0 || n == 0) {
		return nil, fmt.Errorf("read %d bytes at offset %#x: %w", n, off, err)
	}
	return b[:got], nil
}
