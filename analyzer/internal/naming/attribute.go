package naming

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// Attribute compares the pieces of all evidence with every value that any of it has: a piece on
// a page of its own says nothing of itself, but its bytes may occur in a value of a known key,
// anywhere in any file. A piece that occurs in one becomes a Copy that is Owned; the rest goes
// to Unattributed. The error is that of ctx.
func Attribute(ctx context.Context, evs []*seen.Evidence) error {
	a := newAttributor(evs)
	if len(a.pieces) > 0 {
		compare := func(v *seen.Value) error {
			a.compare(v)
			return nil
		}
		for _, ev := range evs {
			if err := ev.EachValue(ctx, compare); err != nil {
				return err
			}
		}
	}
	for number, p := range a.pieces {
		p.assign(a.owners[number])
	}
	for _, ev := range evs {
		mergePieces(ev)
		keepOwned(ev)
		if ev.SkippedPieceBytes > 0 {
			ev.AddDamage(&decode.FormatError{Off: 0, Err: decode.ErrLimit,
				What: fmt.Sprintf("%d orphaned pieces and %d bytes more, which were not compared with known values", seen.MaxPieces, ev.SkippedPieceBytes)})
		}
	}
	return nil
}

// An attributor finds the known values in which pieces occur.
type attributor struct {
	index  *carve.Index
	pieces []pieceOf       // by their numbers in index
	owners map[int][]owner // by the same numbers; most pieces have none

	// Text that repeats itself has the same anchors at every place of it, in every piece of it. So
	// a piece that lies in a value is not compared with that once more, and the bytes that may be
	// read to compare are limited by those of all values.
	whole  []int32 // by the same numbers: the last value in which all of the piece lies, by its number
	values int32   // values so far
	room   int64   // bytes of pieces that may still be read
}

// How many bytes of pieces may be read to compare them with values: some, whatever the values
// are, and some for each byte of a value.
const (
	compareRoom   = 256 << 20
	compareEffort = 16
)

// A pieceOf is a piece and the evidence that it is of.
type pieceOf struct {
	seen.Piece
	in *seen.Evidence
}

// An owner is a value in which the bytes lo to hi of a piece occur.
type owner struct {
	lo, hi    int32
	key       string
	rev       mvcc.Revision // 0 if several revisions have the same bytes
	create    int64
	version   int64
	start     bool // lo is the start of the value
	reachable bool // a record of the tree has the bytes
	plaintext bool
	storage   seen.StorageID // in the evidence of the piece
}

// newAttributor puts the pieces of all evidence into an index. Those in which nothing is
// distinctive go to Unattributed at once.
func newAttributor(evs []*seen.Evidence) *attributor {
	a := &attributor{index: carve.NewIndex(), owners: map[int][]owner{}, room: compareRoom}
	for _, ev := range evs {
		for _, p := range ev.Pieces {
			b, err := ev.ReadPiece(p)
			if err != nil {
				continue // AddUnread tells, as of all bytes that are read again
			}
			if _, ok := a.index.Add(b); ok {
				a.pieces = append(a.pieces, pieceOf{p, ev})
			} else {
				pieceOf{p, ev}.leave(0, p.Size)
			}
		}
		ev.Pieces = nil
	}
	a.whole = make([]int32, len(a.pieces))
	return a
}

// compare compares a value with the pieces.
func (a *attributor) compare(v *seen.Value) {
	if len(v.Value) < carve.MinMatch {
		return
	}
	o := owner{
		rev: v.Rev, create: v.Create, version: v.Version,
		reachable: v.Place == seen.InTree, plaintext: !envelope.IsEncrypted(v.Value),
	}
	a.values++
	a.room += compareEffort * int64(len(v.Value))
	var in *seen.Evidence // that o.storage is of: the value may be long, and the pieces in it many
	for c := range a.index.Candidates(v.Value) {
		p := a.pieces[c.Piece]
		if a.whole[c.Piece] == a.values || a.room < int64(p.Size) {
			continue // what is not compared is left to no value
		}
		if p.liesIn(v) || !o.plaintext && p.Class == carve.Text {
			continue // no ciphertext has text in it
		}
		a.room -= int64(p.Size)
		b, err := p.in.ReadPiece(p.Piece)
		if err != nil {
			continue // newAttributor could read it; AddUnread tells
		}
		lo, hi, ok := c.Match(b, v.Value)
		if !ok {
			continue
		}
		if lo == 0 && hi == len(b) {
			a.whole[c.Piece] = a.values
		}
		o.key, o.lo, o.hi, o.start = string(v.Key), int32(lo), int32(hi), lo+c.Delta == 0
		if p.in != in {
			in, o.storage = p.in, storageIn(p.in, v)
		}
		a.add(c.Piece, o)
	}
}

