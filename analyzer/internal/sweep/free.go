package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// freePage takes a page that the tree does not reach: the records that are whole, and
// what can be made out of the rest.
func freePage(ev *seen.Evidence, p page.Page) {
	if page.IsZero(p.Data) {
		return
	}
	ev.Counts.Bytes += int64(len(p.Data))
	switch {
	case ev.Holding(p) == seen.HoldsResidue:
		freeLeaf(ev, p)
	case !p.Orphan && intact(p, ev.Tree.HighWater()):
		slack(ev, p)
	default:
		carvePage(ev, p, p.Data, p.Off)
	}
}

// intact reports whether p is a branch or freelist page of which all is there, so
// that none of it can be anything else.
func intact(p page.Page, high page.ID) bool {
	if p.Header.Flags == page.FlagBranch {
		for _, err := range p.BranchElements() {
			if err != nil {
				return false
			}
		}
	}
	return p.Header.Flags == page.FlagBranch || p.Lists(high)
}

// slack takes the bytes behind all that a page holds.
func slack(ev *seen.Evidence, p page.Page) {
	if b, start := p.Slack(); !page.IsZero(b) {
		carvePage(ev, p, b, p.Off+int64(start))
	}
}

// freeLeaf takes the records of a leaf page that the tree does not reach. Of which
// bucket it was a part nobody knows: records of the bucket "key" show by their form.
func freeLeaf(ev *seen.Evidence, p page.Page) {
	c := cover{p, p.Table(ev.DB.PageSize)}
	defer c.close(ev)
	ofKeys := false // it was of the bucket "key": one of its elements is a record
	for e, err := range p.LeafElements() {
		if !seen.HoldsResidue.Takes(e, err) {
			continue
		}
		if inline, ok := p.InlineBucket(e); ok {
			c.take(ev, e)
			freeLeaf(ev, inline)
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if err != nil && (ofKeys || !isOthers(e)) {
			continue // its form is broken: it is looked through like the rest
		}
		c.take(ev, e)
		if err != nil {
			searchValue(ev, p, e) // of another bucket
			continue
		}
		ofKeys = true
		ev.Counts.Records++
		sight(ev, &r, keepsKey(ev, r.Key), seen.Copy{File: seen.DbFile, Place: seen.PlaceOf(p), Off: e.Off, Page: report.PageOf(uint64(p.ID))}, nil)
	}
}

// keepsKey reports whether copies of the key are kept whatever their values are.
func keepsKey(ev *seen.Evidence, key []byte) bool {
	if id := ev.Keys.Find(key); id != 0 {
		return ev.Keys.At(id).Watched
	}
	return ev.Interest.KeepsKey(key)
}

// leaseKey is the size of a key of the bucket "lease", in bytes.
const leaseKey = 8

// isOthers reports whether e can be of another of etcd's buckets than "key": those have
// names, the numbers of leases, or all that they tell in the key.
func isOthers(e page.LeafElement) bool {
	return seen.IsPlainName(e.Key) || len(e.Key) == leaseKey || len(e.Value) == 0
}

// searchValue looks for objects in the value of another bucket than that of the keys,
// where none belongs: a page that says so may have been made to hide one.
func searchValue(ev *seen.Evidence, p page.Page, e page.LeafElement) {
	pieces, skipped := len(ev.Pieces), ev.Skipped
	carvePage(ev, p, e.Value, e.ValueOff())
	ev.Pieces, ev.Skipped = ev.Pieces[:pieces], skipped
}

// A cover follows the elements of a leaf page and carves what lies between them,
// and behind the last.
type cover struct {
	page page.Page
	end  int // of what is covered
}

func newCover(p page.Page) cover {
	return cover{p, min(len(p.Data), page.HeaderSize+page.ElementSize*int(p.Header.Count))}
}

func (c *cover) take(ev *seen.Evidence, e page.LeafElement) {
	start := int(e.Off - c.page.Off)
	c.carve(ev, start)
	c.end = max(c.end, start+len(e.Key)+len(e.Value))
}

func (c *cover) close(ev *seen.Evidence) { c.carve(ev, len(c.page.Data)) }

// carve looks through the bytes from the last element to start.
func (c *cover) carve(ev *seen.Evidence, start int) {
	if start <= c.end {
		return
	}
	if b := c.page.Data[c.end:start]; !page.IsZero(b) {
		carvePage(ev, c.page, b, c.page.Off+int64(c.end))
	}
}
