package judge

import (
	"cmp"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// clusters tells which cluster a key is of, and which evidence counts for it, where several are
// of one etcd: the one with its newest revision. It never changes.
//
// An etcd is numbered by numberEtcds. A report.Cluster is an API server's prefix in one.
type clusters struct {
	etcds    map[*seen.Evidence]int
	list     []*cluster                 // in order: the first has ClusterID 1
	places   map[*seen.Evidence]*place  // what prefixes its etcd has
	newest   map[etcdKey]*seen.Evidence // that has the newest revision of a key; nil if there is one evidence
	latest   map[int]*seen.Evidence     // that has the highest revision of an etcd; empty if there is one evidence
	disagree []*split                   // of members of one etcd
	apart    map[int]bool               // etcds whose members disagree
}

// A cluster is a report.Cluster in the making.
type cluster struct {
	report.Cluster
	etcd  int
	scope map[resource.GroupResource]*report.ScopeCount
}

// A place says of which clusters the keys of one evidence may be.
type place struct {
	prefixes []string           // the longest first
	ids      []report.ClusterID // of prefixes
	rest     report.ClusterID   // of what lies under none of them; 0 if no object does
}

// An etcdKey is a key of one etcd cluster. Two of them have keys of the same name, such as those
// of kube-system, that have nothing to do with each other.
type etcdKey struct {
	etcd int
	key  string
}

func newClusters(evs []*seen.Evidence) *clusters {
	c := &clusters{etcds: numberEtcds(evs), latest: map[int]*seen.Evidence{}, apart: map[int]bool{}}
	if len(evs) > 1 {
		c.compareMembers(evs)
		c.findNewest(evs)
	}
	c.findPlaces(evs)
	return c
}

// findNewest finds out which evidence counts.
func (c *clusters) findNewest(evs []*seen.Evidence) {
	c.newest = map[etcdKey]*seen.Evidence{}
	for _, ev := range evs {
		number := c.etcds[ev]
		if l := c.latest[number]; l == nil || compareLatest(ev, l) > 0 {
			c.latest[number] = ev
		}
		for _, e := range ev.Keys.Entries.All() {
			key := etcdKey{number, e.Key}
			if other, ok := c.newest[key]; !ok || compareNewest(ev, e, other, other.Keys.Entry(e.Key)) > 0 {
				c.newest[key] = ev
			}
		}
	}
}

// compareLatest compares evidence by revision. Among equals the order of their paths decides, and
// not the order in which the user named them: the answer must not depend on it.
func compareLatest(x, y *seen.Evidence) int {
	return cmp.Or(cmp.Compare(x.DB.Revision, y.DB.Revision), cmp.Compare(y.Path, x.Path))
}

// compareNewest compares what two evidences say of a key. Where members disagree, the worst counts:
// any of them may be the one that a client reads.
func compareNewest(x *seen.Evidence, a *seen.Entry, y *seen.Evidence, b *seen.Entry) int {
	return cmp.Or(a.Rev.Compare(b.Rev), cmp.Compare(gravity(x, a), gravity(y, b)), cmp.Compare(y.Path, x.Path))
}

// gravity is how bad a newest value is.
func gravity(ev *seen.Evidence, e *seen.Entry) int {
	if e.Deleted {
		return 0
	}
	switch ev.StatusOf(e) {
	case report.StatusPlaintext:
		return 4
	case report.StatusExposed:
		return 3
	case report.StatusBroken:
		return 2
	}
	return 1
}

// findPlaces makes the clusters, and numbers them by their files and prefixes.
func (c *clusters) findPlaces(evs []*seen.Evidence) {
	type world struct {
		etcd   int
		prefix string
	}
	files := map[int][]report.Text{}
	prefixes := map[int]map[string]bool{}
	for _, ev := range evs {
		n := c.etcds[ev]
		if prefixes[n] == nil {
			prefixes[n] = map[string]bool{}
		}
		for _, prefix := range ev.Names.Prefixes() {
			prefixes[n][prefix] = true
		}
		if ev.File != nil {
			files[n] = append(files[n], ev.Path)
		}
		for _, segment := range ev.Segments {
			files[n] = append(files[n], segment.Path)
		}
	}
	members := c.members(evs)
	for etcd, found := range prefixes {
		slices.Sort(files[etcd])
		if len(found) == 0 || len(found) > 1 && c.strays(evs, etcd, found) {
			found[""] = true
		}
		for prefix := range found {
			c.list = append(c.list, &cluster{etcd: etcd, scope: map[resource.GroupResource]*report.ScopeCount{}, Cluster: report.Cluster{
				Prefix: report.Text(prefix), Members: members[etcd], Evidence: files[etcd],
			}})
		}
	}
	slices.SortFunc(c.list, func(x, y *cluster) int {
		return cmp.Or(slices.Compare(x.Evidence, y.Evidence), cmp.Compare(x.Prefix, y.Prefix))
	})
	ids := map[world]report.ClusterID{}
	for i, cl := range c.list {
		cl.ID = report.ClusterID(i + 1)
		ids[world{cl.etcd, string(cl.Prefix)}] = cl.ID
	}
	c.places = map[*seen.Evidence]*place{}
	for _, ev := range evs {
		n := c.etcds[ev]
		p := &place{prefixes: slices.Sorted(maps.Keys(prefixes[n])), rest: ids[world{n, ""}]}
		slices.SortStableFunc(p.prefixes, func(x, y string) int { return cmp.Compare(len(y), len(x)) })
		for _, prefix := range p.prefixes {
			p.ids = append(p.ids, ids[world{n, prefix}])
		}
		if len(p.ids) == 1 {
			p.rest = p.ids[0]
		}
		c.places[ev] = p
	}
}

// strays reports whether an object lies outside of each of several prefixes of an etcd.
func (c *clusters) strays(evs []*seen.Evidence, etcd int, prefixes map[string]bool) bool {
	all := slices.Collect(maps.Keys(prefixes))
	for _, ev := range evs {
		if c.etcds[ev] != etcd {
			continue
		}
		for key := range ev.Disguised {
			if !slices.ContainsFunc(all, func(prefix string) bool { return isUnder(key, prefix) }) {
				return true
			}
		}
	}
	return false
}

// isUnder reports whether a key lies under a prefix.
func isUnder(key, prefix string) bool {
	return len(key) > len(prefix) && key[len(prefix)] == '/' && key[:len(prefix)] == prefix
}

// members lists the IDs of the members of each etcd.
func (c *clusters) members(evs []*seen.Evidence) map[int][]string {
	all := map[int][]string{}
	for _, ev := range evs {
		n := c.etcds[ev]
		for _, id := range ev.Members() {
			all[n] = append(all[n], id.String())
		}
		for _, segment := range ev.Segments {
			if id := segment.Facts.WAL.NodeID; id != "" {
				all[n] = append(all[n], id)
			}
		}
	}
	for n := range all {
		slices.Sort(all[n])
		all[n] = slices.Compact(all[n])
	}
	for _, n := range c.etcds {
		if all[n] == nil {
			all[n] = []string{}
		}
	}
	return all
}

// clusterOf is the cluster of a key of ev.
func (c *clusters) clusterOf(ev *seen.Evidence, key string) report.ClusterID {
	p := c.places[ev]
	for i, prefix := range p.prefixes {
		if isUnder(key, prefix) {
			return p.ids[i]
		}
	}
	return p.rest
}

// scopeOf is the count of a resource in one cluster. like is that of all clusters.
func (c *clusters) scopeOf(id report.ClusterID, r resource.GroupResource, like *report.ScopeCount) *report.ScopeCount {
	cl := c.list[id-1]
	n := cl.scope[r]
	if n == nil {
		n = &report.ScopeCount{Resource: like.Resource, Configured: like.Configured}
		cl.scope[r] = n
	}
	return n
}

// key is a key in the etcd of ev.
func (c *clusters) key(ev *seen.Evidence, key string) etcdKey {
	return etcdKey{c.etcds[ev], key}
}

// isNewest reports whether e, which ev has, is the newest revision of its key.
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
	return !ev.Keys.SameValue(e, &other.Keys, other.Keys.Entry(e.Key))
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
	latest := c.latest[c.etcds[ev]]
	if latest == nil || latest == ev || latest.DB.Revision < e.Rev.Main || !latest.LacksNoKey() || c.apart[c.etcds[ev]] {
		return false
	}
	return latest.Keys.Entry(e.Key) == nil && latest.DB.CompactRevision > e.Rev.Main
}