// storageIn is how v was stored, in the numbers of an evidence. A broken value is stored somehow, too.
func storageIn(in *seen.Evidence, v *seen.Value) seen.StorageID {
	var storage seen.StorageID
	if v.Whole {
		storage, _ = in.Keys.ParseWhole(v.Key, v.Value, 0)
	} else {
		storage, _ = in.Keys.ParseStorage(v.Value, 0)
	}
	return storage
}

// liesIn reports whether p is a part of v itself, which proves nothing: see Unvouched.
func (p pieceOf) liesIn(v *seen.Value) bool {
	return p.in == v.In && p.File == v.File && p.Off < v.Off+int64(len(v.Value)) && v.Off < p.Off+int64(p.Size)
}

// maxOwners bounds the owners of one piece. A page has room for several values, but not for
// many that left no record.
const maxOwners = 64

// add adds an owner to the piece of that number. Of several revisions that have the same bytes,
// one in the tree counts before the others.
func (a *attributor) add(number int, o owner) {
	owners := a.owners[number]
	for i := range owners {
		have := &owners[i]
		if have.key != o.key || have.lo >= o.hi || o.lo >= have.hi {
			continue
		}
		have.lo, have.hi = min(have.lo, o.lo), max(have.hi, o.hi)
		have.start = have.start || o.start
		if have.rev != o.rev && have.reachable == o.reachable {
			have.rev, have.create, have.version = mvcc.Revision{}, 0, 0
		}
		if o.reachable && !have.reachable {
			have.rev, have.create, have.version, have.reachable = o.rev, o.create, o.version, true
		}
		return
	}
	if len(owners) < maxOwners {
		a.owners[number] = append(owners, o)
	}
}

// assign gives each byte of p to its owners, or to Unattributed. First come the owners that may be
// in scope, because a piece of a Secret that another object embeds is a piece of the Secret: of
// these the one that starts first, then the longest. Others get what is left.
//
// Two keys that have the same bytes of p both own them, and nobody knows which revision of which
// these were.
func (p pieceOf) assign(owners []owner) {
	slices.SortFunc(owners, func(x, y owner) int {
		return cmp.Or(cmp.Compare(x.lo, y.lo), cmp.Compare(y.hi, x.hi), cmp.Compare(x.key, y.key))
	})
	var inScope, others []owner
	for _, o := range owners {
		if p.mayBeInScope(o) {
			inScope = append(inScope, o)
		} else {
			others = append(others, o)
		}
	}
	end := int32(0)
	for i := 0; i < len(inScope); {
		o, same := inScope[i], i+1
		for same < len(inScope) && inScope[same].lo == o.lo && inScope[same].hi == o.hi {
			same++
		}
		equals := inScope[i:same]
		i = same
		if o.hi <= end {
			continue
		}
		p.assignOthers(end, o.lo, others)
		for _, e := range equals {
			e.lo = max(e.lo, end)
			if len(equals) > 1 {
				// If the tree has the bytes under one key alone, they may be residue of another.
				e.rev, e.create, e.version = mvcc.Revision{}, 0, 0
				e.reachable = !slices.ContainsFunc(equals, func(o owner) bool { return !o.reachable })
			}
			p.give(e)
			p.noteAlsoIn(e, others)
		}
		end = o.hi
	}
	p.assignOthers(end, p.Size, others)
}

