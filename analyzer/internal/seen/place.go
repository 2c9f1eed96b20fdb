package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A Place is where bytes lie in a file, which does not depend on what else is known.
type Place uint8

const (
	InTree     Place = iota + 1 // a record of the newest tree
	OnFreePage                  // a whole record that this tree does not have there
	InPieces                    // bytes without a whole record around them
	InTail                      // past the high water mark
	InWAL                       // a raft entry
)

// Region is the region that a copy was seen in. Of the tree it is live if it is the newest
// revision of its key, which nothing deletes; where the newest write is in the WAL alone, all of
// the tree is history.
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
	if e := c.In.EntryOf(c.Copy); e == nil || e.Deleted || e.File != DbFile || e.Rev != c.Rev {
		return report.RegionHistory
	}
	return report.RegionLive
}

// PlaceOf is the place of a whole record on a page that the tree does not reach.
func PlaceOf(p page.Page) Place {
	if p.Use == page.Tail {
		return InTail
	}
	return OnFreePage
}
