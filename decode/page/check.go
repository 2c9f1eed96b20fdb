package page

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/decode"
)

// This file reports what bbolt's own check reports beyond single pages: keys that belong
// behind their page, and pages that neither the tree nor the freelist has.
//
// Source: Tx.Check in go.etcd.io/bbolt/tx_check.go.

// A bound holds in four bytes the key that all keys below a page must come before: the next
// key of the branch page that leads here, or of one above. That key and the first of the page
// share a beginning, and so do all keys between them. Its length and the two bytes behind it
// decide nearly every page of a healthy file.
//
//	bits 16 to 31   length of the common beginning plus 1; 0 where there is no bound
//	bits  0 to 15   the two bytes of the next key behind it, 0 where it ends before
type bound uint32

// maxBoundKey is bbolt's limit on the size of a key, in bytes.
const maxBoundKey = 32768

// boundOf is the bound of a page that starts with the key first, in front of one that
// starts with next; next is nil if the page is the last of its tree.
func boundOf(first, next []byte) bound {
	n := commonPrefix(first, next)
	if n >= len(next) || n > maxBoundKey {
		return 0 // no next, or keys out of order: reported elsewhere
	}
	return bound(n+1)<<16 | bound(byteAt(next, n))<<8 | bound(byteAt(next, n+1))
}

// A position is where a key lies in relation to a bound.
type position int

const (
	before position = iota
	behind
	undecided // two bytes do not tell
)