// stateOf is the state of a key that no tree has, by a copy of it in ev: the key was deleted,
// unless the copy is of a transaction that the latest tree does not know of, or of the v2 store, or
// something of that tree is missing.
func (c *clusters) stateOf(ev *seen.Evidence, at *seen.Copy) report.State {
	latest := c.latest[c.etcds[ev]]
	if latest == nil {
		latest = ev
	}
	if at.Rev.Main > latest.DB.Revision || at.Void || at.Place.IsV2() || latest.File == nil || !latest.LacksNoKey() {
		return report.StateUnknown
	}
	return report.StateDeleted
}

// numberEtcds numbers the etcd clusters that the evidence is of. Two evidences are of one etcd if
// they share a member; one that names no member stands alone.
func numberEtcds(evs []*seen.Evidence) map[*seen.Evidence]int {
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

// joinLeftovers gives a file that names no member, such as the db of a defragmentation that was cut
// short, to the cluster of the db beside it or of the data dir that it lies in, or of the WAL where
// there is no db, as in a backup of etcd 2.
func joinLeftovers(evs []*seen.Evidence, numbers map[*seen.Evidence]int) {
	for _, ev := range evs {
		if len(ev.Members()) > 0 {
			continue
		}
		for _, other := range evs {
			if other == ev {
				continue
			}
			if !other.HasValues() && other.What != "" && ev.What != "" && beside(ev.Path, other.Path) {
				numbers[ev] = numbers[other] // a db that comes behind it has the last word
			}
			if ofOneDataDir(ev, other) || !ev.HasValues() && other.HasValues() && other.File == nil && besideLog(ev.Path, other.Path) {
				numbers[ev] = numbers[other]
				break
			}
		}
	}
}

// besideLog reports whether a file lies in the member dir of a WAL segment, as a raft snapshot does.
func besideLog(file, segment report.Text) bool {
	return beside(report.Text(path.Dir(filepath.ToSlash(string(file)))), report.Text(path.Dir(filepath.ToSlash(string(segment)))))
}

// ofOneDataDir reports whether ev, which names no member, is of the cluster of other by where it
// lies: ev is a leftover or a copy in the data dir of other, or the db in use, and other what its
// etcd left behind.
func ofOneDataDir(ev, other *seen.Evidence) bool {
	switch {
	case other.File == nil:
		return false
	case ev.Home != "" && ev.Home == other.Member,
		ev.Member != "" && ev.Member == other.Home && other.What != "" && len(other.Members()) > 0:
		return true
	}
	return !ev.HasValues() && other.HasValues() && beside(ev.Path, other.Path)
}

// beside reports whether two files lie in the same folder.
func beside(a, b report.Text) bool {
	return path.Dir(filepath.ToSlash(string(a))) == path.Dir(filepath.ToSlash(string(b)))
}
