package v2store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

// A Value is a value of a v2 key in a snapshot, in a node of the store or in an event.
type Value struct {
	Path string // in the store, such as /1/registry/secrets/a/b; empty if damage took it
	Off  int64  // file offset of the contents of its string, behind the quote
	Size int64  // of these, with the escapes, in bytes
	// Bytes is the value without escapes, at most MaxValue bytes of it.
	Bytes    []byte
	Complete bool // Bytes is all of it

	// Gap says that this is no value, but Size bytes at Off that could not be read as JSON. It comes
	// behind the damage that says so.
	Gap bool
}

// MaxValue bounds one value in memory, in bytes with its escapes. etcd takes requests of 1.5 MiB
// unless told otherwise.
const MaxValue = 16 << 20

const (
	// maxPath bounds a path. The API server's keys are shorter than a tenth of that.
	maxPath = 16 << 10
	// maxName is longer than all names of fields that matter.
	maxName = 16
	// chunkSize is how much of the file one read asks for, in bytes, and sectorSize how much to give
	// up for one sector that the disk does not give.
	chunkSize  = 1 << 16
	sectorSize = 4096
	// maxHead is more than what stands before the store: two tags, two lengths and the CRC.
	maxHead = 64
	// maxAhead is how far the scanner looks ahead, in bytes.
	maxAhead = 64
)

// root is how every store starts.
var root = []byte(`{"Root":{`)

// A head is what stands before the store.
type head struct {
	crc        uint32
	snap, data int64 // offsets of the raftpb.Snapshot and of the store
	snapEnd    int64 // by their lengths, wherever the file ends
	dataEnd    int64
}

// parseHead reads the start of a file; false if that is not how a snapshot with a store starts.
func parseHead(b []byte) (h head, ok bool) {
	pos := 0
	number := func(tag byte) int64 {
		if pos >= len(b) || b[pos] != tag {
			pos = len(b) + 1
			return 0
		}
		v, n := binary.Uvarint(b[pos+1:])
		if n <= 0 || v > 1<<48 {
			pos = len(b) + 1
			return 0
		}
		pos += 1 + n
		return int64(v)
	}
	crc := number(1 << 3)
	size := number(2<<3 | 2)
	h.snap, h.snapEnd = int64(pos), int64(pos)+size
	size = number(1<<3 | 2)
	if pos > len(b) {
		return head{}, false
	}
	h.crc, h.data, h.dataEnd = uint32(crc), int64(pos), int64(pos)+size
	return h, h.dataEnd <= h.snapEnd && bytes.HasPrefix(b[pos:], root)
}

// IsSnapshot reports whether a file starts as a raft snapshot with a v2 store. A file that is not
// one by its first bytes may be a damaged one.
func IsSnapshot(r io.ReaderAt, size int64) bool {
	b := make([]byte, min(size, maxHead))
	_ = raw.ReadFull(r, b, 0) // zeros start no snapshot
	_, ok := parseHead(b)
	return ok
}

// Read reads a raft snapshot of size bytes once, in order, and yields the values of its store as
// they stand there: first those of the newest state, then those of events. Bytes of a Value are
// valid until the next iteration. Damage comes as a *decode.FormatError with the zero Value, and
// the sequence goes on. Its causes:
//
//	ErrMagic      a file that does not start as a snapshot does; all of it is read as a store
//	ErrTruncated  a file that ends before its lengths say, or a store that does
//	ErrBounds     bytes behind the snapshot
//	ErrChecksum   a store whose CRC is another
//	ErrValue      bytes that are not JSON; reading goes on at the next node
//	ErrLimit      a value or a path that is longer than this package reads
//	I/O errors    what the disk did not give; its bytes count as zeros
//
// Read calls tap, unless it is nil, with all bytes that it could read, in file order.
func Read(r io.ReaderAt, size int64, tap func(off int64, b []byte)) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) {
		s := &scanner{r: r, size: size, tap: tap, yield: yield}
		s.run()
	}
}

// A scanner reads a snapshot byte by byte. It keeps no tree: a value belongs to the path that
// stands before it in the same braces.
type scanner struct {
	r       io.ReaderAt
	size    int64
	tap     func(off int64, b []byte)
	yield   func(Value, error) bool
	stopped bool

	buf    [chunkSize + maxAhead]byte
	chunk  []byte // what is loaded and not taken yet; a part of buf
	off    int64  // file offset of chunk
	loaded int64  // file offset behind it
	lost   bool   // the disk did not give some bytes

	head  head
	end   int64 // of the store
	crc   uint32
	depth int
	whole bool // depth counts all braces so far

	path      []byte
	pathKnown bool
	text      []byte // of readString
}

