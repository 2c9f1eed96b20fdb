package naming

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// An attributor finds out to which known values the orphaned pieces of all surveys
// belong. A piece that lies on a page of its own says nothing of itself; but its
// bytes may occur in a copy of a known key, in any region of any file.
type attributor struct {
	index   *carve.Index
	surveys []*seen.Evidence
	pieces  []pieceOf             // by their number in index
	owners  map[int32][]ownership // by the same number
}

type pieceOf struct {
	in *seen.Evidence
	seen.Piece
}

// An ownership says that the bytes lo to hi of a piece occur in a value.
type ownership struct {
	lo, hi    int32
	key       string
	rev       mvcc.Revision // 0 if several revisions have the same bytes
	create    int64
	version   int64
	start     bool // lo is the start of the value
	reachable bool // a record of the tree has the bytes
	plaintext bool
	stored    seen.StorageID // in the survey of the piece
}

// Attribute compares the pieces of all surveys with every value that any of them
// has, and turns those that occur in one into sightings. What belongs to none is in
// the survey's unattributed. The error is that of ctx.
func Attribute(ctx context.Context, evs []*seen.Evidence) error {
	a := &attributor{index: carve.NewIndex(), surveys: evs, owners: map[int32][]ownership{}}
	for _, ev := range evs {
		for _, p := range ev.Pieces {
			b, err := ev.ReadPiece(p)
			if err != nil {
				continue // the disk tells (addUnread), as of all values that are read again
			}
			if id, ok := a.index.Add(b); ok {
				for len(a.pieces) <= id {
					a.pieces = append(a.pieces, pieceOf{})
				}
				a.pieces[id] = pieceOf{ev, p}
			} else {
				ev.Unattributed = append(ev.Unattributed, p)
			}
		}
		ev.Pieces = nil
	}
	if len(a.pieces) > 0 {
		for _, ev := range evs {
			if err := a.values(ctx, ev); err != nil {
				return err
			}
		}
	}
	for id, p := range a.pieces {
		if p.in != nil {
			a.settle(int32(id), p)
		}
	}
	for _, ev := range evs {
		mergePieces(ev)
	}
	return nil
}

// values compares all values of a survey with the pieces.
func (a *attributor) values(ctx context.Context, ev *seen.Evidence) error {
	return ev.EachValue(ctx, func(v *seen.Value) error {
		if len(v.Value) >= carve.MinMatch {
			a.value(v)
		}
		return nil
	})
}

// value compares one value with the pieces.
func (a *attributor) value(v *seen.Value) {
	value := v.Value
	o := ownership{rev: v.Rev, create: v.Create, version: v.Version, reachable: v.Place == seen.InTree, plaintext: !envelope.IsEncrypted(value)}
	for c := range a.index.Candidates(value) {
		p := a.pieces[c.Piece]
		b, err := p.in.ReadPiece(p.Piece)
		if err != nil {
			continue // it could be read before: what changed meanwhile is told elsewhere
		}
		lo, hi, ok := c.Match(b, value)
		if !ok {
			continue
		}
		o.key, o.lo, o.hi, o.start = string(v.Key), int32(lo), int32(hi), lo+c.Delta == 0
		o.stored, _ = p.in.Keys.Parse(value, 0)
		a.own(int32(c.Piece), o)
	}
}

// own notes that a part of a piece belongs to a value. Of several values that have
// the same bytes, one in the tree counts before the others.
func (a *attributor) own(id int32, o ownership) {
	owners := a.owners[id]
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
		a.owners[id] = append(owners, o)
	}
}

// maxOwners bounds the values that one piece may belong to. On a page there is room
// for several, but not for many that left no record.
const maxOwners = 64

// settle turns what is known of a piece into sightings. Where bytes occur in values
// of several keys, that of a watched key counts, and else the first.
func (a *attributor) settle(id int32, p pieceOf) {
	ev, owners := p.in, a.owners[id]
	slices.SortFunc(owners, func(x, y ownership) int {
		return cmp.Or(cmp.Compare(x.lo, y.lo), seen.CompareBool(ev.Interest.KeepsKey([]byte(y.key)), ev.Interest.KeepsKey([]byte(x.key))), cmp.Compare(y.hi, x.hi), cmp.Compare(x.key, y.key))
	})
	end := int32(0)
	for _, o := range owners {
		if o.lo = max(o.lo, end); o.lo >= o.hi {
			continue
		}
		leave(ev, p.Piece, end, o.lo)
		attributed(ev, p.Piece, o)
		end = o.hi
	}
	leave(ev, p.Piece, end, p.Size)
}

// leave notes that the bytes lo to hi of a piece belong to nothing known.
func leave(ev *seen.Evidence, p seen.Piece, lo, hi int32) {
	if lo < hi {
		ev.Unattributed = append(ev.Unattributed, seen.Piece{Off: p.Off + int64(lo), Size: hi - lo, File: p.File, Class: p.Class})
	}
}

// attributed keeps a piece of a value of which the key is known now.
func attributed(ev *seen.Evidence, p seen.Piece, o ownership) {
	size := int64(o.hi - o.lo)
	if !ev.Interest.KeepsKey([]byte(o.key)) && ev.Disguised[o.key].Name == "" || ev.Interest.Only == "" && !o.plaintext {
		ev.Counts.Other += size
		return
	}
	ev.Counts.Fragments++
	at := seen.Copy{
		Key: o.key, Place: seen.InPieces, File: p.File, Off: p.Off + int64(o.lo), Size: size,
		Rev: o.rev, Create: o.create, Version: o.version, Object: o.start, Reread: o.reachable, Storage: o.stored, Owned: true,
	}
	if p.File == seen.DbFile && ev.DB.PageSize > 0 {
		at.Page = report.PageAt(at.Off, ev.DB.PageSize)
		if number, _ := at.Page.Number(); ev.Tree != nil && page.ID(number) >= ev.Tree.HighWater() {
			at.Place = seen.InTail
		}
	}
	ev.Owned = append(ev.Owned, at)
}

// mergePieces makes one extent of pieces that lie side by side: of sightings of the
// same key, and of what belongs to nothing.
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
	mergeOwned(ev)
	if ev.Skipped > 0 {
		ev.AddDamage(&decode.FormatError{Off: 0, Err: decode.ErrLimit,
			What: fmt.Sprintf("%d orphaned pieces and %d bytes more, which were not compared with known values", seen.MaxPieces, ev.Skipped)})
	}
}

// mergeOwned joins orphaned pieces of one value that lie side by side, and keeps them.
func mergeOwned(ev *seen.Evidence) {
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
