package cluster

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// findPlaces makes the clusters, and numbers them by their files and prefixes.
func (c *Clusters) findPlaces(evs []*seen.Evidence) {
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
			c.List = append(c.List, &Cluster{etcd: etcd, ByResource: map[resource.GroupResource]*report.ScopeCount{}, Cluster: report.Cluster{
				Prefix: report.Text(prefix), Members: members[etcd], Evidence: files[etcd],
			}})
		}
	}
	slices.SortFunc(c.List, func(x, y *Cluster) int {
		return cmp.Or(slices.Compare(x.Evidence, y.Evidence), cmp.Compare(x.Prefix, y.Prefix))
	})
	ids := map[world]report.ClusterID{}
	for i, cl := range c.List {
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
func (c *Clusters) strays(evs []*seen.Evidence, etcd int, prefixes map[string]bool) bool {
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
func (c *Clusters) members(evs []*seen.Evidence) map[int][]string {
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

// Of is the cluster of a key of ev.
func (c *Clusters) Of(ev *seen.Evidence, key string) report.ClusterID {
	p := c.places[ev]
	for i, prefix := range p.prefixes {
		if isUnder(key, prefix) {
			return p.ids[i]
		}
	}
	return p.rest
}

// ScopeOf is the count of a resource in one cluster. like is that of all clusters.
func (c *Clusters) ScopeOf(id report.ClusterID, r resource.GroupResource, like *report.ScopeCount) *report.ScopeCount {
	cl := c.List[id-1]
	n := cl.ByResource[r]
	if n == nil {
		n = &report.ScopeCount{Resource: like.Resource, Configured: like.Configured}
		cl.ByResource[r] = n
	}
	return n
}

// Has reports whether a file is of the cluster. Without one all files are.
func (c *Cluster) Has(path report.Text) bool {
	return c == nil || slices.Contains(c.Evidence, path)
}

// Concerns reports whether a finding is on the cluster: on an object in it, on one of its files, or
// on a configuration.
func (c *Cluster) Concerns(f *report.Finding) bool {
	if f.Cluster != 0 {
		return f.Cluster == c.ID
	}
	return len(f.At) == 0 || c.Has(f.At[0].Path)
}
