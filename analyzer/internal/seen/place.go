package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/v2store"
)

// A Place is where bytes lie in a file. Unlike a Region it does not depend on what else is known.
type Place uint8

const (
	InTree      Place = iota + 1 // a record of the newest tree
	OnFreePage                   // a whole record that this tree does not have there
	InPieces                     // bytes without a whole record around them
	InTail                       // past the high water mark
	InWAL                        // a raft entry
	InV2Request                  // a request of the v2 API in a raft entry: the db never has what it writes
	InV2Store                    // the v2 store in a raft snapshot, as a string of JSON
)

// IsLog reports whether a copy lies in a raft entry.
func (p Place) IsLog() bool { return p == InWAL || p == InV2Request }

// IsV2 reports whether a copy is of the v2 store, and not of the db.
func (p Place) IsV2() bool { return p == InV2Request || p == InV2Store }

// stored is the value that the bytes of a copy stand for.
func (p Place) stored(b []byte) []byte {
	if p == InV2Store {
		b = v2store.Unescape(b)
	}
	if p.IsV2() {
		b = v2store.Plain(b)
	}
	return b
}

// PlaceOf is the place of a whole record on p that is not one of the tree.
func PlaceOf(p page.Page) Place {
	if p.Use == page.Tail {
		return InTail
	}
	return OnFreePage
}

// Region is the region that a copy was seen in. In the tree it is live if it is the newest
// revision of its key, and nothing deletes that; where the newest write is in the WAL alone,
// what the tree has is history. A Secret in the value of another object is where that value is.
// It is valid after the sweep.
func (c CopyIn) Region() report.Region {
	switch c.Place {
	case OnFreePage:
		return report.RegionFree
	case InPieces, InV2Store:
		return report.RegionFragment
	case InTail:
		return report.RegionTail
	case InWAL, InV2Request:
		return report.RegionWAL
	}
	e := c.In.EntryOf(c.Copy)
	if c.Embedded {
		e = c.In.Keys.Entry(c.carrier().Key)
	}
	if e == nil || e.Deleted || e.File != DBFile || e.Rev != c.Rev {
		return report.RegionHistory
	}
	return report.RegionLive
}
