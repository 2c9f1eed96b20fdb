// Package cluster tells whose each key is: of which etcd each piece of evidence is, and of which API
// server in it; which evidence has the newest value of a key, and whether members agree. It reads
// nothing, and comes after naming, which finds the prefixes.
package cluster

import (
	"cmp"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// Clusters tells which cluster a key is of, and which evidence counts for it, where several are
// of one etcd: the one with its newest revision. It never changes.
//
// An etcd is numbered by numberEtcds. A report.Cluster is an API server's prefix in one.
type Clusters struct {
	etcds  map[*seen.Evidence]int
	List   []*Cluster                // in order: the first has ClusterID 1
	places map[*seen.Evidence]*place // what prefixes its etcd has
	newest map[Key]*seen.Evidence    // that has the newest revision of a key; nil if there is one evidence
	latest map[int]*seen.Evidence    // that has the highest revision of an etcd; empty if there is one evidence
	Splits []*Split                  // of members of one etcd
	apart  map[int]bool              // etcds whose members disagree
}

// A Cluster is a report.Cluster in the making.
type Cluster struct {
	report.Cluster
	etcd       int
	ByResource map[resource.GroupResource]*report.ScopeCount
}

// A place says of which clusters the keys of one evidence may be.
type place struct {
	prefixes []string           // the longest first
	ids      []report.ClusterID // of prefixes
	rest     report.ClusterID   // of what lies under none of them; 0 if no object does
}

// A Key is a key of one etcd cluster. Two of them have keys of the same name, such as those
// of kube-system, that have nothing to do with each other.
type Key struct {
	etcd int
	key  string
}

// New finds the clusters of all evidence of a run.
func New(evs []*seen.Evidence) *Clusters {
	c := &Clusters{etcds: numberEtcds(evs), latest: map[int]*seen.Evidence{}, apart: map[int]bool{}}
	if len(evs) > 1 {
		c.compareMembers(evs)
		c.findNewest(evs)
	}
	c.findPlaces(evs)
	return c
}

// findNewest finds out which evidence counts.
func (c *Clusters) findNewest(evs []*seen.Evidence) {
	c.newest = map[Key]*seen.Evidence{}
	for _, ev := range evs {
		number := c.etcds[ev]
		if l := c.latest[number]; l == nil || compareLatest(ev, l) > 0 {
			c.latest[number] = ev
		}
		for _, e := range ev.Keys.Entries.All() {
			key := Key{number, e.Key}
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

// KeyOf is a key in the etcd of ev.
func (c *Clusters) KeyOf(ev *seen.Evidence, key string) Key {
	return Key{c.etcds[ev], key}
}

// IsNewest reports whether e, which ev has, is the newest revision of its key.
func (c *Clusters) IsNewest(ev *seen.Evidence, e *seen.Entry) bool {
	return c.newest == nil || c.newest[c.KeyOf(ev, e.Key)] == ev
}

// HoldsSame reports whether e, which ev has, is the same write as the newest revision of its key
// in another evidence.
func (c *Clusters) HoldsSame(ev *seen.Evidence, e *seen.Entry) bool {
	if c.newest == nil {
		return false
	}
	other := c.newest[c.KeyOf(ev, e.Key)]
	return other != ev && other.Keys.Entry(e.Key).Rev == e.Rev
}

// disagrees reports whether e, which ev has, is the newest revision of its key and another
// evidence has another value at that revision: the members have gone apart, and nobody knows
// which is right.
func (c *Clusters) Disagrees(ev *seen.Evidence, e *seen.Entry) bool {
	if !c.HoldsSame(ev, e) {
		return false
	}
	other := c.newest[c.KeyOf(ev, e.Key)]
	return !ev.Keys.SameValue(e, &other.Keys, other.Keys.Entry(e.Key))
}

// Etcd is the number of the etcd that ev is of.
func (c *Clusters) Etcd(ev *seen.Evidence) int { return c.etcds[ev] }
