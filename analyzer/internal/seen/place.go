package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A Place is where bytes lie in a file. Unlike a Region it does not depend on what else is known.
type Place uint8

const (
	InTree     Place = iota + 1 // a record of the newest tree
	OnFreePage                  // a whole record that this tree does not have there
	InPieces                    // bytes without a whole record around them
	InTail                      // past the high water mark
	InWAL                       // a raft entry
)

// PlaceOf is the place of a whole record on p that is not one of the tree.
func PlaceOf(p page.Page) Place {
	if p.Use == page.Tail {
		return InTail
	}
	return OnFreePage
}

// Region is the region that a copy was seen in. In the tree it is live if it is the newest
// revision of its key, and nothing deletes that; where the newest write is in the WAL alone,
// what the tree has is history. It is valid after the sweep.
func (c CopyIn) Region() report.Region {
	switch c.Place {
	case OnFreePage:
		return report.RegionFree
	case InPieces:
		return report.RegionFragment
	case InTail:
		return report.RegionTail
	case InWAL:
		return report.RegionWAL
	}
	if e := c.In.EntryOf(c.Copy); e == nil || e.Deleted || e.File != DBFile || e.Rev != c.Rev {
		return report.RegionHistory
	}
	return report.RegionLive
}
