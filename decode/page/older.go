package page

import (
	"fmt"

	"github.com/etcdsift/etcdsift/decode"
)

// Walk follows the tree of the newest valid meta. It records in the Tree what it cannot read
// or follow, and goes on. Without a valid meta nothing is reachable.
//
// Where that tree is broken and the other meta is valid too, Walk uses the tree of the other
// if it is whole, or reaches more than twice as many pages; the Damage says so. In a data dir
// this is the tree of the transaction before, and most of it is still there. In a snapshot
// both metas lead to one tree, so there is nothing to choose.
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
		What: fmt.Sprintf("page %v, meta of transaction %d: its tree is broken, and that of transaction %d in page %v is used; %s",
			id, m.TxID, f.Metas[other].TxID, other, t.why.What),
	})
	for _, d := range append(t.Damage, damage...) {
		older.addDamage(d)
	}
	older.Dropped += t.Dropped
	older.incomplete = true
	return older
}

// Meta is the meta that the tree starts from, and its page: the newest valid one, or the
// older where the tree of the newest is broken. ok is false where neither is valid.
func (t *Tree) Meta(f *File) (m Meta, id ID, ok bool) {
	if _, _, ok := f.Meta(); !ok {
		return Meta{}, 0, false
	}
	return f.Metas[t.meta], t.meta, true
}

// Incomplete reports whether the tree is known to lack pages or to lead to others than it
// means: no meta was valid, the tree is an older one, or something in it could not be
// followed. Sweep finds more such things, so the answer is final only after it. Damage inside
// a leaf's elements does not count.
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
