package analyzer

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// misplaced takes a page that the tree leads to and does not mean like one that it does not
// lead to.
func (s *survey) misplaced(p page.Page) {
	switch {
	case s.holding(p) == holdsResidue:
		s.freeLeaf(p)
	case !p.Inline: // what is in another page was taken with that
		s.carve(p, p.Data, p.Off)
	}
}

// isForeign reports whether an element of another bucket than "key" is a record of that
// one.
func (s *survey) isForeign(e page.LeafElement, p page.Page) bool {
	_, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	return err == nil && len(e.Value) > 0
}

// foreign takes a record that stands in another bucket than "key". A reference that was
// swapped with another puts it there, and no etcd does.
func (s *survey) foreign(e page.LeafElement, p page.Page) {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if !s.torn || e.Index == 0 {
		// One a page tells enough.
		s.addDamage(&decode.FormatError{Off: e.Off, Err: decode.ErrValue,
			What: fmt.Sprintf("page %v, leaf element %d, which belongs in the bucket key", p.ID, e.Index)})
	}
	s.torn = true
	s.sight(&r, s.watches(r.Key), sighting{file: dbFile, place: onFreePage, off: e.Off, page: report.PageOf(uint64(p.ID))}, err)
}