// position is where the key last lies. It is not before first, which starts the page.
func (b bound) position(first, last []byte) position {
	n := int(b>>16) - 1
	if n < 0 {
		return before
	}
	switch {
	case len(first) < n || !bytes.HasPrefix(last, first[:n]):
		return behind
	case len(last) == n:
		return before // the next key is longer
	}
	for i, want := range []byte{byte(b >> 8), byte(b)} {
		if got := byteAt(last, n+i); got != want {
			if got < want {
				return before
			}
			return behind
		}
	}
	return undecided
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// A keyExtent is where a key lies in the file; size 0 means none.
type keyExtent struct {
	off  int64
	size int
}

// upper is the key that all keys of p must come before, nil if there is none. It reads the
// key again: pages that wait for their turn must hold no memory.
func (w *walker) upper(p Page, v visit) []byte {
	if v.next.size == 0 {
		return nil
	}
	key, err := w.readAt(v.next.off, v.next.size)
	if err != nil {
		w.tree.addDamage(&decode.FormatError{Off: v.next.off, What: fmt.Sprintf("key behind page %v", p.ID), Err: err})
		return nil
	}
	return key
}

// nexts gives the key that follows element i of the branch page p: that of the next element,
// or upper, which v.next names. It checks that the last key of p comes before upper. Its
// result is valid until the next call.
func (w *walker) nexts(p Page, v visit, upper []byte) func(i int) ([]byte, keyExtent) {
	elements := w.elements[:0]
	for e, err := range p.BranchElements() {
		if err != nil {
			return func(int) ([]byte, keyExtent) { return nil, keyExtent{} } // the damage is reported
		}
		if len(e.Key) > maxBoundKey {
			w.tree.addDamage(&decode.FormatError{Off: p.Off + int64(e.start), Err: decode.ErrLimit,
				What: fmt.Sprintf("page %v, branch element %d, key of %d bytes", p.ID, e.Index, len(e.Key))})
		}
		elements = append(elements, e)
	}
	w.elements = elements
	if len(elements) > 0 && v.first != 0 && keySum(elements[0].Key) != v.first {
		upper = nil // another page than belongs here, which Sweep reports
	}
	if n := len(elements); n > 0 && upper != nil && bytes.Compare(elements[n-1].Key, upper) >= 0 {
		w.tree.addDamage(&decode.FormatError{Off: p.Off, Err: decode.ErrOrder, What: fmt.Sprintf("page %v, %s", p.ID, tooFar)})
	}
	return func(i int) ([]byte, keyExtent) {
		if i+1 >= len(elements) {
			return upper, v.next
		}
		e := elements[i+1]
		if len(e.Key) > maxBoundKey {
			return nil, keyExtent{}
		}
		return e.Key, keyExtent{p.Off + int64(e.start), len(e.Key)}
	}
}

// tooFar is what is wrong with a page whose keys reach past its place in the tree.
const tooFar = "last key, which does not come before that of the branch element behind the one that leads here"

// maxUndecided is how many undecided leaves decide looks up together.
const maxUndecided = 4096

// A lastKey is the last key of a leaf, and its bucket.
type lastKey struct {
	bucket int
	key    []byte
}

// checkLast compares the last key of a leaf with the key behind the page. LeafElements
// reports keys inside it that are out of order.
func (s *sweeper) checkLast(p Page, m pageMark) {
	if m.bound == 0 || p.Use != Leaf || p.Header.Flags != FlagLeaf || p.Header.Count == 0 {
		return
	}
	first, last := p.elementKey(0), p.elementKey(int(p.Header.Count)-1)
	if first == nil || last == nil {
		return // damaged, and reported
	}
	switch m.bound.position(first, last) {
	case behind:
		s.damage(p.Off, p.ID, tooFar, decode.ErrOrder)
	case undecided:
		if s.undecided == nil {
			s.undecided = map[ID]lastKey{}
		}
		if s.undecided[p.ID] = (lastKey{p.Bucket, bytes.Clone(last)}); len(s.undecided) == maxUndecided {
			s.decide()
		}
	}
}

// elementKey is the key of element i of a leaf page, nil if it does not lie in the page.
func (p Page) elementKey(i int) []byte {
	l := layout{page: p}
	c := l.header(i)
	_, pos, ksize := c.Uint32(), c.Uint32(), c.Uint32()
	start := uint64(HeaderSize+i*ElementSize) + uint64(pos)
	if c.Short() || start+uint64(ksize) > uint64(len(p.Data)) {
		return nil
	}
	return p.Data[start : start+uint64(ksize)]
}

// decide looks up the last keys that checkLast put aside. A key that leads to another leaf
// than its own does not come before the key behind its leaf. In a tree with damage nothing is
// left to say.
func (s *sweeper) decide() {
	treeDamage := len(s.tree.Damage)
	if s.tree.listDamage {
		treeDamage--
	}
	if len(s.undecided) == 0 || s.flawed || treeDamage > 0 || s.tree.Deeper {
		s.undecided = nil
		return
	}
	leaves := slices.SortedFunc(maps.Keys(s.undecided), func(a, b ID) int {
		x, y := s.undecided[a], s.undecided[b]
		return cmp.Or(cmp.Compare(x.bucket, y.bucket), bytes.Compare(x.key, y.key))
	})
	d := descent{walker: walker{File: s.File, tree: &Tree{highWater: s.tree.highWater}, overflow: 2 * s.size, page: make([]byte, s.PageSize)}, marks: s.tree}
	for _, id := range leaves {
		last := s.undecided[id]
		switch leaf, ok := d.leafOf(s.tree.Buckets[last.bucket].Root, last.key); {
		case !ok && len(d.tree.Damage) == 0:
			s.damage(int64(id)*int64(s.PageSize), id, "depth in its tree", decode.ErrLimit)
		case ok && leaf != id:
			s.damage(int64(id)*int64(s.PageSize), id, tooFar, decode.ErrOrder)
		}
	}
	for _, e := range d.tree.Damage { // the disk no longer gives what it gave before
		s.damage(e.Off, ID(e.Off/int64(s.PageSize)), "read once more", errors.Unwrap(e))
	}
	s.undecided = nil
}

// maxDepth bounds the depth of the tree for a lookup: with two children a page, half of it
// holds all pages of the largest file.
const maxDepth = 64

// A descent looks up keys in a tree without damage. Consecutive keys share most of their way.
type descent struct {
	walker
	marks *Tree
	way   []Page // branch pages of the last lookup, from the root down
}

// leafOf is the leaf below root where key belongs. It is false where the tree is too deep, or
// where the disk does not give a page of it; the walker's damage then says so.
func (d *descent) leafOf(root ID, key []byte) (leaf ID, ok bool) {
	id := root
	for level := range maxDepth {
		if d.marks.at(id).use() != Branch {
			return id, true
		}
		if level >= len(d.way) || d.way[level].ID != id {
			p, ok := d.readRun(visit{id: id})
			if !ok {
				return 0, false
			}
			p.Use, p.Data = Branch, bytes.Clone(p.Data)
			d.way = append(d.way[:level], p)
		}
		for e := range d.way[level].BranchElements() {
			if e.Index > 0 && bytes.Compare(e.Key, key) > 0 {
				break
			}
			id = e.Child
		}
	}
	return 0, false
}

// checkLost checks that the freelist has all pages that the tree does not reach. What a tree
// with damage does not reach proves nothing.
func (s *sweeper) checkLost() {
	if s.list.Use != Freelist || s.flawed || s.badList || len(s.tree.Damage) > 0 || s.tree.Deeper {
		return
	}
	free := slices.Clone(s.free)
	slices.Sort(free)
	lost, first := 0, ID(0)
	for id := ID(2); id < s.tree.highWater; id++ {
		if s.tree.at(id) != 0 {
			continue
		}
		if _, listed := slices.BinarySearch(free, id); listed {
			continue
		}
		if lost++; lost == 1 {
			first = id
		}
	}
	if lost > 0 {
		s.damage(s.list.Off, s.list.ID, fmt.Sprintf("freelist, without %d pages that the tree has not either, the first page %v", lost, first), decode.ErrMissing)
	}
}
