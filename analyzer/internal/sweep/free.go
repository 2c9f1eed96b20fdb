package sweep

import (
	"slices"

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
// what it holds cannot be anything else: revisions or the numbers of leases, and pages.
func isIntact(p page.Page, high page.ID) bool {
	if p.Header.Flags != page.FlagBranch {
		return p.Lists(high)
	}
	for e, err := range p.BranchElements() {
		if err != nil || e.Child >= high || !mvcc.IsRevision(e.Key) && len(e.Key) != leaseKey {
			return false
		}
	}
	return true
}

// leaseKey is the size of a key of the bucket "lease", in bytes.
const leaseKey = 8

// takeFreeLeaf takes the records of a leaf that the tree does not reach. Nobody knows whose
// bucket it was: records of the bucket "key" show by their form, and so do the entries of
// etcd's other buckets. All else is carved, because the page may be another's, or may have been
// made to hide something.
func takeFreeLeaf(ev *seen.Evidence, p page.Page) {
	gaps := gapCarver{ev: ev, page: p, end: p.Table(ev.DB.PageSize)}
	defer gaps.close()
	first, broken := ev.Unvouched.Len(), false
	for e, err := range p.LeafElements() {
		if !seen.HoldsResidue.Takes(e, err) {
			broken = broken || e.Key != nil // else its end is not there any more
			continue
		}
		if inline, ok := p.InlineBucket(e); ok {
			gaps.coverBucket(e, inline)
			takeFreeLeaf(ev, inline)
			continue
		}
		if isOthers(p, e, ev.Tree.HighWater()) {
			gaps.cover(e)
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if err != nil {
			broken = true
			continue // gaps carves it
		}
		gaps.coverRecord(e, &r)
		ev.Residue.Records++
		checkParts(ev, r.Value, r.ValueOff, isWatched(ev, r.Key), seen.PlaceOf(p))
		noteRecord(ev, &r, nil, isWatched(ev, r.Key), seen.Copy{
			File: seen.DBFile, Place: seen.PlaceOf(p), Off: e.Off, Page: report.PageOf(uint64(p.ID)),
		})
	}
	for i := first; broken && i < ev.Unvouched.Len(); i++ {
		ev.Unvouched.At(i).Broken = true
	}
}

// isOthers reports whether e is an entry of another of etcd's buckets than "key", or one of
// these buckets.
func isOthers(p page.Page, e page.LeafElement, high page.ID) bool {
	if e.IsBucket() {
		root, ok := p.BucketRoot(e)
		return ok && root > 0 && root < high && isBucketName(e.Key)
	}
	return mvcc.IsState(e.Key, e.Value)
}

// isBucketName reports whether etcd has a bucket of that name.
func isBucketName(name []byte) bool {
	return string(name) == mvcc.BucketKey || slices.Contains(mvcc.StateBuckets, string(name))
}
