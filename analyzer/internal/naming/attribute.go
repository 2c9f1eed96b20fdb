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
}

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
	a := &attributor{index: carve.NewIndex(), owners: map[int][]owner{}}
	for _, ev := range evs {
		for _, p := range ev.Pieces {
			b, err := ev.ReadPiece(p)
			if err != nil {
				continue // AddUnread tells, as of all bytes that are read again
			}
			if _, ok := a.index.Add(b); ok {
				a.pieces = append(a.pieces, pieceOf{p, ev})
			} else {
				ev.Unattributed = append(ev.Unattributed, p)
			}
		}
		ev.Pieces = nil
	}
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
	for c := range a.index.Candidates(v.Value) {
		p := a.pieces[c.Piece]
		if p.liesIn(v) || !o.plaintext && p.Class == carve.Text {
			continue // no ciphertext has text in it
		}
		b, err := p.in.ReadPiece(p.Piece)
		if err != nil {
			continue // newAttributor could read it; AddUnread tells
		}
		lo, hi, ok := c.Match(b, v.Value)
		if !ok {
			continue
		}
		o.key, o.lo, o.hi, o.start = string(v.Key), int32(lo), int32(hi), lo+c.Delta == 0
		parse := p.in.Keys.ParseStorage
		if v.Whole {
			parse = p.in.Keys.ParseWhole
		}
		o.storage, _ = parse(v.Value, 0)
		a.add(c.Piece, o)
	}
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

// assign gives each byte of p to one of its owners, or to Unattributed. The owner that starts first
// comes first. Of those that start together a watched key does, then the longest.
func (p pieceOf) assign(owners []owner) {
	watched := func(o owner) bool { return p.in.Interest.KeepsKey([]byte(o.key)) }
	slices.SortFunc(owners, func(x, y owner) int {
		return cmp.Or(
			cmp.Compare(x.lo, y.lo),
			seen.CompareBool(watched(y), watched(x)),
			cmp.Compare(y.hi, x.hi),
			cmp.Compare(x.key, y.key),
		)
	})
	end := int32(0)
	for _, o := range owners {
		if o.lo = max(o.lo, end); o.lo >= o.hi {
			continue
		}
		p.leave(end, o.lo)
		p.give(o)
		end = o.hi
	}
	p.leave(end, p.Size)
}

// leave puts the bytes lo to hi of p into Unattributed.
func (p pieceOf) leave(lo, hi int32) {
	if lo < hi {
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
	slices.SortStableFunc(ev.Owned, func(a, b seen.Copy) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Off, b.Off))
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
	for _, at := range merged {
		ev.Keep(at)
	}
	ev.Owned = nil
}
