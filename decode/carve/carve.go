// Package carve looks at bytes that no intact record of bbolt covers: the pages of an
// overflow run after bbolt used its first page again, gaps between records, slack. Scan tells
// what is in them. Classify tells text from ciphertext. An Index finds in which known value a
// piece of such bytes lies.
//
// Nothing here is certain in the way of a checksum: a carved record has fields that make
// sense, and a class is the outcome of a statistical test. Each doc comment says what can go
// wrong, and how often it does.
package carve

import (
	"iter"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A Kind is what a Find is.
type Kind uint8

const (
	Orphan   Kind = iota // bytes that say nothing of themselves
	Record               // an mvccpb.KeyValue, known by its head
	Object               // a plaintext object without a head
	Envelope             // an encrypted value without a head
)

func (k Kind) String() string {
	switch k {
	case Record:
		return "record"
	case Object:
		return "object"
	case Envelope:
		return "envelope"
	}
	return "orphan"
}

// A Find is what Scan found, and the bytes that it covers. Bytes, Value and the slices in
// Envelope alias the scanned bytes; the strings do not.
type Find struct {
	Kind  Kind
	Off   int64  // file offset of Bytes
	Bytes []byte // all that the find covers

	// Value is what is there of the stored value: of a Record without its head; nil for an
	// Orphan, because nobody knows.
	Value    []byte
	ValueOff int64 // file offset of Value

	// Complete says that all of the value is there: its length fits, and where it goes
	// over the end of a block, it ends as its form demands. A block in its middle may
	// still be another's. Of an Envelope without a head only KMS v2 can be complete.
	Complete bool

	Head // of a Record
	// Claimed is how long the value of a Record is by its head, in bytes: more than Value has
	// where some of it is not there, or cannot belong to it.
	Claimed int

	// Of an Object, as far as they could be read and can be what they stand for.
	object.TypeMeta
	Namespace, Name string

	Envelope envelope.Envelope // of an Envelope
	Class    Class             // of an Orphan
}

// A Head is what stands before the value of an mvccpb.KeyValue, and the lease
// behind it.
type Head struct {
	Key            string
	CreateRevision int64
	ModRevision    int64
	Version        int64
	Lease          int64 // of a value that is all there

	// Sub is the sub revision, from the key of the bucket before the KeyValue; SubKnown is
	// false if that is gone. A Tombstone has Key, ModRevision and Sub alone.
	Sub       int64
	SubKnown  bool
	Tombstone bool
}

// Scan yields what is in b, one contiguous extent at file offset off, in order of position.
// Its finds do not overlap, and every byte that is not zero is in one of them. block is the
// size of a page: at each file offset that is a multiple of it, bytes of another origin may
// begin.
//
// It finds, in this order of preference:
//
//   - Records: the KeyValue behind an intact key of the bucket, whatever its value
//     is; and without that key, one whose value starts with k8s\x00, k8s:enc: or {".
//     It finds keys of more than 4 KiB in the first way only.
//   - Objects: k8s\x00 and a runtime.Unknown with a valid type, or a JSON object with
//     one. Of JSON that is cut, either apiVersion or kind is enough if it comes first.
//   - Envelopes: k8s:enc: with a provider that is known, or a name behind a version.
//     Their length is known in KMS v2 only. Others end at the end of the block, at the
//     next find, at 32 bytes of ASCII text, or before the zeros there.
//   - Orphans: all else, split at block boundaries and at 64 or more zeros, without
//     the zeros at both ends. Those of one class side by side in different blocks
//     come as one, of up to 1 MiB: Pieces takes it apart again.
//
// A value that goes on in further blocks ends before the block in which another record
// starts. If its own form is not whole, it also ends before a block in which an object or
// envelope starts, and before one that is zero or looks random. The value of an envelope ends
// before a block that does not look random: plaintext must not hide behind the length that a
// ciphertext once had.
//
// Scan takes time linear in len(b), on any bytes, and allocates only the strings of the
// finds.
func Scan(b []byte, off int64, block int) iter.Seq[Find] {
	return func(yield func(Find) bool) {
		s := newScanner(b, off, block)
		for pos := 0; pos < len(b); {
			h, ok := s.next(pos)
			if !ok {
				h.start, h.end = len(b), len(b)
			}
			if !s.orphans(pos, h.start, yield) || ok && !yield(s.find(h)) {
				return
			}
			pos = h.end
		}
	}
}

// A scanner is the state of one Scan.
type scanner struct {
	b     []byte
	off   int64
	grid  grid
	marks marks

	// What the Scan may yet spend on attempts that come to nothing. Otherwise hostile bytes
	// could make each of many attempts look at all that follows.
	keyTries  int // lengths of a key tried
	jsonBytes int // bytes of JSON read
}

// How often the Scan may look at each byte in vain.
const (
	keyEffort  = 16
	jsonEffort = 4
)

func newScanner(b []byte, off int64, block int) *scanner {
	return &scanner{
		b: b, off: off, grid: newGrid(off, block), marks: newMarks(b),
		keyTries: keyEffort * (len(b) + maxKey), jsonBytes: jsonEffort * (len(b) + maxKey),
	}
}

// find makes the Find of a hit.
func (s *scanner) find(h hit) Find {
	f := h.Find
	f.Off, f.Bytes = s.off+int64(h.start), s.b[h.start:h.end:h.end]
	if h.value <= h.end {
		end := max(h.value, h.end-h.behind)
		f.Value, f.ValueOff = s.b[h.value:end:end], s.off+int64(h.value)
	}
	if f.Kind == Envelope {
		f.Envelope, _ = envelope.Parse(f.Value, f.ValueOff)
	}
	return f
}

// A grid is where blocks begin in an extent.
type grid struct {
	base, block int // base is how far into its block the extent starts
}

// maxBlock bounds what counts as the size of a page, far over any.
const maxBlock = 1 << 30

func newGrid(off int64, block int) grid {
	if block <= 0 || block > maxBlock {
		block = maxBlock
	}
	return grid{int(uint64(off) % uint64(block)), block}
}

// after is where the next block behind position i begins.
func (g grid) after(i int) int { return i + g.block - (g.base+i)%g.block }

// before is where the block of position i begins; it may be negative.
func (g grid) before(i int) int { return i - (g.base+i)%g.block }
