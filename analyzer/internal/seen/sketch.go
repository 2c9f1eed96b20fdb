package seen

import (
	"container/heap"
	"encoding/binary"
	"hash/maphash"

	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// sketchSize is how many hashes a Sketch keeps.
const sketchSize = 4096

// A Sketch tells how much two sets of records have in common, whatever their sizes are: it keeps
// the smallest hashes of all. Two sets that share a part share about that part of these.
type Sketch struct {
	kept  hashHeap
	known map[uint64]bool
}

// add takes a record: its key, revision and value.
func (s *Sketch) add(seed maphash.Seed, r *mvcc.Record) {
	var h maphash.Hash
	h.SetSeed(seed)
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(r.Revision.Main))
	binary.LittleEndian.PutUint64(b[8:], uint64(r.Revision.Sub))
	_, _ = h.Write(b[:])
	_, _ = h.Write(r.Key)
	_ = h.WriteByte(0)
	_, _ = h.Write(r.Value)
	sum := h.Sum64()
	full := len(s.kept) == sketchSize
	if full && sum >= s.kept[0] || s.known[sum] {
		return
	}
	if s.known == nil {
		s.known = map[uint64]bool{}
	}
	if full {
		delete(s.known, heap.Pop(&s.kept).(uint64))
	}
	heap.Push(&s.kept, sum)
	s.known[sum] = true
}

// Shared is the part of the smaller set that the other has, too, from 0 to 1: as far as the hashes
// tell.
func (s *Sketch) Shared(o *Sketch) float64 {
	smaller := min(len(s.kept), len(o.kept))
	if smaller == 0 {
		return 0
	}
	n := 0
	for sum := range s.known {
		if o.known[sum] {
			n++
		}
	}
	return float64(n) / float64(smaller)
}

// A hashHeap has the largest hash first.
type hashHeap []uint64

func (h hashHeap) Len() int           { return len(h) }
func (h hashHeap) Less(i, j int) bool { return h[i] > h[j] }
func (h hashHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashHeap) Push(x any)        { *h = append(*h, x.(uint64)) }

func (h *hashHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
