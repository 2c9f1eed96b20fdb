package resource

import (
	"cmp"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
)

// DefaultPrefixes are the prefixes of Kubernetes, and of the two API servers of
// OpenShift. Do not change the slice.
var DefaultPrefixes = []string{"/registry", "/kubernetes.io", "/openshift.io"}

// A Registry knows how the keys of one etcd are laid out. A key is
//
//	PREFIX/RESOURCE/NAMESPACE/NAME          a built-in resource
//	PREFIX/RESOURCE/NAME                    one of cluster scope
//	PREFIX/GROUP/PLURAL/NAMESPACE/NAME      a custom resource: GROUP has a dot in it
//	PREFIX/GROUP/PLURAL/NAME                one of cluster scope
//
// where PREFIX is the API server's --etcd-prefix, RESOURCE is one of a fixed set of paths
// (see builtins: "secrets", "minions", "services/specs"), and only the CRD of a custom
// resource tells its scope. The key of a built-in resource does not hold the group. A fixed
// table does; plaintext values say it, too, even for resources that are newer than the table.
//
// First tell a Registry what there is to learn (LearnGroup, LearnScope), then ask it. Many
// may ask at once while nobody adds anything.
type Registry struct {
	prefixes []string // normalised, the longest first
	groups   map[string]*groupVote
	scopes   map[GroupResource]scope
}

// A groupVote counts the values below one segment by the group they claim.
type groupVote struct {
	counts map[string]int
	winner string
}

