package sweep

import (
	"context"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// salvageStep is how many bytes without a record are looked through at once, and
// salvageAhead how many behind them a record may take that starts in them.
const (
	salvageStep  = 4 << 20
	salvageAhead = 4 << 20
)

// A salvage takes records that a broken tree does not lead to any more. It is a pass of
// its own over the file, as only the end of the sweep tells that there is a need. Records
// go on over the ends of pages whose headers are lost, so that what no record covers is
// looked through by its bytes, wherever pages begin.
type salvage struct {
	ev    *seen.Evidence
	after int64 // only records of later main revisions are wanted
	last  int64 // highest main revision that was taken

	buf []byte // bytes side by side that no record covers
	off int64  // of buf in the file

	whole  map[int64]bool // offsets of values that are known with all their bytes
	before int            // how many sightings there were
	spans  []span         // of values that were found to be whole, in file order
}

// A span is bytes of a file.
type span struct{ off, end int64 }

// salvageKeys takes the keys that are not in the tree into the keyspace, if something of the
// tree is missing. Of a key that the tree has it takes later values, and the whole copy of
// one that is broken. A file whose tree is whole is left alone: its free pages hold what
// was deleted. If all that is missing is a meta, the tree may be that of the transaction
// before, and what was written later counts. Its error is that of ctx.
func salvageKeys(ctx context.Context, ev *seen.Evidence, f *page.File, tree *page.Tree) error {
	v := salvage{ev: ev, whole: map[int64]bool{}, before: ev.Copies.Len()}
	switch {
	case ev.Torn || tree.Incomplete() || !slices.Contains(ev.Buckets, mvcc.BucketKey):
		ev.Lost = true
	case f.MetaErrs[0] != nil || f.MetaErrs[1] != nil:
		v.after = ev.Keys.Newest
	default:
		return nil
	}
	for _, at := range ev.Copies.All() {
		if at.Complete {
			v.whole[at.Off] = true
		}
	}
	for p, err := range f.Sweep(tree, nil) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && !p.Inline {
			v.page(p)
		}
	}
	v.scan(len(v.buf))
	v.merge()
	if ev.Keys.Newest == 0 {
		ev.Keys.Newest = v.last
	}
	return nil
}

// page takes the records of a page that were not found by the tree, and puts aside what
// lies between records.
func (v *salvage) page(p page.Page) {
	if p.Use == page.Unread || len(p.Data) >= salvageStep && page.IsZero(p.Data) {
		v.scan(len(v.buf))
		return
	}
	end := p.Covered // the page that covers these bytes has put them aside
	if holds := v.ev.Holding(p); holds != seen.HoldsNone {
		for e, err := range p.LeafElements() {
			if holds == seen.HoldsState && mvcc.IsRevision(e.Key) {
				holds = seen.HoldsResidue // of the bucket "key", and so is what stands beside it
			}
			if !seen.HoldsResidue.Takes(e, err) || !v.element(p, holds, e) {
				continue
			}
			start := int(e.Off - p.Off)
			if v.spread(e) {
				continue // a page in the middle may be of another transaction, with records of its own
			}
			if start > end {
				v.aside(p.Data[end:start], p.Off+int64(end))
			}
			end = max(end, start+len(e.Key)+len(e.Value))
		}
	}
	if p.Covered == 0 || end < len(p.Data) {
		v.aside(p.Data[end:], p.Off+int64(end))
	}
}

// spread reports whether an element lies on several pages.
func (v *salvage) spread(e page.LeafElement) bool {
	size := int64(v.ev.DB.PageSize)
	return e.Off/size != (e.Off+int64(len(e.Key)+len(e.Value))-1)/size
}

// element takes a record, and reports whether all that e holds is known.
func (v *salvage) element(p page.Page, holds seen.Holding, e page.LeafElement) bool {
	if e.IsBucket() {
		return holds != seen.HoldsResidue
	}
	if holds == seen.HoldsState && !mvcc.IsRevision(e.Key) {
		return true
	}
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && !r.Marker && holds != seen.HoldsTree {
		v.take(&r)
	}
	return err == nil
}

