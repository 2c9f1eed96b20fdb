package analyzer

import (
	"fmt"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// isStray reports whether the tree leads to p for a leaf, and p is none or another one:
// what it holds was not found by the tree, whatever it is.
func isStray(p page.Page) bool {
	return p.Use == page.Leaf && (p.Astray || p.Header.Flags != page.FlagLeaf)
}

// hasTable reports whether a stray page has a table of elements. A header that names the
// page stands where a header belongs; any other may be payload.
func hasTable(p page.Page) bool {
	if p.Header.ID == p.ID {
		return true
	}
	for _, err := range p.LeafElements() {
		if err != nil {
			return false
		}
	}
	return p.Header.Flags == page.FlagLeaf && p.Header.Count > 0
}

// strayLeaf takes a stray page like one that the tree does not reach.
func (s *survey) strayLeaf(p page.Page) {
	if hasTable(p) {
		s.freeLeaf(p)
	} else {
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
	s.sight(&r, s.watches(r.Key), sighting{region: RegionFree, off: e.Off, page: int64(p.ID)}, err)
}