// NewRegistry returns a Registry for keys under any of the prefixes. "registry", "/registry"
// and "/registry/" are the same prefix; "" and "/" are the root of the key space, and leave
// no key outside. Where prefixes nest, the longest under which a key names a built-in
// resource counts, else the longest: nobody can hide all Secrets by a key that makes a longer
// prefix look right.
func NewRegistry(prefixes []string) *Registry {
	r := &Registry{groups: map[string]*groupVote{}, scopes: map[GroupResource]scope{}}
	for _, p := range prefixes {
		p = strings.Trim(p, "/")
		if p != "" {
			p = "/" + p
		}
		r.prefixes = append(r.prefixes, p)
	}
	slices.SortFunc(r.prefixes, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	r.prefixes = slices.Compact(r.prefixes)
	return r
}

// Identify says which object a key names. It is false for a key under no
// prefix, for one that names none ("/registry/health", "/registry/secrets/",
// the prefix itself) and for one with an empty resource ("/registry//x").
//
// It is liberal otherwise, because a key that it refuses drops out of every question about a
// resource. It names an object of a namespaced resource even if that lacks its namespace or
// its name, and counts what is left behind a name as part of it. A path that is not known is
// a resource of that name in the core group, unless LearnGroup has heard better.
func (r *Registry) Identify(key string) (Identity, bool) {
	p, ok := r.split(key)
	if !ok {
		return Identity{}, false
	}
	id := Identity{GroupResource: p.GroupResource}
	if vote := r.groups[p.segment]; vote != nil && !p.groupFixed {
		id.Group = vote.winner
	}
	id.Namespace, id.Name = r.object(p)
	return id, true
}

// Segment returns the path between the prefix and the object that names the
// resource, such as "roles", "services/specs" or "lab.example.com/vaults". It
// is false if no object follows it.
func (r *Registry) Segment(key string) (string, bool) {
	p, ok := r.split(key)
	return p.segment, ok
}

// object returns what the rest of a path names. Where not even a CRD tells the scope, the
// number of segments does.
func (r *Registry) object(p path) (namespace, name string) {
	s := p.scope
	if s == unknownScope {
		s = r.scopes[p.GroupResource]
	}
	if namespace, name, ok := strings.Cut(p.rest, "/"); ok && s != cluster {
		return namespace, name
	}
	return "", p.rest
}

// Prefixes returns the prefixes, normalised, the longest first.
func (r *Registry) Prefixes() []string { return slices.Clone(r.prefixes) }

// LearnGroup notes that a plaintext value below a segment claims to be of an
// apiVersion such as "apps/v1". The group that most of them claim is the
// segment's; where two lead, that of the fixed table, else the first by name.
//
// It hears nothing against a custom resource, which has its group in its key, nor against a
// built-in resource of the core group: those never move, and a few forged values must not
// turn Secrets into something else that nobody asked about. Nor do groups count that a
// resource has left behind.
func (r *Registry) LearnGroup(segment, apiVersion string) {
	group, ok := kubename.GroupOf(apiVersion)
	p := parsePath(segment)
	if !ok || p.groupFixed || p.known && formerGroups[group] {
		return
	}
	vote := r.groups[p.segment]
	if vote == nil {
		vote = &groupVote{counts: map[string]int{}, winner: p.Group}
		r.groups[strings.Clone(p.segment)] = vote
	}
	group = strings.Clone(group)
	vote.counts[group]++
	// Only this count has grown, so it or the winner up to now wins.
	better := cmp.Or(
		cmp.Compare(vote.counts[group], vote.counts[vote.winner]),
		preferred(group == p.Group, vote.winner == p.Group),
		strings.Compare(vote.winner, group))
	if better > 0 {
		vote.winner = group
	}
}

func preferred(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// LearnScope notes the scope of a custom resource, which its CustomResourceDefinition
// (CRD) tells. The last of two for the same resource counts: a scope can change, by
// deleting the CRD and its objects.
func (r *Registry) LearnScope(custom GroupResource, isNamespaced bool) {
	s := cluster
	if isNamespaced {
		s = namespaced
	}
	r.scopes[custom] = s
}

// A path is a key without its prefix, taken apart.
type path struct {
	builtin           // for what is not known, the resource that the path suggests
	known      bool   // builtin is from the table
	groupFixed bool   // LearnGroup cannot change the group
	segment    string // what names the resource
	rest       string // what names the object, without the slash before it
}

// split takes a key apart. It is false, and the path empty, if the key names no object.
func (r *Registry) split(key string) (path, bool) {
	var guess path
	for _, prefix := range r.prefixes {
		below, ok := strings.CutPrefix(key, prefix)
		if !ok || !strings.HasPrefix(below, "/") {
			continue
		}
		p := parsePath(below[1:])
		if p.Resource == "" || p.rest == "" {
			continue
		}
		if p.known {
			return p, true
		}
		if guess.Resource == "" {
			guess = p
		}
	}
	return guess, guess.Resource != ""
}

// Knows reports whether the resource of a key is known for sure: a built-in one, or a custom
// one below its group.
func (r *Registry) Knows(key string) bool {
	_, known := r.Finds(key)
	return known
}

// Finds reports whether a key names an object below one of the prefixes, as Segment
// does, and whether its resource is known, as Knows does.
func (r *Registry) Finds(key string) (found, known bool) {
	p, ok := r.split(key)
	return ok, ok && (p.known || p.groupFixed)
}

// longestPath is the number of segments of the longest path in builtins.
const longestPath = 3

// thirdParty preceded the custom resources of ThirdPartyResources, before there were CRDs (up
// to Kubernetes 1.7). They lay in namespaces.
const thirdParty = "ThirdPartyResourceData/"

func parsePath(s string) path {
	end := 0
	var found path
	for range longestPath {
		i := strings.IndexByte(s[end:], '/')
		last := i < 0
		if last {
			i = len(s) - end
		}
		end += i
		if b, ok := builtins[s[:end]]; ok {
			found = path{builtin: b, known: true, segment: s[:end]}
			found.groupFixed = b.Group == "" || strings.Contains(found.segment, ".")
		}
		if last {
			break
		}
		end++
	}
	if !found.known {
		found = parseUnknownPath(s)
	}
	found.rest = strings.TrimPrefix(s[len(found.segment):], "/")
	return found
}

func parseUnknownPath(s string) path {
	custom, isThirdParty := strings.CutPrefix(s, thirdParty)
	first, below, _ := strings.Cut(custom, "/")
	if !isThirdParty && !strings.Contains(first, ".") {
		return path{builtin: builtin{GroupResource: GroupResource{Resource: first}}, segment: first}
	}
	plural, _, _ := strings.Cut(below, "/")
	p := path{
		builtin:    builtin{GroupResource: GroupResource{Group: first, Resource: plural}},
		groupFixed: true,
		segment:    s[:len(s)-len(below)+len(plural)],
	}
	if isThirdParty {
		p.scope = namespaced
	}
	return p
}

// Nameless reports whether a resource holds what API servers keep of themselves, in objects
// without a name.
func Nameless(r GroupResource) bool {
	return r.Group == "" && (r.Resource == "masterleases" || r.Resource == "peerserverleases" || r.Resource == "ranges")
}
