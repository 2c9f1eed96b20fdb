package page

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

// MaxAround bounds the bytes before a db, and those behind it, that Locate looks at. Whoever
// sends a snapshot through a shell gets a few lines of messages with it.
const MaxAround = 64 << 10

// hashSize is the size of the SHA-256 that etcd puts behind a snapshot, in bytes.
const hashSize = 32

// An Extent is where a db lies in a file: Size bytes from offset Off on, with the hash behind it
// if it is a snapshot.
type Extent struct{ Off, Size int64 }

// Locate finds a db in the file r of size bytes: all of the file, or a db with other bytes before
// it, text behind it, or both, as `kubectl exec ... > file 2>&1` leaves it. A valid meta tells
// where the db begins, and its high water mark where a snapshot ends. What stands behind must be
// text to count as no part of the db: anything else may be a tail. Without a valid meta the db is
// all that follows its start. The error is that of Open at offset 0, where no db was found.
func Locate(r io.ReaderAt, size int64) (Extent, error) {
	f, err := Open(r, size)
	off := int64(0)
	if errors.Is(err, decode.ErrMagic) {
		off, f = findStart(r, size)
	}
	if f == nil {
		return Extent{}, err
	}
	return Extent{off, findEnd(f)}, nil
}

// findStart looks for the first valid meta that is not at the start of r. f is nil if there is
// none.
func findStart(r io.ReaderAt, size int64) (off int64, f *File) {
	b := make([]byte, min(size, MaxAround+maxPageSize+HeaderSize+metaSize))
	n, _ := r.ReadAt(b, 0) // what the disk did not give holds no meta
	b = b[:n]
	for at := HeaderSize; at+4 <= len(b); at++ {
		if binary.LittleEndian.Uint32(b[at:]) != magic && binary.BigEndian.Uint32(b[at:]) != magic {
			continue
		}
		start, ok := startOf(b, at-HeaderSize)
		if !ok || start <= 0 || start > MaxAround {
			continue
		}
		n := size - start
		if f, err := Open(io.NewSectionReader(r, start, n), n); err == nil {
			return start, f
		}
	}
	return 0, nil
}

// startOf is where the db of the meta page at offset at in b begins; false if there is no valid
// meta page.
func startOf(b []byte, at int) (int64, bool) {
	for _, order := range []Order{Little, Big} {
		h, err := parseHeader(b[at:], order, 0)
		if err != nil || h.Flags != FlagMeta || h.ID > 1 {
			continue
		}
		if m, err := ParseMeta(b[at+HeaderSize:], order, 0); err == nil {
			return int64(at) - int64(h.ID)*int64(m.PageSize), true
		}
	}
	return 0, false
}

// findEnd is the size of the db in f with its hash, without text behind it.
func findEnd(f *File) int64 {
	m, _, ok := f.Meta()
	if !ok || m.HighWater > f.Pages() {
		return f.size // whatever its last bytes are, the db ends too early
	}
	end := int64(m.HighWater) * int64(f.PageSize) // not over f.size + a page
	if size, ok := f.endAt(end); ok {
		return size
	}
	// A db that lay in a data dir is longer than its high water mark: by whole pages.
	size, _ := f.endAt(f.size - f.size%int64(f.PageSize))
	return size
}

// endAt is the size of the db if its last page ends at offset end: text follows, or a hash, or a
// hash and then text. Otherwise it is all that there is, and ok is false.
func (f *File) endAt(end int64) (size int64, ok bool) {
	n := f.size - end
	if n == 0 {
		return end, true
	}
	if n < 0 || n > hashSize+MaxAround {
		return f.size, false
	}
	b := make([]byte, n)
	switch err := raw.ReadFull(f.r, b, end); {
	case err != nil:
		return f.size, false
	case IsText(b):
		return end, true
	case n == hashSize, n > hashSize && IsText(b[hashSize:]):
		return end + hashSize, true
	}
	return f.size, false
}

// IsText reports whether b is text, as messages of a program are: UTF-8 without control
// characters but those of lines and terminals.
func IsText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && (c < '\a' || c > '\r') && c != 0x1b || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}

// maxProbe bounds the pages that Inserted looks at side by side, for one with a header of its own.
const maxProbe = 64

// Inserted finds bytes that do not belong into the db, such as messages that were written among
// its pages: n bytes somewhere from offset off to end, behind which all pages lie n bytes too far.
// It is false if there are none, or if nothing tells.
func (f *File) Inserted() (n, off, end int64, ok bool) {
	m, _, valid := f.Meta()
	if !valid || m.HighWater > f.Pages() {
		return 0, 0, 0, false
	}
	surplus := f.size - int64(m.HighWater)*int64(f.PageSize)
	for _, n := range []int64{surplus, surplus - hashSize} {
		if n <= 0 || n > MaxAround {
			continue
		}
		for back := ID(1); back <= maxProbe && back+1 < m.HighWater; back++ {
			id := m.HighWater - back
			if found, shift := f.shiftOf(id, id+1, n); shift > 0 {
				off, end := f.narrow(id, n)
				return n, off, end, true
			} else if found > 0 {
				break // the last page is in its place
			}
		}
	}
	return 0, 0, 0, false
}

// narrow is where n bytes were inserted before page moved: behind a page that is in its place, and
// before one that is not.
func (f *File) narrow(moved ID, n int64) (off, end int64) {
	placed := ID(1)
	for placed+1 < moved {
		half := placed + (moved-placed)/2
		id, shift := f.shiftOf(half, min(moved, half+maxProbe), n)
		if id == 0 {
			break // no header near tells more
		}
		if shift == 0 {
			placed = id
		} else if id > half {
			break // likewise
		} else {
			moved = half
		}
	}
	return int64(placed) * int64(f.PageSize), int64(moved)*int64(f.PageSize) + n
}

// shiftOf finds the first page from id up to limit that has a header of its own where it belongs,
// or n bytes behind that, and tells which; found is 0 if there is none.
func (f *File) shiftOf(id, limit ID, n int64) (found ID, shift int64) {
	for ; id < limit; id++ {
		for _, shift := range []int64{0, n} {
			b, err := f.readAt(int64(id)*int64(f.PageSize)+shift, HeaderSize)
			if err == nil && ownHeader(id, b, f.Order) {
				return id, shift
			}
		}
	}
	return 0, 0
}
