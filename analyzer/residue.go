package analyzer

import (
	"errors"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/page"
)

// maxPieces bounds the orphaned pieces of one file that are compared with known
// values: a gigabyte of pages of 4 KiB.
const maxPieces = 1 << 18

// residue is what a survey found outside of the newest tree.
type residue struct {
	counts       report.ResidueCounts
	pieces       []piece
	unattributed []piece
	found        []found
	orphans      []sighting // pieces of which the key is known now
	skipped      int64      // bytes of pieces over maxPieces
}

// A piece is bytes that belong to no record and are no object.
type piece struct {
	off   int64
	size  int32
	file  fileID
	class carve.Class
}

// suspicious reports whether a piece may be plaintext.
func (p piece) suspicious() bool { return p.class != carve.Random }

// A found is an object that was found by its signature: it says itself what it is,
// and nothing says under which key it was.
type found struct {
	sighting
	object.TypeMeta
	namespace, name string
}

// isGap reports whether all that is wrong with an element is what lies before it.
func isGap(err error) bool { return errors.Is(err, decode.ErrValue) }

// free takes a page that the tree does not reach: the records that are whole, and
// what can be made out of the rest.
func (s *survey) free(p page.Page) {
	if page.IsZero(p.Data) {
		return
	}
	s.counts.Bytes += int64(len(p.Data))
	switch {
	case s.holding(p) == holdsResidue:
		s.freeLeaf(p)
	case !p.Orphan && intact(p, s.tree.HighWater()):
		s.slack(p)
	default:
		s.carve(p, p.Data, p.Off)
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
func (s *survey) slack(p page.Page) {
	if b, start := p.Slack(); !page.IsZero(b) {
		s.carve(p, b, p.Off+int64(start))
	}
}

// freeLeaf takes the records of a leaf page that the tree does not reach. Of which
// bucket it was a part nobody knows: records of the bucket "key" show by their form.
func (s *survey) freeLeaf(p page.Page) {
	c := cover{p, p.Table(s.db.PageSize)}
	defer c.close(s)
	ofKeys := false // it was of the bucket "key": one of its elements is a record
	for e, err := range p.LeafElements() {
		if !holdsResidue.takes(e, err) {
			continue
		}
		if inline, ok := p.InlineBucket(e); ok {
			c.take(s, e)
			s.freeLeaf(inline)
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if err != nil && (ofKeys || !isOthers(e)) {
			continue // its form is broken: it is looked through like the rest
		}
		c.take(s, e)
		if err != nil {
			s.searchValue(p, e) // of another bucket
			continue
		}
		ofKeys = true
		s.counts.Records++
		s.sight(&r, s.watches(r.Key), sighting{file: dbFile, place: placeOf(p), off: e.Off, page: report.PageOf(uint64(p.ID))}, nil)
	}
}

// watches reports whether copies of the key are kept whatever their values are.
func (s *survey) watches(key []byte) bool {
	if id := s.keys.find(key); id != 0 {
		return s.keys.at(id).watched
	}
	return s.watch.key(key)
}

// leaseKey is the size of a key of the bucket "lease", in bytes.
const leaseKey = 8

// isOthers reports whether e can be of another of etcd's buckets than "key": those have
// names, the numbers of leases, or all that they tell in the key.
func isOthers(e page.LeafElement) bool {
	return isPlainName(e.Key) || len(e.Key) == leaseKey || len(e.Value) == 0
}

// searchValue looks for objects in the value of another bucket than that of the keys,
// where none belongs: a page that says so may have been made to hide one.
func (s *survey) searchValue(p page.Page, e page.LeafElement) {
	pieces, skipped := len(s.pieces), s.skipped
	s.carve(p, e.Value, e.ValueOff())
	s.pieces, s.skipped = s.pieces[:pieces], skipped
}

// placeOf is the place of a whole record on a page that the tree does not reach.
func placeOf(p page.Page) place {
	if p.Use == page.Tail {
		return inTail
	}
	return onFreePage
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

func (c *cover) take(s *survey, e page.LeafElement) {
	start := int(e.Off - c.page.Off)
	c.carve(s, start)
	c.end = max(c.end, start+len(e.Key)+len(e.Value))
}

func (c *cover) close(s *survey) { c.carve(s, len(c.page.Data)) }

// carve looks through the bytes from the last element to start.
func (c *cover) carve(s *survey, start int) {
	if start <= c.end {
		return
	}
	if b := c.page.Data[c.end:start]; !page.IsZero(b) {
		s.carve(c.page, b, c.page.Off+int64(c.end))
	}
}
