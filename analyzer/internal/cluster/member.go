package cluster

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
)

// A Split is what two members of one etcd, x and y, say differently.
type Split struct {
	X, Y *seen.Evidence
	// Keys, in order: with different values at one revision; and those whose write one of the two
	// lacks, though it is at that revision or later.
	Differ, OnlyX, OnlyY []string
}

func (d *Split) none() bool { return len(d.Differ)+len(d.OnlyX)+len(d.OnlyY) == 0 }

// minShared is the least part of the records that two members which went apart have in common.
// Clusters that never were one may share a record or two by chance: a new cluster writes much the
// same in much the same order.
const minShared = 0.01

// compareMembers compares the evidence of each etcd with the latest one. Members that went apart
// have a past in common. Evidence that shares a member's ID, as two etcds with one name and
// address do, and has no such past, is of different etcds: it gets a number of its own.
func (c *Clusters) compareMembers(evs []*seen.Evidence) {
	ordered := slices.SortedFunc(slices.Values(evs), func(x, y *seen.Evidence) int { return compareLatest(y, x) })
	groups := map[int][]*seen.Evidence{} // by number, those that are one etcd, the latest first
	next := len(evs)
	for _, ev := range ordered {
		if !isComparable(ev) {
			continue
		}
		number := c.etcds[ev]
		if len(groups[number]) == 0 {
			groups[number] = append(groups[number], ev)
			continue
		}
		d := compareTwo(groups[number][0], ev)
		if d.none() {
			groups[number] = append(groups[number], ev)
			continue
		}
		if d.X.Keys.Records.Shared(&d.Y.Keys.Records) < minShared {
			c.etcds[ev] = next
			next++
			continue
		}
		c.Splits = append(c.Splits, d)
		c.apart[number] = true
	}
}

// isComparable reports whether all that the newest tree has is known.
func isComparable(ev *seen.Evidence) bool {
	return ev.File != nil && ev.HasValues() && ev.LacksNoKey()
}

// compareTwo compares the newest values of two members.
func compareTwo(x, y *seen.Evidence) *Split {
	d := &Split{X: x, Y: y}
	for _, e := range x.Keys.Entries.All() {
		o := y.Keys.Entry(e.Key)
		switch {
		case o == nil && lacks(y, e, x):
			d.OnlyX = append(d.OnlyX, e.Key)
		case o == nil:
		case o.Rev == e.Rev && !x.Keys.SameValue(e, &y.Keys, o):
			d.Differ = append(d.Differ, e.Key)
		case e.Rev.Compare(o.Rev) > 0 && y.DB.Revision >= e.Rev.Main:
			d.OnlyX = append(d.OnlyX, e.Key)
		case e.Rev.Compare(o.Rev) < 0 && x.DB.Revision >= o.Rev.Main:
			d.OnlyY = append(d.OnlyY, e.Key)
		}
	}
	for _, o := range y.Keys.Entries.All() {
		if x.Keys.Entry(o.Key) == nil && lacks(x, o, y) {
			d.OnlyY = append(d.OnlyY, o.Key)
		}
	}
	for _, keys := range [][]string{d.Differ, d.OnlyX, d.OnlyY} {
		slices.Sort(keys)
	}
	return d
}

// lacks reports whether ev, which has nothing of the key of e, ought to have it, because another
// member has. A deletion and a compaction may have taken it away since then.
func lacks(ev *seen.Evidence, e *seen.Entry, other *seen.Evidence) bool {
	if ev.DB.Revision < e.Rev.Main {
		return false // it is not there yet
	}
	if e.Deleted {
		return ev.DB.CompactRevision < e.Rev.Main
	}
	return ev.DB.CompactRevision <= max(other.DB.Revision, e.Rev.Main)
}
