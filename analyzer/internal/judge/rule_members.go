package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// memberRules are the rules that the members of one etcd break together.
var memberRules = []report.Rule{
	{
		ID: report.RuleMembersDisagree, Severity: report.SeverityCritical, Reason: report.StatusUntrusted,
		Means:   "two members of one etcd cluster have different values at the same revision, or one of them lacks a write that the other has",
		Matters: "Clients read one value or the other, by the member that answers. What is encrypted on one member may be plaintext on the other.",
		Mend:    "Find out which member is right (etcdctl endpoint hashkv), remove the others one by one, wipe their data dirs, and add them again as new members.",
	},
}

// A split is what two members of one etcd, x and y, say differently.
type split struct {
	x, y *seen.Evidence
	// Keys, in order: with different values at one revision; and those whose write one of the two
	// lacks, though it is at that revision or later.
	differ, onlyX, onlyY []string
}

func (d *split) none() bool { return len(d.differ)+len(d.onlyX)+len(d.onlyY) == 0 }

// minShared is the least part of the records that two members which went apart have in common.
// Clusters that never were one may share a record or two by chance: a new cluster writes much the
// same in much the same order.
const minShared = 0.01

// compareMembers compares the evidence of each etcd with the latest one. Members that went apart
// have a past in common. Evidence that shares a member's ID, as two etcds with one name and
// address do, and has no such past, is of different etcds: it gets a number of its own.
func (c *clusters) compareMembers(evs []*seen.Evidence) {
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
		if d.x.Keys.Records.Shared(&d.y.Keys.Records) < minShared {
			c.etcds[ev] = next
			next++
			continue
		}
		c.disagree = append(c.disagree, d)
		c.apart[number] = true
	}
}

// isComparable reports whether all that the newest tree has is known.
func isComparable(ev *seen.Evidence) bool {
	return ev.File != nil && ev.HasValues() && ev.LacksNoKey()
}

// compareTwo compares the newest values of two members.
func compareTwo(x, y *seen.Evidence) *split {
	d := &split{x: x, y: y}
	for _, e := range x.Keys.Entries.All() {
		o := y.Keys.Entry(e.Key)
		switch {
		case o == nil && lacks(y, e, x):
			d.onlyX = append(d.onlyX, e.Key)
		case o == nil:
		case o.Rev == e.Rev && !x.Keys.SameValue(e, &y.Keys, o):
			d.differ = append(d.differ, e.Key)
		case e.Rev.Compare(o.Rev) > 0 && y.DB.Revision >= e.Rev.Main:
			d.onlyX = append(d.onlyX, e.Key)
		case e.Rev.Compare(o.Rev) < 0 && x.DB.Revision >= o.Rev.Main:
			d.onlyY = append(d.onlyY, e.Key)
		}
	}
	for _, o := range y.Keys.Entries.All() {
		if x.Keys.Entry(o.Key) == nil && lacks(x, o, y) {
			d.onlyY = append(d.onlyY, o.Key)
		}
	}
	for _, keys := range [][]string{d.differ, d.onlyX, d.onlyY} {
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

// addDisagreeingMembers reports the members of one etcd that went apart.
func (j *Judge) addDisagreeingMembers() {
	for _, d := range j.clusters.disagree {
		f := report.Finding{Rule: report.RuleMembersDisagree, Cluster: j.clusters.clusterOf(d.x, d.firstKey()), Detail: d.sentence()}
		for _, keys := range [][]string{d.differ, d.onlyX, d.onlyY} {
			for _, key := range keys {
				for _, ev := range []*seen.Evidence{d.x, d.y} {
					e := ev.Keys.Entry(key)
					if e == nil || e.Deleted {
						continue
					}
					at := locationOf(ev, e)
					at.Key = report.Text(key)
					addPlace(&f, at)
				}
			}
		}
		j.addFinding(f)
	}
}

// firstKey is one of the keys that the members disagree on.
func (d *split) firstKey() string {
	return slices.Concat(d.differ, d.onlyX, d.onlyY)[0]
}

// sentence says what the two members have that the other has not.
func (d *split) sentence() string {
	x, y := d.x.Path.ValidUTF8(), d.y.Path.ValidUTF8()
	var parts []string
	for _, part := range []struct {
		keys      []string
		one, many string
	}{
		{d.differ, "key has another value at the same revision", "keys have other values at the same revision"},
		{d.onlyX, "write is in " + x + " alone", "writes are in " + x + " alone"},
		{d.onlyY, "write is in " + y + " alone", "writes are in " + y + " alone"},
	} {
		switch len(part.keys) {
		case 0:
		case 1:
			parts = append(parts, "one "+part.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", len(part.keys), part.many))
		}
	}
	return fmt.Sprintf("%s and %s are of one etcd cluster and disagree: %s", x, y, strings.Join(parts, ", "))
}