func (s *scanner) damage(off int64, cause error, format string, args ...any) {
	err := &decode.FormatError{Off: off, What: fmt.Sprintf(format, args...), Err: cause}
	if !s.stopped && !s.yield(Value{}, err) {
		s.stopped = true
	}
}

func (s *scanner) emit(v Value) {
	if !s.stopped && !s.yield(v, nil) {
		s.stopped = true
	}
}

func (s *scanner) run() {
	s.ahead(maxHead)
	first := s.chunk
	var ok bool
	s.head, ok = parseHead(first[:min(len(first), maxHead)])
	switch {
	case !ok && s.size == 0:
		s.damage(0, decode.ErrTruncated, "raft snapshot of 0 bytes")
	case !ok:
		s.damage(0, decode.ErrMagic, "head of a raft snapshot")
		s.head = head{snapEnd: s.size, dataEnd: s.size}
	case s.head.snapEnd > s.size:
		s.damage(s.size, decode.ErrTruncated, "raft snapshot, %d bytes of %d", s.size-s.head.snap, s.head.snapEnd-s.head.snap)
	case s.head.snapEnd < s.size:
		s.damage(s.head.snapEnd, decode.ErrBounds, "%d bytes behind a raft snapshot", s.size-s.head.snapEnd)
	}
	s.checksum(0, first)
	s.end = min(s.size, s.head.dataEnd)
	s.skip(s.head.data)
	s.whole = ok
	s.store()
	if s.whole && s.depth != 0 {
		s.damage(s.end, decode.ErrTruncated, "v2 store")
	}
	s.skip(s.size)
	if ok && s.head.snapEnd <= s.size && !s.lost && s.crc != s.head.crc {
		s.damage(s.head.snap, decode.ErrChecksum, "raft snapshot of %d bytes", s.head.snapEnd-s.head.snap)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum adds to the CRC what of b, at an offset, is in the raftpb.Snapshot.
func (s *scanner) checksum(off int64, b []byte) {
	lo, hi := max(s.head.snap-off, 0), min(s.head.snapEnd-off, int64(len(b)))
	if lo < hi {
		s.crc = crc32.Update(s.crc, castagnoli, b[lo:hi])
	}
}

// ahead loads more until n bytes of the chunk are there, at most maxAhead, or the file ends.
func (s *scanner) ahead(n int) {
	for len(s.chunk) < n && s.loaded < s.size && !s.stopped {
		kept := copy(s.buf[:], s.chunk)
		more := s.buf[kept : kept+int(min(chunkSize, s.size-s.loaded))]
		s.load(more)
		if s.loaded > 0 {
			s.checksum(s.loaded, more) // that of the first bytes waits for the head
		}
		s.loaded += int64(len(more))
		s.chunk = s.buf[:kept+len(more)]
	}
}

// load fills b with what follows, sector by sector where one read fails.
func (s *scanner) load(b []byte) {
	tell := func(off int64, b []byte) {
		if s.tap != nil {
			s.tap(off, b)
		}
	}
	if raw.ReadFull(s.r, b, s.loaded) == nil {
		tell(s.loaded, b)
		return
	}
	for at := 0; at < len(b); at += sectorSize {
		part, off := b[at:min(at+sectorSize, len(b))], s.loaded+int64(at)
		if err := raw.ReadFull(s.r, part, off); err != nil {
			clear(part)
			s.lost = true
			s.damage(off, err, "%d bytes", len(part))
			continue
		}
		tell(off, part)
	}
}

// take gives up n bytes of the chunk.
func (s *scanner) take(n int) {
	s.chunk = s.chunk[n:]
	s.off += int64(n)
}

// skip goes to an offset, or to the end of the file.
func (s *scanner) skip(to int64) {
	for s.off < to {
		if s.ahead(1); len(s.chunk) == 0 {
			return
		}
		s.take(int(min(int64(len(s.chunk)), to-s.off)))
	}
}

// rest is what is loaded of the store, nil at its end.
func (s *scanner) rest() []byte {
	if s.ahead(1); s.off >= s.end {
		return nil
	}
	return s.chunk[:min(int64(len(s.chunk)), s.end-s.off)]
}

// store reads the store token by token.
func (s *scanner) store() {
	var name string // of the field whose value comes next
	field := false  // there is one
	for {
		b := s.rest()
		if s.stopped || len(b) == 0 {
			return
		}
		switch c := b[0]; {
		case c == '"' && field:
			s.member(name)
			field = false
		case c == '"':
			name = string(s.string(maxName).text)
		case c == ':':
			field = true
			s.take(1)
		case c == '{', c == '}':
			s.brace(c)
			field = false
		case c == ' ', c == '\t', c == '\r', c == '\n':
			s.take(1)
		case c == ',', c == '[', c == ']', isLiteral(c):
			s.take(1)
			field = false
		default:
			s.resync(s.off, "v2 store")
			field = false
		}
	}
}

// brace takes one of the braces of an object: a path counts inside of it alone.
func (s *scanner) brace(c byte) {
	s.pathKnown = false
	switch {
	case c == '{':
		s.depth++
	case s.depth > 0:
		s.depth--
	case s.whole:
		s.resync(s.off, "v2 store")
		return
	}
	s.take(1)
}

// isLiteral tells the bytes of numbers, true, false and null.
func isLiteral(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// member reads the string that is the value of a field of that name.
func (s *scanner) member(name string) {
	switch name {
	case "Path", "key":
		t := s.string(maxPath)
		if s.pathKnown = t.closed && t.size == int64(len(t.text)); s.pathKnown {
			s.path = append(s.path[:0], t.text...)
		} else if t.closed {
			s.damage(t.off, decode.ErrLimit, "path of %d bytes in the v2 store", t.size)
		}
	case "Value", "value":
		known := s.pathKnown
		t := s.string(MaxValue)
		if t.size == 0 {
			return
		}
		v := Value{Off: t.off, Size: t.size, Bytes: Unescape(t.text), Complete: t.closed && t.size == int64(len(t.text))}
		if known {
			v.Path = string(Unescape(s.path))
		}
		if t.closed && !v.Complete {
			s.damage(t.off, decode.ErrLimit, "value of %d bytes in the v2 store", t.size)
		}
		s.emit(v)
	default:
		s.string(0)
	}
}

// A text is the contents of a string of JSON, with the escapes.
type text struct {
	off    int64
	size   int64
	text   []byte // at most as much as was asked for; valid until the next
	closed bool   // the quote behind it is there
}

// string reads the string that starts at the next byte, a quote, and keeps at most limit bytes of
// it. A byte that no string holds is damage, and the string ends before it.
func (s *scanner) string(limit int) text {
	s.take(1)
	t := text{off: s.off}
	s.text = s.text[:0]
	escape := false
	for b := s.rest(); len(b) > 0; b = s.rest() {
		n := 0
		for n < len(b) && (escape || b[n] != '"') && b[n] >= ' ' {
			escape = !escape && b[n] == '\\'
			n++
		}
		s.text = append(s.text, b[:min(n, max(0, limit-len(s.text)))]...)
		t.size += int64(n)
		if s.take(n); n == len(b) {
			continue
		}
		if t.closed = b[n] == '"'; t.closed {
			s.take(1)
		} else {
			s.resync(s.off, "string in the v2 store")
		}
		break
	}
	t.text = s.text
	return t
}

// anchors are what stands before a path or a value. Inside of a string a quote has a backslash
// before it, so none of them is a part of a value.
var anchors = [][]byte{[]byte(`{"Path":"`), []byte(`{"key":"`), []byte(`,"Value":"`), []byte(`,"value":"`)}

// maxAnchor is the length of the longest anchor.
const maxAnchor = 10

// resync says that there is no JSON at off, and goes to the next anchor, or to the end of the
// store.
func (s *scanner) resync(off int64, what string) {
	s.damage(off, decode.ErrValue, "%s", what)
	s.whole, s.depth, s.pathKnown = false, 0, false
	s.take(1)
	for !s.stopped {
		s.ahead(maxAnchor)
		b := s.rest()
		at := len(b)
		for _, a := range anchors {
			if i := bytes.Index(b[:min(len(b), at+len(a))], a); i >= 0 {
				at = min(at, i)
			}
		}
		if at < len(b) || len(b) < maxAnchor {
			s.take(at)
			break
		}
		s.take(len(b) - maxAnchor + 1)
	}
	s.emit(Value{Off: off, Size: s.off - off, Gap: true})
}
