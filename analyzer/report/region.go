package report

import (
	"fmt"
	"slices"
)

// Region is the kind of place in which a copy lies. The zero Region stands for no place.
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