// take takes a record without a tree into the keyspace.
func (v *salvage) take(r *mvcc.Record) {
	if r.Revision.Main <= v.after {
		return
	}
	v.last = max(v.last, r.Revision.Main)
	k := &v.ev.Keys
	i := k.Find(r.Key)
	known := i != 0
	if !known {
		i = k.Insert(r.Key)
	}
	e := k.At(i)
	if order := r.Revision.Compare(e.Rev); known && (order < 0 || order == 0 && !e.Broken) {
		return
	}
	if r.Tombstone && known && !e.Deleted && !e.Unknown {
		e.Unknown = true // the tree has it: to call it deleted is not for a page that may never have counted
		return
	}
	to := seen.Entry{
		Rev: r.Revision, Create: r.CreateRevision, Version: r.Version, Lease: r.Lease,
		File: seen.DbFile, Off: r.ValueOff, Size: uint32(len(r.Value)), Deleted: r.Tombstone, Unknown: true,
	}
	var err error
	if !to.Deleted {
		to.Storage, err = k.Parse(r.Value, r.ValueOff)
	}
	k.Set(i, to, err)
}

// aside puts bytes that no record covers to those before them.
func (v *salvage) aside(b []byte, off int64) {
	if off != v.off+int64(len(v.buf)) {
		v.scan(len(v.buf))
	}
	if len(v.buf) == 0 {
		if page.IsZero(b) {
			return
		}
		v.off = off
	}
	v.buf = append(v.buf, b...)
	if len(v.buf) >= salvageStep+salvageAhead {
		v.scan(salvageStep)
	}
}

// scan takes the records that start in the first limit bytes put aside, and drops these.
func (v *salvage) scan(limit int) {
	for f := range carve.Scan(v.buf, v.off, v.ev.DB.PageSize) {
		start := int(f.Off - v.off)
		if start >= limit {
			break
		}
		if f.Kind == carve.Record {
			v.carved(f)
			limit = max(limit, start+len(f.Bytes))
		}
	}
	n := copy(v.buf, v.buf[min(limit, len(v.buf)):])
	v.off += int64(len(v.buf) - n)
	v.buf = v.buf[:n]
}

// carved takes a record that was found by its bytes.
func (v *salvage) carved(f carve.Find) {
	r := mvcc.Record{Revision: mvcc.Revision{Main: f.ModRevision, Sub: f.Sub}, Tombstone: f.Tombstone, ValueOff: f.ValueOff}
	r.Key, r.CreateRevision, r.ModRevision, r.Version, r.Lease = []byte(f.Key), f.CreateRevision, f.ModRevision, f.Version, f.Lease
	if f.Tombstone {
		v.take(&r)
		return
	}
	start := int(f.ValueOff - v.off)
	if f.Claimed > len(v.buf)-start {
		return // not all of it is there
	}
	r.Value = v.buf[start : start+f.Claimed]
	v.take(&r)
	if f.Complete && !v.whole[f.ValueOff] && (v.ev.Interest.Only != "" || !envelope.IsEncrypted(r.Value)) {
		v.whole[f.ValueOff] = true
		v.spans = append(v.spans, span{f.ValueOff, f.ValueOff + int64(f.Claimed)})
		at := seen.Copy{File: seen.DbFile, Place: v.placeAt(f.ValueOff), Size: int64(f.Claimed), Off: f.ValueOff, Key: f.Key, Page: report.PageAt(f.ValueOff, v.ev.DB.PageSize),
			Rev: r.Revision, Create: r.CreateRevision, Version: r.Version, Object: true, Complete: true}
		sightValue(v.ev, r.Value, v.ev.Interest.KeepsKey([]byte(f.Key)), at)
	}
}

// placeAt is the place of bytes that no page holds as a record.
func (v *salvage) placeAt(off int64) seen.Place {
	if uint64(off)/uint64(v.ev.DB.PageSize) >= uint64(v.ev.Tree.HighWater()) {
		return seen.InTail
	}
	return seen.InPieces
}

// merge drops the pieces of the values that were found to be whole.
func (v *salvage) merge() {
	if len(v.spans) == 0 {
		return
	}
	slices.SortFunc(v.spans, func(a, b span) int { return int(a.off - b.off) })
	inside := func(off, size int64) bool {
		i, _ := slices.BinarySearchFunc(v.spans, off, func(s span, off int64) int {
			if s.end <= off {
				return -1
			}
			return 1
		})
		return i < len(v.spans) && v.spans[i].off < off+size
	}
	ev := v.ev
	var kept mem.List[seen.Copy]
	for i, at := range ev.Copies.All() {
		if i >= v.before || at.Complete || !inside(at.Off, at.Size) {
			kept.Add(*at)
		}
	}
	ev.Copies = kept
	ev.Unkeyed = slices.DeleteFunc(ev.Unkeyed, func(f seen.Unkeyed) bool { return inside(f.Off, f.Size) })
	ev.Pieces = slices.DeleteFunc(ev.Pieces, func(p seen.Piece) bool { return inside(p.Off, int64(p.Size)) })
}
