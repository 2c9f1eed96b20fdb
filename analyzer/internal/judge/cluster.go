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

func newHolders(surveys []*seen.Evidence) *holders {
	h := &holders{cluster: clusters(surveys), latest: map[int]*seen.Evidence{}}
	if len(surveys) < 2 {
		return h
	}
	h.newest = map[clusterKey]*seen.Evidence{}
	for _, s := range surveys {
		c := h.cluster[s]
		if l := h.latest[c]; l == nil || s.DB.Revision > l.DB.Revision {
			h.latest[c] = s
		}
		for _, e := range s.Keys.Entries.All() {
			key := clusterKey{c, e.Key}
			other, ok := h.newest[key]
			if !ok || e.Rev.Compare(other.Keys.Entry(e.Key).Rev) > 0 {
				h.newest[key] = s
			}
		}
	}
	return h
}

// key is a key in the cluster of s.
func (h *holders) key(s *seen.Evidence, key string) clusterKey { return clusterKey{h.cluster[s], key} }

// isNewest reports whether s has the newest revision of the key of e, the first
// named one among equals.
func (h *holders) isNewest(s *seen.Evidence, e *seen.Entry) bool {
	return h.newest == nil || h.newest[h.key(s, e.Key)] == s
}

// holdsSame reports whether e is the same write as the newest revision of its key in
// another source.
func (h *holders) holdsSame(s *seen.Evidence, e *seen.Entry) bool {
	if h.newest == nil {
		return false
	}
	other := h.newest[h.key(s, e.Key)]
	return other != s && other.Keys.Entry(e.Key).Rev == e.Rev
}

// isDeleted reports whether the newest revision of a key, which s has, is a
// deletion: by its tombstone, or as a later source has the key no more. The
// tombstone goes with the next compaction.
func (h *holders) isDeleted(s *seen.Evidence, e *seen.Entry) bool { return e.Deleted || h.isGone(s, e) }

// isGone reports whether a later source, of which all could be read, has a key no more. A
// deletion leaves a tombstone until the compaction behind it: where there was none, the
// source never had the key, and is of another etcd with the same member ID, such as the
// default one.
func (h *holders) isGone(s *seen.Evidence, e *seen.Entry) bool {
	latest := h.latest[h.cluster[s]]
	if latest == nil || latest == s || latest.DB.Revision < e.Rev.Main || len(latest.Damage) > 0 {
		return false
	}
	return latest.Keys.Entry(e.Key) == nil && latest.DB.CompactRevision > e.Rev.Main
}

// disagrees reports whether another source has the newest revision of the key of e, too, and
// another value: the members have gone apart, and nobody knows which is right.
func (h *holders) disagrees(s *seen.Evidence, e *seen.Entry) bool {
	if !h.holdsSame(s, e) {
		return false
	}
	other := h.newest[h.key(s, e.Key)]
	o := other.Keys.Entry(e.Key)
	return o.Deleted != e.Deleted || other.Keys.Storages[o.Storage].Use() != s.Keys.Storages[e.Storage].Use()
}

// stateOf is the state of a key that no tree has and of which s saw a copy: it was
// deleted, unless the copy is of a transaction that the latest tree does not know
// of, or something of the tree is missing.
func (h *holders) stateOf(s *seen.Evidence, at *seen.Copy) report.State {
	latest := h.latest[h.cluster[s]]
	if latest == nil {
		latest = s
	}
	if at.Rev.Main > latest.DB.Revision || at.Replaced || latest.File == nil || len(latest.Damage) > 0 {
		return report.StateUnknown
	}
	return report.StateDeleted
}

// clusters numbers the clusters that the sources come from. Two sources are of one
// cluster if they share a member; one that names no member stands alone.
func clusters(surveys []*seen.Evidence) map[*seen.Evidence]int {
	numbers := map[*seen.Evidence]int{}
	byMember := map[mvcc.MemberID]int{}
	for i, s := range surveys {
		numbers[s] = i
		for _, id := range seen.MembersOf(s) {
			if other, ok := byMember[id]; ok && other != numbers[s] {
				merge(numbers, byMember, numbers[s], other)
			}
			byMember[id] = numbers[s]
		}
	}
	joinLeftovers(surveys, numbers)
	return numbers
}

// joinLeftovers puts what an etcd left behind and that names no member, such as the db of
// a defragmentation that was cut short, to the cluster of the db that lies beside it.
func joinLeftovers(surveys []*seen.Evidence, numbers map[*seen.Evidence]int) {
	for _, s := range surveys {
		if s.HasValues() || len(seen.MembersOf(s)) > 0 {
			continue
		}
		for _, other := range surveys {
			if other.HasValues() && other.File != nil && beside(s.Path, other.Path) {
				numbers[s] = numbers[other]
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
	for s, n := range numbers {
		if n == from {
			numbers[s] = to
		}
	}
	for id, n := range byMember {
		if n == from {
			byMember[id] = to
		}
	}
}
