package carve

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// MinMatch is the least length at which bytes that occur both in a piece and in a value count
// as coming from the value. Shorter ones may be what objects have in common, such as the type
// of a Secret and what the API server writes behind it.
const MinMatch = 48

const (
	anchorSize  = 24 // bytes to hash at an anchor
	maxAnchors  = 8  // in one piece, spread over it
	minDistinct = 8  // different bytes in an anchor: a period of less tells nothing
	maxChain    = 64 // pieces kept that share an anchor
	filterBits  = 20 // of the hash, in a bitmap before the map
)

// anchorBytes are what an anchor starts with, if a piece has them in a good place. A search
// of a value stops at each byte that any anchor starts with, so there should be few. The
// first are frequent in text, base64 and protobuf.
var anchorBytes = []byte("eaA0\x12Z")

// An Index finds the known values in which pieces lie, at any alignment. It does not keep the
// pieces, only about 200 bytes for each, and grows with nothing else.
//
// Each piece has up to 8 anchors: 24 bytes that begin with one of a few bytes. A search looks
// for those bytes in a value, and hashes there alone.
type Index struct {
	pieces int
	starts [256]bool        // bytes that any anchor starts with
	filter []uint64         // bitmap of the hashes
	first  map[uint64]int32 // in anchors, by hash
	anchor []anchor
}

type anchor struct {
	piece int32
	at    int32 // in the piece
	next  int32 // in Index.anchor, with the same hash; -1 at the end
}

// NewIndex returns an empty Index.
func NewIndex() *Index {
	return &Index{filter: make([]uint64, 1<<(filterBits-6)), first: map[uint64]int32{}}
}

// Add adds a piece. Pieces have numbers from 0. It is false, and the piece has no number, if
// nothing in it is distinctive: it is shorter than 24 bytes, or repeats itself every few
// bytes.
func (x *Index) Add(piece []byte) (id int, ok bool) {
	part := max(anchorSize, (len(piece)+maxAnchors-1)/maxAnchors)
	for start := 0; start+anchorSize <= len(piece); start += part {
		at := findAnchor(piece[start:min(len(piece), start+part+anchorSize-1)])
		if at >= 0 && x.addAnchor(piece, start+at) {
			ok = true
		}
	}
	if !ok {
		return 0, false
	}
	x.pieces++
	return x.pieces - 1, true
}

// findAnchor returns where in b an anchor should be, -1 for nowhere.
func findAnchor(b []byte) int {
	for _, c := range anchorBytes {
		for at := 0; at+anchorSize <= len(b); at++ {
			i := bytes.IndexByte(b[at:len(b)-anchorSize+1], c)
			if i < 0 {
				break
			}
			if at += i; isDistinctive(b[at : at+anchorSize]) {
				return at
			}
		}
	}
	for at := 0; at+anchorSize <= len(b); at++ {
		if isDistinctive(b[at : at+anchorSize]) {
			return at
		}
	}
	return -1
}

// isDistinctive tells bytes that do not repeat themselves at once.
func isDistinctive(b []byte) bool {
	var seen [4]uint64
	n := 0
	for _, c := range b {
		if bit := uint64(1) << (c & 63); seen[c>>6]&bit == 0 {
			seen[c>>6] |= bit
			n++
		}
	}
	return n >= minDistinct
}

func (x *Index) addAnchor(piece []byte, at int) bool {
	h := hash(piece[at:])
	first, known := x.first[h]
	if !known {
		first = -1
	}
	n := 0
	for i := first; i >= 0; i = x.anchor[i].next {
		if x.anchor[i].piece == int32(x.pieces) {
			return true // the same bytes twice in one piece
		}
		if n++; n == maxChain {
			return false
		}
	}
	x.first[h] = int32(len(x.anchor))
	x.anchor = append(x.anchor, anchor{int32(x.pieces), int32(at), first})
	x.filter[h>>(64-filterBits)/64] |= 1 << (h >> (64 - filterBits) % 64)
	x.starts[piece[at]] = true
	return true
}

// hash mixes the anchorSize bytes at the start of b.
func hash(b []byte) uint64 {
	h := binary.LittleEndian.Uint64(b)*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(b[8:])*0xbf58476d1ce4e5b9
	h = (h>>29 ^ h) + binary.LittleEndian.Uint64(b[16:])
	h *= 0x94d049bb133111eb
	return h ^ h<<31
}

// A Candidate is a piece that may have bytes of a value: byte i of the piece would
// be byte i+Delta of the value.
type Candidate struct {
	Piece int
	Delta int
	at    int // of the anchor, in the piece
}

// Candidates yields the pieces that share an anchor with value. One piece may come several
// times, with other deltas too.
func (x *Index) Candidates(value []byte) iter.Seq[Candidate] {
	return func(yield func(Candidate) bool) {
		if len(value) < anchorSize {
			return
		}
		for c := range x.starts {
			if x.starts[c] && !x.candidates(value, byte(c), yield) {
				return
			}
		}
	}
}

// candidates yields the pieces with an anchor that starts with c.
func (x *Index) candidates(value []byte, c byte, yield func(Candidate) bool) bool {
	end := len(value) - anchorSize + 1
	for at := 0; at < end; at++ {
		i := bytes.IndexByte(value[at:end], c)
		if i < 0 {
			break
		}
		at += i
		h := hash(value[at:])
		if x.filter[h>>(64-filterBits)/64]&(1<<(h>>(64-filterBits)%64)) == 0 {
			continue
		}
		i32, ok := x.first[h]
		if !ok {
			continue
		}
		for i := i32; i >= 0; i = x.anchor[i].next {
			a := x.anchor[i]
			if !yield(Candidate{int(a.piece), at - int(a.at), int(a.at)}) {
				return false
			}
		}
	}
	return true
}

// minMost is the least length at which most bytes of a piece count as coming from a value that
// the rest of the piece does not fit.
const minMost = 4 * MinMatch

// Match tells which bytes of the piece, from lo up to hi, come from value. They do if piece
// and value are equal around the anchor as far as both go: back to the start of one of them,
// and on to the end of one of them. Mere boilerplate, which many objects have in common, ends
// before that. Where they are not, they still do if seven in eight bytes of the piece are equal
// side by side: a few bytes of another origin lie at an end of the piece.
func (c Candidate) Match(piece, value []byte) (lo, hi int, ok bool) {
	lo, hi = max(0, -c.Delta), min(len(piece), len(value)-c.Delta)
	if lo > c.at || c.at+anchorSize > hi || hi-lo < min(MinMatch, len(piece)) {
		return 0, 0, false
	}
	if bytes.Equal(piece[lo:hi], value[lo+c.Delta:hi+c.Delta]) {
		return lo, hi, true
	}
	end := c.at + commonPrefix(piece[c.at:hi], value[c.at+c.Delta:hi+c.Delta])
	start := c.at
	for start > lo && piece[start-1] == value[start-1+c.Delta] {
		start--
	}
	if end-c.at < anchorSize || end-start < minMost || 8*(end-start) < 7*len(piece) {
		return 0, 0, false
	}
	return start, end, true
}

// commonPrefix is how many bytes at the start of a and b, which are of one length, are equal.
func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
