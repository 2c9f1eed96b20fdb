package resource

import "strings"

// coreGroup stands for the core group in the keys of kcp.
const coreGroup = "core"

// customResources stands in the keys of kcp before the logical cluster of a custom resource.
const customResources = "customresources"

// identitySize is the length of the identity of an APIExport, a SHA-256 in hexadecimal digits.
const identitySize = 64

// parseLogical takes s, a key without its prefix, apart as one of kcp. plain is what parsePath says
// of it. That counts if it knows the resource, and kcp does not, or if the key has no more segments
// than such an object needs: a key that only looks like one of kcp must not hide a Secret.
func (r *Registry) parseLogical(s string, plain path) path {
	p, ok := splitLogical(s, func(g GroupResource) scope { return r.scopes[g] })
	if !ok || plain.known && (!p.known || plain.fits()) {
		return plain
	}
	return p
}

// splitLogical takes s, a key without its prefix, apart as one of kcp. scopes tells that of a custom
// resource. It is false if s has too few segments.
//
// The identity of an APIExport is nothing that a key names by itself. It is told by its form, or
// because there is one segment more than a logical cluster and an object have.
func splitLogical(s string, scopes func(GroupResource) scope) (path, bool) {
	group, below, ok := strings.Cut(s, "/")
	if !ok {
		return path{}, false
	}
	plural, below, ok := strings.Cut(below, "/")
	if !ok || group == "" || plural == "" {
		return path{}, false
	}
	p := path{groupFixed: true, segment: s[:len(group)+1+len(plural)]}
	p.GroupResource = GroupResource{group, plural}
	if group == coreGroup {
		p.Group = ""
	}
	if b, ok := builtinsByName[p.GroupResource]; ok {
		p.builtin, p.known = b, true
	} else {
		p.scope = scopes(p.GroupResource)
	}
	first, rest, ok := strings.Cut(below, "/")
	if !ok {
		return path{}, false
	}
	segments := 1 + strings.Count(rest, "/") // behind first
	if first == customResources || isIdentity(first) || segments > p.scope.segments() {
		if cluster, object, ok := strings.Cut(rest, "/"); ok {
			p.cluster, p.rest = cluster, object
			return p, cluster != "" && object != ""
		}
	}
	p.cluster, p.rest = first, rest
	return p, first != "" && rest != ""
}

// segments is how many segments name an object, and the most that may where the scope is not known.
func (s scope) segments() int {
	if s == cluster {
		return 1
	}
	return 2
}

// isIdentity tells the identity of an APIExport.
func isIdentity(s string) bool {
	if len(s) != identitySize {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// looksLogical reports whether s, a key without a prefix that nobody knows yet, can be nothing but
// one of kcp: a group that keys of Kubernetes do not hold stands before its resource, and the key
// has just the segments that an object in a logical cluster needs; or a word of kcp's stands before
// the logical cluster.
func looksLogical(s string) bool {
	p, ok := splitLogical(s, func(GroupResource) scope { return unknownScope })
	if !ok || strings.Contains(p.Resource, ".") {
		return false
	}
	group, below, _ := strings.Cut(s, "/")
	_, below, _ = strings.Cut(below, "/")
	first, _, _ := strings.Cut(below, "/")
	marked := (first == customResources || isIdentity(first)) && p.cluster != first
	switch {
	case group != coreGroup && !strings.Contains(group, ".") && !(marked && builtinGroups[group]):
		return false
	case p.known:
		return p.fits()
	}
	return group != coreGroup && marked && p.fits()
}

// builtinGroups are the groups of builtins that have no dot, such as "apps".
var builtinGroups = groupsWithoutDot()

func groupsWithoutDot() map[string]bool {
	m := map[string]bool{}
	for _, b := range builtins {
		if b.Group != "" && !strings.Contains(b.Group, ".") {
			m[b.Group] = true
		}
	}
	return m
}
