package analyzer

import (
	"fmt"
	"slices"
)

// Region is the kind of place in which a copy was seen. The zero Region is none.
type Region uint8

// The regions, from the most to the least orderly.
const (
	RegionLive     Region = iota + 1 // newest revision of its key in the newest tree
	RegionHistory                    // that tree, but a newer revision or a tombstone follows
	RegionFree                       // an intact record on a page that the tree does not reach
	RegionFragment                   // bytes without an intact record around them
	RegionTail                       // past the high water mark
	RegionWAL                        // a raft entry in a WAL segment
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
func (c seen) region() Region {
	switch c.place {
	case onFreePage:
		return RegionFree
	case inPieces:
		return RegionFragment
	case inTail:
		return RegionTail
	case inWAL:
		return RegionWAL
	}
	if e := c.in.entryOf(c.sighting); e == nil || e.deleted || e.file != dbFile || e.rev != c.rev {
		return RegionHistory
	}
	return RegionLive
}

var regionNames = [...]string{"", "live", "history", "free", "fragment", "tail", "wal"}

// Regions lists all regions, from the most to the least orderly.
func Regions() []Region {
	return []Region{RegionLive, RegionHistory, RegionFree, RegionFragment, RegionTail, RegionWAL}
}

// String is the name of the region in reports.
func (r Region) String() string {
	if int(r) < len(regionNames) {
		return regionNames[r]
	}
	return "unknown"
}

// MarshalText writes the name.
func (r Region) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *Region) UnmarshalText(text []byte) error {
	i := slices.Index(regionNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("region %q", text)
	}
	*r = Region(i)
	return nil
}
