package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

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
	surveys []*survey
	pieces  []pieceOf             // by their number in index
	owners  map[int32][]ownership // by the same number
}

type pieceOf struct {
	in *survey
	piece
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
	stored    storedID // in the survey of the piece
}

// attribute compares the pieces of all surveys with every value that any of them
// has, and turns those that occur in one into sightings. What belongs to none is in
// the survey's unattributed. The error is that of ctx.
func attribute(ctx context.Context, surveys []*survey) error {
	a := &attributor{index: carve.NewIndex(), surveys: surveys, owners: map[int32][]ownership{}}
	for _, s := range surveys {
		for _, p := range s.pieces {
			b, err := s.readPiece(p)
			if err != nil {
				continue // the disk tells (addUnread), as of all values that are read again
			}
			if id, ok := a.index.Add(b); ok {
				for len(a.pieces) <= id {
					a.pieces = append(a.pieces, pieceOf{})
				}
				a.pieces[id] = pieceOf{s, p}
			} else {
				s.unattributed = append(s.unattributed, p)
			}
		}
		s.pieces = nil
	}
	if len(a.pieces) > 0 {
		for _, s := range surveys {
			if err := a.values(ctx, s); err != nil {
				return err
			}
		}
	}
	for id, p := range a.pieces {
		if p.in != nil {
			a.settle(int32(id), p)
		}
	}
	for _, s := range surveys {
		s.mergePieces()
	}
	return nil
}

func (s *survey) readPiece(p piece) ([]byte, error) {
	b := make([]byte, p.size)
	if err := s.source(p.file).readAt(b, p.off); err != nil {
		return nil, readError(report.Page{}, p.off, err)
	}
	return b, nil
}

// values compares all values of a survey with the pieces.
func (a *attributor) values(ctx context.Context, s *survey) error {
	return s.eachValue(ctx, func(v *held) error {
		if len(v.value) >= carve.MinMatch {
			a.value(v)
		}
		return nil
	})
}

// value compares one value with the pieces.
func (a *attributor) value(v *held) {
	value := v.value
	o := ownership{rev: v.rev, create: v.create, version: v.version, reachable: v.place == inTree, plaintext: !envelope.IsEncrypted(value)}
	for c := range a.index.Candidates(value) {
		p := a.pieces[c.Piece]
		b, err := p.in.readPiece(p.piece)
		if err != nil {
			continue // it could be read before: what changed meanwhile is told elsewhere
		}
		lo, hi, ok := c.Match(b, value)
		if !ok {
			continue
		}
		o.key, o.lo, o.hi, o.start = string(v.key), int32(lo), int32(hi), lo+c.Delta == 0
		o.stored, _ = p.in.keys.parse(value, 0)
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
	s, owners := p.in, a.owners[id]
	slices.SortFunc(owners, func(x, y ownership) int {
		return cmp.Or(cmp.Compare(x.lo, y.lo), compareBool(s.watch.key([]byte(y.key)), s.watch.key([]byte(x.key))), cmp.Compare(y.hi, x.hi), cmp.Compare(x.key, y.key))
	})
	end := int32(0)
	for _, o := range owners {
		if o.lo = max(o.lo, end); o.lo >= o.hi {
			continue
		}
		s.leave(p.piece, end, o.lo)
		s.attributed(p.piece, o)
		end = o.hi
	}
	s.leave(p.piece, end, p.size)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// leave notes that the bytes lo to hi of a piece belong to nothing known.
func (s *survey) leave(p piece, lo, hi int32) {
	if lo < hi {
		s.unattributed = append(s.unattributed, piece{p.off + int64(lo), hi - lo, p.file, p.class})
	}
}

// attributed keeps a piece of a value of which the key is known now.
func (s *survey) attributed(p piece, o ownership) {
	size := int64(o.hi - o.lo)
	if !s.watch.key([]byte(o.key)) && s.strays[o.key].Name == "" || s.watch.only == "" && !o.plaintext {
		s.counts.Other += size
		return
	}
	s.counts.Fragments++
	at := sighting{
		key: o.key, place: inPieces, file: p.file, off: p.off + int64(o.lo), size: size,
		rev: o.rev, create: o.create, version: o.version, object: o.start, reread: o.reachable, stored: o.stored, orphan: true,
	}
	if p.file == dbFile && s.db.PageSize > 0 {
		at.page = report.PageAt(at.off, s.db.PageSize)
		if number, _ := at.page.Number(); s.tree != nil && page.ID(number) >= s.tree.HighWater() {
			at.place = inTail
		}
	}
	s.orphans = append(s.orphans, at)
}

// mergePieces makes one extent of pieces that lie side by side: of sightings of the
// same key, and of what belongs to nothing.
func (s *survey) mergePieces() {
	slices.SortFunc(s.unattributed, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.off, b.off))
	})
	merged := s.unattributed[:0]
	for _, p := range s.unattributed {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if last.file == p.file && last.class == p.class && last.off+int64(last.size) == p.off && last.size < math.MaxInt32-p.size {
				last.size += p.size
				continue
			}
		}
		merged = append(merged, p)
	}
	s.unattributed = merged
	s.mergeOrphans()
	if s.skipped > 0 {
		s.addDamage(&decode.FormatError{Off: 0, Err: decode.ErrLimit,
			What: fmt.Sprintf("%d orphaned pieces and %d bytes more, which were not compared with known values", maxPieces, s.skipped)})
	}
}

// mergeOrphans joins orphaned pieces of one value that lie side by side, and keeps them.
func (s *survey) mergeOrphans() {
	slices.SortStableFunc(s.orphans, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.off, b.off))
	})
	merged := s.orphans[:0]
	for _, at := range s.orphans {
		if n := len(merged); n > 0 {
			last := &merged[n-1]
			if last.file == at.file && last.key == at.key && last.place == at.place &&
				last.reread == at.reread && last.off+last.size == at.off {
				last.size += at.size
				if last.rev != at.rev {
					last.rev, last.create, last.version = mvcc.Revision{}, 0, 0
				}
				continue
			}
		}
		merged = append(merged, at)
	}
	for _, at := range merged {
		s.keep(at)
	}
	s.orphans = nil
}
