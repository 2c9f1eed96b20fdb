package page

import (
	"fmt"

	"github.com/etcdsift/etcdsift/decode"
)

// Walk follows the tree of the newest valid meta. What it can not read or follow is
// recorded in the Tree, and it goes on. Without a valid meta nothing is reachable.
//
// Where that tree is broken and the other meta is valid too, its tree is used if it
// is whole, or reaches more than twice as many pages; the Damage says so. In a data
// dir it is that of the transaction before, most of which is still there. In a
// snapshot both metas lead to one tree, so that there is nothing to choose.
func (f *File) Walk(depth Depth) *Tree {
	m, id, ok := f.Meta()
	t := f.walk(depth, m, id, ok)
	other := ID(1) - id
	if !ok || t.why == nil || f.MetaErrs[other] != nil || f.Metas[other].Root == m.Root {
		return t
	}
	older := f.walk(depth, f.Metas[other], other, true)
	if older.why != nil && older.claimed <= 2*t.claimed {
		return t
	}
	damage := older.Damage
	older.Damage = nil
	older.addDamage(&decode.FormatError{
		Off: int64(id) * int64(f.PageSize), Err: t.why.Err,
		What: fmt.Sprintf("page %v, meta of transaction %d: its tree is broken, and that of transaction %d in page %v is used; %s at offset %#x",
			id, m.TxID, f.Metas[other].TxID, other, t.why.What, t.why.Off),
	})
	for _, d := range append(t.Damage, damage...) {
		older.addDamage(d)
	}
	older.Dropped += t.Dropped
	older.incomplete = true
	return older
}

// Meta is the meta whose tree it is, and its page: the newest valid one, or the
// older where the tree of the newest is broken. ok is false where neither is valid.
func (t *Tree) Meta(f *File) (m Meta, id ID, ok bool) {
	if _, _, ok := f.Meta(); !ok {
		return Meta{}, 0, false
	}
	return f.Metas[t.meta], t.meta, true
}

// Incomplete reports whether pages of the tree are known to be missing or to be
// others than the tree means: no meta was valid, it is an older one, or something
// in it could not be followed. Sweep finds more such things, so that the answer is
// final only behind it; what is wrong inside of a leaf's elements is not counted.
func (t *Tree) Incomplete() bool { return t.incomplete }

// broken notes that a page of the tree could not be followed.
func (t *Tree) broken(why *decode.FormatError) {
	if t.why == nil {
		t.why = why
	}
	t.incomplete = true
}

// damaged notes damage in a page: it matters if the tree leads there.
func (t *Tree) damaged(id ID) {
	if use := t.at(id).use(); use == Branch || use == Leaf || use == overflowPage {
		t.incomplete = true
	}
}