// mayBeInScope reports whether the bytes of an owner count as an exposure of it.
func (p pieceOf) mayBeInScope(o owner) bool {
	return o.plaintext && (p.in.Interest.MayBeInScope([]byte(o.key)) || p.in.Disguised[o.key].Name != "")
}

// assignOthers gives the bytes from lo to hi of p to owners, which come in order.
func (p pieceOf) assignOthers(lo, hi int32, owners []owner) {
	for _, o := range owners {
		if o.lo = max(o.lo, lo); o.lo >= min(o.hi, hi) {
			continue
		}
		o.hi = min(o.hi, hi)
		p.leave(lo, o.lo)
		p.give(o)
		lo = o.hi
	}
	p.leave(lo, hi)
}

// maxAlsoIn bounds the other objects that are named beside one.
const maxAlsoIn = 16

// noteAlsoIn notes which others have the bytes of o, too.
func (p pieceOf) noteAlsoIn(o owner, others []owner) {
	for _, other := range others {
		names := p.in.AlsoIn[o.key]
		if other.plaintext && other.lo < o.hi && o.lo < other.hi && len(names) < maxAlsoIn && !slices.Contains(names, other.key) {
			p.in.AlsoIn[o.key] = append(names, other.key)
		}
	}
}

// leave puts the bytes lo to hi of p into Unattributed.
func (p pieceOf) leave(lo, hi int32) {
	switch {
	case lo >= hi:
	default:
		p.in.Unattributed = append(p.in.Unattributed, seen.Piece{Off: p.Off + int64(lo), Size: hi - lo, File: p.File, Class: p.Class})
	}
}

// give makes a copy of the bytes that o owns, and puts it into Owned if its key is in scope.
func (p pieceOf) give(o owner) {
	ev, size := p.in, int64(o.hi-o.lo)
	if !ev.Interest.KeepsKey([]byte(o.key)) && ev.Disguised[o.key].Name == "" || ev.Interest.OnlyKey == "" && !o.plaintext {
		ev.Residue.Other += size
		return
	}
	ev.Residue.Fragments++
	off := p.Off + int64(o.lo)
	at := seen.Copy{
		Key: o.key, Rev: o.rev, Create: o.create, Version: o.version, Storage: o.storage,
		File: p.File, Place: seen.InPieces, Off: off, Size: size, Page: ev.PageAt(p.File, off),
		Object: o.start, Reread: o.reachable, Owned: true,
	}
	if number, ok := at.Page.Number(); ok && ev.Tree != nil && page.ID(number) >= ev.Tree.HighWater() {
		at.Place = seen.InTail
	}
	ev.Owned = append(ev.Owned, at)
}

// mergePieces joins pieces in Unattributed that lie side by side.
func mergePieces(ev *seen.Evidence) {
	slices.SortFunc(ev.Unattributed, func(a, b seen.Piece) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Off, b.Off))
	})
	merged := ev.Unattributed[:0]
	for _, p := range ev.Unattributed {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if last.File == p.File && last.Class == p.Class && last.Off+int64(last.Size) == p.Off && last.Size < math.MaxInt32-p.Size {
				last.Size += p.Size
				continue
			}
		}
		merged = append(merged, p)
	}
	ev.Unattributed = merged
}

// keepOwned joins copies in Owned that are of one key and lie side by side, and keeps them.
func keepOwned(ev *seen.Evidence) {
	slices.SortStableFunc(ev.Owned, func(a, b seen.Copy) int { // two keys may own the same bytes
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Off, b.Off))
	})
	merged := ev.Owned[:0]
	for _, at := range ev.Owned {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if last.File == at.File && last.Key == at.Key && last.Place == at.Place &&
				last.Reread == at.Reread && last.Off+last.Size == at.Off {
				last.Size += at.Size
				if last.Rev != at.Rev {
					last.Rev, last.Create, last.Version = mvcc.Revision{}, 0, 0
				}
				continue
			}
		}
		merged = append(merged, at)
	}
	slices.SortStableFunc(merged, func(a, b seen.Copy) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Off, b.Off), cmp.Compare(a.Key, b.Key))
	})
	for _, at := range merged {
		ev.Keep(at)
	}
	ev.Owned = nil
}
