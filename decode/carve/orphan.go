package carve

import (
	"bytes"
	"encoding/binary"
	"iter"

	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

const (
	// minZeros is how many zeros side by side separate one orphan from the next. Only padding
	// puts as many into a value.
	minZeros = 64

	maxOrphan = 1 << 20 // of those put together
)

// orphans yields what lies between start and end, and reports whether to go on.
func (s *scanner) orphans(start, end int, yield func(Find) bool) bool {
	var open Find
	emit := func() bool {
		return open.Bytes == nil || yield(open)
	}
	for i, p := range pieces(s.b[:end], start, s.grid) {
		class := Classify(p)
		last := int(open.Off-s.off) + len(open.Bytes)
		joined := open.Bytes != nil && class == open.Class && i-last < minZeros &&
			s.grid.before(last-1) != s.grid.before(i) && i+len(p)-int(open.Off-s.off) <= maxOrphan
		if joined {
			from := int(open.Off - s.off)
			open.Bytes = s.b[from : i+len(p) : i+len(p)]
			continue
		}
		if !emit() {
			return false
		}
		open = Find{Kind: Orphan, Off: s.off + int64(i), Bytes: p, Class: class}
	}
	return emit()
}

// Pieces takes an orphan apart at the block boundaries in it, and at 64 or more zeros, and
// yields each piece with its file offset, without zeros at its ends. All bytes of a piece are
// of one origin, unless one origin ends and another begins with no such gap.
func Pieces(b []byte, off int64, block int) iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		for i, p := range pieces(b, 0, newGrid(off, block)) {
			if !yield(off+int64(i), p) {
				return
			}
		}
	}
}

// pieces yields the pieces of b[start:] with their positions in b.
func pieces(b []byte, start int, g grid) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for start < len(b) {
			end := min(len(b), g.after(start))
			gap, gapEnd := zeroRun(b[:end], start)
			if i, p := trimZeros(b, start, gap); len(p) > 0 && !yield(i, p) {
				return
			}
			start = gapEnd
		}
	}
}

// trimZeros returns b[start:end] without the zeros at its ends, and where it starts.
func trimZeros(b []byte, start, end int) (int, []byte) {
	p := bytes.TrimRight(b[start:end], "\x00")
	trimmed := bytes.TrimLeft(p, "\x00")
	start += len(p) - len(trimmed)
	return start, trimmed[:len(trimmed):len(trimmed)]
}

// zeroRun finds the first run of minZeros or more zeros from start on. Without such a run,
// both its start and its end are the end of b.
func zeroRun(b []byte, start int) (from, to int) {
	// A run holds eight zeros at every multiple of 32 that it spans.
	const stride = 32
	for i := start; i+8 <= len(b); i += stride {
		if binary.LittleEndian.Uint64(b[i:]) != 0 {
			continue
		}
		from, to = i, zerosUpTo(b, i)
		for from > start && b[from-1] == 0 {
			from--
		}
		if to-from >= minZeros {
			return from, to
		}
		i = (to-start)/stride*stride + start // the end of a short run is behind i
	}
	return len(b), len(b)
}

// zerosUpTo returns where the zeros at i end.
func zerosUpTo(b []byte, i int) int {
	const step = 1024 // many at once are compared much faster than one by one
	for len(b)-i >= step && raw.IsZero(b[i:i+step]) {
		i += step
	}
	for i < len(b) && b[i] == 0 {
		i++
	}
	return i
}
