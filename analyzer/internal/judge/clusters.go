package judge

import (
	"path"
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// clusters tells which evidence counts for a key, where several are of one etcd cluster: the one
// with its newest revision. It never changes.
type clusters struct {
	numbers map[*seen.Evidence]int        // which cluster each evidence is of
	newest  map[clusterKey]*seen.Evidence // that has the newest revision of a key; nil if there is one evidence
	latest  map[int]*seen.Evidence        // that has the highest revision of a cluster; empty if there is one evidence
}

// A clusterKey is a key of one etcd cluster. Two clusters have keys of the same name, such as
// those of kube-system, that have nothing to do with each other.
type clusterKey struct {
	cluster int
	key     string
}

func newClusters(evs []*seen.Evidence) *clusters {
	c := &clusters{numbers: numberClusters(evs), latest: map[int]*seen.Evidence{}}
	if len(evs) < 2 {
		return c
	}
	c.newest = map[clusterKey]*seen.Evidence{}
	for _, ev := range evs {
		number := c.numbers[ev]
		if l := c.latest[number]; l == nil || ev.DB.Revision > l.DB.Revision {
			c.latest[number] = ev
		}
		for _, e := range ev.Keys.Entries.All() {
			key := clusterKey{number, e.Key}
			other, ok := c.newest[key]
			if !ok || e.Rev.Compare(other.Keys.Entry(e.Key).Rev) > 0 {
				c.newest[key] = ev
			}
		}
	}
	return c
}

// key is a key in the cluster of ev.
func (c *clusters) key(ev *seen.Evidence, key string) clusterKey {
	return clusterKey{c.numbers[ev], key}
}

// isNewest reports whether e, which ev has, is the newest revision of its key. Among equals the
// evidence that the user named first has it.
func (c *clusters) isNewest(ev *seen.Evidence, e *seen.Entry) bool {
	return c.newest == nil || c.newest[c.key(ev, e.Key)] == ev
}

// holdsSame reports whether e, which ev has, is the same write as the newest revision of its key
// in another evidence.
func (c *clusters) holdsSame(ev *seen.Evidence, e *seen.Entry) bool {
	if c.newest == nil {
		return false
	}
	other := c.newest[c.key(ev, e.Key)]
	return other != ev && other.Keys.Entry(e.Key).Rev == e.Rev
}

// disagrees reports whether e, which ev has, is the newest revision of its key and another
// evidence has another value at that revision: the members have gone apart, and nobody knows
// which is right.
func (c *clusters) disagrees(ev *seen.Evidence, e *seen.Entry) bool {
	if !c.holdsSame(ev, e) {
		return false
	}
	other := c.newest[c.key(ev, e.Key)]
	o := other.Keys.Entry(e.Key)
	return o.Deleted != e.Deleted || other.Keys.Storages[o.Storage].KeyID() != ev.Keys.Storages[e.Storage].KeyID()
}

// isDeleted reports whether the key of e, which ev has, is deleted: e is its tombstone, or the key
// is gone from a later evidence.
func (c *clusters) isDeleted(ev *seen.Evidence, e *seen.Entry) bool {
	return e.Deleted || c.isGone(ev, e)
}

// isGone reports whether the latest evidence, if all of it could be read, no longer has the key of
// e, because it was deleted. Only a compaction takes the tombstone away. Without one behind e the
// latest evidence never had the key, and is of another etcd with the same member ID, such as the
// default one.
func (c *clusters) isGone(ev *seen.Evidence, e *seen.Entry) bool {
	latest := c.latest[c.numbers[ev]]
	if latest == nil || latest == ev || latest.DB.Revision < e.Rev.Main || len(latest.Damage) > 0 {
		return false
	}
	return latest.Keys.Entry(e.Key) == nil && latest.DB.CompactRevision > e.Rev.Main
}

// stateOf is the state of a key that no tree has, by a copy of it in ev: the key was deleted,
// unless the copy is of a transaction that the latest tree does not know of, or something of that
// tree is missing.
func (c *clusters) stateOf(ev *seen.Evidence, at *seen.Copy) report.State {
	latest := c.latest[c.numbers[ev]]
	if latest == nil {
		latest = ev
	}
	if at.Rev.Main > latest.DB.Revision || at.Void || latest.File == nil || len(latest.Damage) > 0 {
		return report.StateUnknown
	}
	return report.StateDeleted
}

// numberClusters numbers the clusters that the evidence is of. Two evidences are of one cluster if
// they share a member; one that names no member stands alone.
func numberClusters(evs []*seen.Evidence) map[*seen.Evidence]int {
	numbers := map[*seen.Evidence]int{}
	byMember := map[mvcc.MemberID]int{}
	for i, ev := range evs {
		numbers[ev] = i
		for _, id := range ev.Members() {
			if other, ok := byMember[id]; ok && other != numbers[ev] {
				merge(numbers, byMember, numbers[ev], other)
			}
			byMember[id] = numbers[ev]
		}
	}
	joinLeftovers(evs, numbers)
	return numbers
}

// merge gives all that is of the cluster from to the cluster to.
func merge(numbers map[*seen.Evidence]int, byMember map[mvcc.MemberID]int, from, to int) {
	for ev, n := range numbers {
		if n == from {
			numbers[ev] = to
		}
	}
	for id, n := range byMember {
		if n == from {
			byMember[id] = to
		}
	}
}

// joinLeftovers gives a file that an etcd left behind and that names no member, such as the db of
// a defragmentation that was cut short, to the cluster of the db beside it.
func joinLeftovers(evs []*seen.Evidence, numbers map[*seen.Evidence]int) {
	for _, ev := range evs {
		if ev.HasValues() || len(ev.Members()) > 0 {
			continue
		}
		for _, other := range evs {
			if other.HasValues() && other.File != nil && beside(ev.Path, other.Path) {
				numbers[ev] = numbers[other]
				break
			}
		}
	}
}

// beside reports whether two files lie in the same folder.
func beside(a, b report.Text) bool {
	return path.Dir(filepath.ToSlash(string(a))) == path.Dir(filepath.ToSlash(string(b)))
}
