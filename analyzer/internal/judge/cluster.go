package judge

import (
	"path"
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// A clusterKey is a key of one etcd cluster. Two clusters have keys of the same
// name, such as those of kube-system, that have nothing to do with each other.
type clusterKey struct {
	cluster int
	key     string
}

// holders knows which of several sources has the newest revision of a key.
type holders struct {
	cluster map[*seen.Evidence]int
	newest  map[clusterKey]*seen.Evidence // nil for one source
	latest  map[int]*seen.Evidence        // the source of the highest revision of each cluster
}

func newHolders(evs []*seen.Evidence) *holders {
	h := &holders{cluster: clusters(evs), latest: map[int]*seen.Evidence{}}
	if len(evs) < 2 {
		return h
	}
	h.newest = map[clusterKey]*seen.Evidence{}
	for _, ev := range evs {
		c := h.cluster[ev]
		if l := h.latest[c]; l == nil || ev.DB.Revision > l.DB.Revision {
			h.latest[c] = ev
		}
		for _, e := range ev.Keys.Entries.All() {
			key := clusterKey{c, e.Key}
			other, ok := h.newest[key]
			if !ok || e.Rev.Compare(other.Keys.Entry(e.Key).Rev) > 0 {
				h.newest[key] = ev
			}
		}
	}
	return h
}

// key is a key in the cluster of s.
func (h *holders) key(ev *seen.Evidence, key string) clusterKey {
	return clusterKey{h.cluster[ev], key}
}

// isNewest reports whether s has the newest revision of the key of e, the first
// named one among equals.
func (h *holders) isNewest(ev *seen.Evidence, e *seen.Entry) bool {
	return h.newest == nil || h.newest[h.key(ev, e.Key)] == ev
}

// holdsSame reports whether e is the same write as the newest revision of its key in
// another source.
func (h *holders) holdsSame(ev *seen.Evidence, e *seen.Entry) bool {
	if h.newest == nil {
		return false
	}
	other := h.newest[h.key(ev, e.Key)]
	return other != ev && other.Keys.Entry(e.Key).Rev == e.Rev
}

// isDeleted reports whether the newest revision of a key, which s has, is a
// deletion: by its tombstone, or as a later source has the key no more. The
// tombstone goes with the next compaction.
func (h *holders) isDeleted(ev *seen.Evidence, e *seen.Entry) bool {
	return e.Deleted || h.isGone(ev, e)
}

// isGone reports whether a later source, of which all could be read, has a key no more. A
// deletion leaves a tombstone until the compaction behind it: where there was none, the
// source never had the key, and is of another etcd with the same member ID, such as the
// default one.
func (h *holders) isGone(ev *seen.Evidence, e *seen.Entry) bool {
	latest := h.latest[h.cluster[ev]]
	if latest == nil || latest == ev || latest.DB.Revision < e.Rev.Main || len(latest.Damage) > 0 {
		return false
	}
	return latest.Keys.Entry(e.Key) == nil && latest.DB.CompactRevision > e.Rev.Main
}

// disagrees reports whether another source has the newest revision of the key of e, too, and
// another value: the members have gone apart, and nobody knows which is right.
func (h *holders) disagrees(ev *seen.Evidence, e *seen.Entry) bool {
	if !h.holdsSame(ev, e) {
		return false
	}
	other := h.newest[h.key(ev, e.Key)]
	o := other.Keys.Entry(e.Key)
	return o.Deleted != e.Deleted || other.Keys.Storages[o.Storage].Use() != ev.Keys.Storages[e.Storage].Use()
}

// stateOf is the state of a key that no tree has and of which s saw a copy: it was
// deleted, unless the copy is of a transaction that the latest tree does not know
// of, or something of the tree is missing.
func (h *holders) stateOf(ev *seen.Evidence, at *seen.Copy) report.State {
	latest := h.latest[h.cluster[ev]]
	if latest == nil {
		latest = ev
	}
	if at.Rev.Main > latest.DB.Revision || at.Replaced || latest.File == nil || len(latest.Damage) > 0 {
		return report.StateUnknown
	}
	return report.StateDeleted
}

// clusters numbers the clusters that the sources come from. Two sources are of one
// cluster if they share a member; one that names no member stands alone.
func clusters(evs []*seen.Evidence) map[*seen.Evidence]int {
	numbers := map[*seen.Evidence]int{}
	byMember := map[mvcc.MemberID]int{}
	for i, ev := range evs {
		numbers[ev] = i
		for _, id := range seen.MembersOf(ev) {
			if other, ok := byMember[id]; ok && other != numbers[ev] {
				merge(numbers, byMember, numbers[ev], other)
			}
			byMember[id] = numbers[ev]
		}
	}
	joinLeftovers(evs, numbers)
	return numbers
}

// joinLeftovers puts what an etcd left behind and that names no member, such as the db of
// a defragmentation that was cut short, to the cluster of the db that lies beside it.
func joinLeftovers(evs []*seen.Evidence, numbers map[*seen.Evidence]int) {
	for _, ev := range evs {
		if ev.HasValues() || len(seen.MembersOf(ev)) > 0 {
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
