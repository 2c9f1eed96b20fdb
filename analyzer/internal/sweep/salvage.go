package sweep

import (
	"context"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A salvage takes records that a broken tree does not lead to any more. It reads the file once
// more, because only the end of the sweep tells that there is a need. Where the headers of
// pages are lost, records go over the ends of pages: so it carves what no record covers in
// runs that do not stop where a page begins.
type salvage struct {
	ev    *seen.Evidence
	after int64 // only records of later main revisions are wanted
	last  int64 // highest main revision that was taken; 0 before the first

	buf []byte // bytes side by side that no record covers
	off int64  // of buf in the file

	whole map[int64]bool // offsets of values of which a complete copy is kept
	swept int            // how many copies the sweep kept
	spans []span         // of values that salvage found to be complete; merge sorts them
}

// A span is the bytes of a file from off up to end.
type span struct{ off, end int64 }

// salvageKeys takes the keys that are not in the tree into the keyspace, if something of the
// tree is missing. Of a key that the tree has it takes later values, and the complete value
// where the tree's is broken. Of a db whose tree is whole it takes nothing: its free pages
// hold what was deleted. If only a meta is missing, the tree may be that of the transaction
// before: then it takes later revisions alone. The error is that of ctx.
func salvageKeys(ctx context.Context, ev *seen.Evidence) error {
	s := salvage{ev: ev, whole: map[int64]bool{}, swept: ev.Copies.Len()}
	switch f := ev.Pages; {
	case ev.Torn || ev.Tree.Incomplete() || !slices.Contains(ev.Buckets, mvcc.BucketKey):
		ev.Lost = true
	case f.MetaErrs[0] != nil || f.MetaErrs[1] != nil:
		s.after = ev.Keys.Newest
	default:
		return nil
	}
	for _, at := range ev.Copies.All() {
		if at.Complete {
			s.whole[at.Off] = true
		}
	}
	for p, err := range ev.Pages.Sweep(ev.Tree, nil) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
		case p.Inline:
			s.takeInline(p)
		default:
			s.takePage(p)
		}
	}
	s.carve(len(s.buf))
	s.merge()
	if ev.Keys.Newest == 0 {
		ev.Keys.Newest = s.last
	}
	return nil
}

// takePage takes the records of p that the tree does not have, and puts aside what lies
// between records.
func (s *salvage) takePage(p page.Page) {
	if p.Use == page.Unread || len(p.Data) >= salvageStep && page.IsZero(p.Data) {
		s.carve(len(s.buf))
		return
	}
	end := p.Covered // the page that covers these bytes has put them aside
	if holds := s.ev.Holding(p); holds != seen.HoldsNone {
		for e, err := range p.LeafElements() {
			if holds == seen.HoldsState && mvcc.IsRevision(e.Key) {
				holds = seen.HoldsResidue // of the bucket "key", and so is what stands beside it
			}
			if !seen.HoldsResidue.Takes(e, err) || !s.takeElement(holds, e) {
				continue
			}
			if s.isSpread(e) {
				continue // a page in its middle may be of another transaction, with records of its own
			}
			start := int(e.Off - p.Off)
			if start > end {
				s.putAside(p.Data[end:start], p.Off+int64(end))
			}
			end = max(end, start+len(e.Key)+len(e.Value))
		}
	}
	if p.Covered == 0 || end < len(p.Data) {
		s.putAside(p.Data[end:], p.Off+int64(end))
	}
}

// takeInline takes the records of an inline bucket of the tree that is not the bucket "key". Its bytes are
// those of the leaf around it, which has put aside what is to be carved.
func (s *salvage) takeInline(p page.Page) {
	holds := s.ev.Holding(p)
	for e, err := range p.LeafElements() {
		if holds == seen.HoldsState && mvcc.IsRevision(e.Key) && seen.HoldsResidue.Takes(e, err) {
			s.takeElement(seen.HoldsResidue, e)
		}
	}
}

// isSpread reports whether e lies on several pages.
func (s *salvage) isSpread(e page.LeafElement) bool {
	size := int64(s.ev.DB.PageSize)
	return e.Off/size != (e.Off+int64(len(e.Key)+len(e.Value))-1)/size
}

// takeElement takes e if it is a record that the tree does not have. It reports whether all
// that e holds is known, so that its bytes need not be carved.
func (s *salvage) takeElement(holds seen.Holding, e page.LeafElement) bool {
	if e.IsBucket() {
		return holds != seen.HoldsResidue
	}
	if holds == seen.HoldsState && !mvcc.IsRevision(e.Key) {
		return true
	}
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && !r.Marker && holds != seen.HoldsTree {
		s.takeRecord(&r)
	}
	return err == nil
}

