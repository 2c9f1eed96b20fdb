package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// takeFreePage takes the records of a page that the tree does not reach, and carves the rest
// of it.
func takeFreePage(ev *seen.Evidence, p page.Page) {
	if page.IsZero(p.Data) {
		return
	}
	ev.Residue.Bytes += int64(len(p.Data))
	switch {
	case ev.Holding(p) == seen.HoldsResidue:
		takeFreeLeaf(ev, p)
	case !p.Orphan && isIntact(p, ev.Tree.HighWater()):
		carveSlack(ev, p)
	default:
		carvePage(ev, p, p.Data, p.Off)
	}
}

// isIntact reports whether p is a branch or freelist page in which nothing is broken, so that
// what it holds cannot be anything else.
func isIntact(p page.Page, high page.ID) bool {
	if p.Header.Flags != page.FlagBranch {
		return p.Lists(high)
	}
	for _, err := range p.BranchElements() {
		if err != nil {
			return false
		}
	}
	return true
}

// takeFreeLeaf takes the records of a leaf that the tree does not reach. Nobody knows whose
// bucket it was: records of the bucket "key" show by their form.
func takeFreeLeaf(ev *seen.Evidence, p page.Page) {
	gaps := gapCarver{ev: ev, page: p, end: p.Table(ev.DB.PageSize)}
	defer gaps.close()
	ofKeys := false // it was of the bucket "key": one of its elements is a record
	for e, err := range p.LeafElements() {
		if !seen.HoldsResidue.Takes(e, err) {
			continue
		}
		if inline, ok := p.InlineBucket(e); ok {
			gaps.cover(e)
			takeFreeLeaf(ev, inline)
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if err != nil && (ofKeys || !isOthers(e)) {
			continue // a broken record: gaps carves it
		}
		gaps.cover(e)
		if err != nil {
			carveOthers(ev, p, e)
			continue
		}
		ofKeys = true
		ev.Residue.Records++
		noteRecord(ev, &r, nil, isWatched(ev, r.Key), seen.Copy{
			File: seen.DBFile, Place: seen.PlaceOf(p), Off: e.Off, Page: report.PageOf(uint64(p.ID)),
		})
	}
}

// leaseKey is the size of a key of the bucket "lease", in bytes.
const leaseKey = 8

// isOthers reports whether e can be of another of etcd's buckets than "key": their keys are
// names or the numbers of leases, or their values are empty.
func isOthers(e page.LeafElement) bool {
	return seen.IsPlainName(e.Key) || len(e.Key) == leaseKey || len(e.Value) == 0
}

// carveOthers carves the value of an element of another bucket than "key". No object belongs
// there, but the page may have been made to hide one. What is no object is not kept.
func carveOthers(ev *seen.Evidence, p page.Page, e page.LeafElement) {
	pieces, skipped := len(ev.Pieces), ev.SkippedPieceBytes
	carvePage(ev, p, e.Value, e.ValueOff())
	ev.Pieces, ev.SkippedPieceBytes = ev.Pieces[:pieces], skipped
}
