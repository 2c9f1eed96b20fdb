package analyzer

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A place is where bytes lie in a file, which does not depend on what else is known.
type place uint8

const (
	inTree     place = iota + 1 // a record of the newest tree
	onFreePage                  // a whole record that this tree does not have there
	inPieces                    // bytes without a whole record around them
	inTail                      // past the high water mark
	inWAL                       // a raft entry
)

// region is the region that a copy was seen in. Of the tree it is live if it is the newest
// revision of its key, which nothing deletes; where the newest write is in the WAL alone, all of
// the tree is history.
func (c seen) region() report.Region {
	switch c.place {
	case onFreePage:
		return report.RegionFree
	case inPieces:
		return report.RegionFragment
	case inTail:
		return report.RegionTail
	case inWAL:
		return report.RegionWAL
	}
	if e := c.in.entryOf(c.sighting); e == nil || e.deleted || e.file != dbFile || e.rev != c.rev {
		return report.RegionHistory
	}
	return report.RegionLive
}