// takeRecord puts r into the keyspace if it is newer than what is known of its key.
func (s *salvage) takeRecord(r *mvcc.Record) {
	if r.Revision.Main <= s.after {
		return
	}
	s.last = max(s.last, r.Revision.Main)
	k := &s.ev.Keys
	id := k.Find(r.Key)
	known := id != 0
	if !known {
		id = k.Insert(r.Key)
	}
	e := k.At(id)
	if order := r.Revision.Compare(e.Rev); known && (order < 0 || order == 0 && !e.Broken) {
		return
	}
	if r.Tombstone && known && !e.Deleted && !e.Unknown {
		e.Unknown = true // the tree has the key: a page that may never have counted does not prove it deleted
		return
	}
	to := seen.Entry{
		Rev: r.Revision, Create: r.CreateRevision, Version: r.Version, Lease: r.Lease,
		File: seen.DBFile, Off: r.ValueOff, Size: uint32(len(r.Value)), Deleted: r.Tombstone, Unknown: true,
	}
	var err error
	if !to.Deleted {
		to.Storage, err = k.ParseWhole(r.Key, r.Value, r.ValueOff)
	}
	if known && r.Revision == e.Rev {
		to.Tree = e.Tree
	}
	k.Set(id, to, err)
}

// salvageStep is how many bytes put aside are carved at once, and salvageAhead how many bytes
// behind them are there for a record that starts in them.
const (
	salvageStep  = 4 << 20
	salvageAhead = 4 << 20
)

// putAside adds bytes that no record covers to buf. If they do not follow those in it, these
// are carved first.
func (s *salvage) putAside(b []byte, off int64) {
	if off != s.off+int64(len(s.buf)) {
		s.carve(len(s.buf))
	}
	if len(s.buf) == 0 {
		if page.IsZero(b) {
			return
		}
		s.off = off
	}
	s.buf = append(s.buf, b...)
	if len(s.buf) >= salvageStep+salvageAhead {
		s.carve(salvageStep)
	}
}

// carve takes the records that start in the first limit bytes of buf, and drops the bytes that
// they cover and those before limit.
func (s *salvage) carve(limit int) {
	for f := range carve.Scan(s.buf, s.off, s.ev.DB.PageSize) {
		start := int(f.Off - s.off)
		if start >= limit {
			break
		}
		if f.Kind == carve.Record {
			s.takeCarved(f)
			limit = max(limit, start+len(f.Bytes))
		}
	}
	n := copy(s.buf, s.buf[min(limit, len(s.buf)):])
	s.off += int64(len(s.buf) - n)
	s.buf = s.buf[:n]
}

// takeCarved takes a record that was found by its bytes in buf. If it is complete, a copy of
// its value is kept in place of pieces that the sweep may have made of it.
func (s *salvage) takeCarved(f carve.Find) {
	r := mvcc.Record{
		Revision:  mvcc.Revision{Main: f.ModRevision, Sub: f.Sub},
		Tombstone: f.Tombstone,
		ValueOff:  f.ValueOff,
	}
	r.Key, r.CreateRevision, r.ModRevision, r.Version, r.Lease = []byte(f.Key), f.CreateRevision, f.ModRevision, f.Version, f.Lease
	if f.Tombstone {
		s.takeRecord(&r)
		return
	}
	start := int(f.ValueOff - s.off)
	if f.Claimed > len(s.buf)-start {
		return // not all of it is there
	}
	r.Value = s.buf[start : start+f.Claimed]
	s.takeRecord(&r)
	if !f.Complete || s.whole[f.ValueOff] || s.ev.Interest.OnlyKey == "" && envelope.IsEncrypted(r.Value) {
		return
	}
	s.whole[f.ValueOff] = true
	s.spans = append(s.spans, span{f.ValueOff, f.ValueOff + int64(f.Claimed)})
	noteValue(s.ev, r.Value, s.ev.Interest.KeepsKey(r.Key), seen.Copy{
		Key: f.Key, Rev: r.Revision, Create: r.CreateRevision, Version: r.Version,
		File: seen.DBFile, Place: s.placeAt(f.ValueOff), Off: f.ValueOff, Size: int64(f.Claimed),
		Page: s.ev.PageAt(seen.DBFile, f.ValueOff), Object: true, Complete: true,
	})
}

// placeAt is the place of bytes that no page holds as a record.
func (s *salvage) placeAt(off int64) seen.Place {
	if uint64(off)/uint64(s.ev.DB.PageSize) >= uint64(s.ev.Tree.HighWater()) {
		return seen.InTail
	}
	return seen.InPieces
}

// merge drops what the sweep kept of the bytes in spans: incomplete copies, objects without a
// key, and pieces.
func (s *salvage) merge() {
	if len(s.spans) == 0 {
		return
	}
	slices.SortFunc(s.spans, func(a, b span) int { return int(a.off - b.off) })
	inSpan := func(off, size int64) bool {
		i, _ := slices.BinarySearchFunc(s.spans, off, func(x span, off int64) int {
			if x.end <= off {
				return -1
			}
			return 1
		})
		return i < len(s.spans) && s.spans[i].off < off+size
	}
	ev := s.ev
	var copies mem.List[seen.Copy]
	for i, at := range ev.Copies.All() {
		if i >= s.swept || at.Complete || !inSpan(at.Off, at.Size) {
			copies.Add(*at)
		}
	}
	ev.Copies = copies
	ev.Unkeyed = slices.DeleteFunc(ev.Unkeyed, func(o seen.Unkeyed) bool { return inSpan(o.Off, o.Size) })
	ev.Pieces = slices.DeleteFunc(ev.Pieces, func(p seen.Piece) bool { return inSpan(p.Off, int64(p.Size)) })
}
