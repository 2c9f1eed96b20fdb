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
// and the API servers of kcp, of which one has many logical clusters, put all groups into the
// key, "core" for the core group:
//
//	PREFIX/GROUP/PLURAL/CLUSTER/[NAMESPACE/]NAME                  a built-in resource
//	PREFIX/GROUP/PLURAL/customresources/CLUSTER/[NAMESPACE/]NAME  one of a CRD
//	PREFIX/GROUP/PLURAL/IDENTITY/CLUSTER/[NAMESPACE/]NAME         one of an APIExport, by the SHA-256 of its identity
//
// where PREFIX is the API server's --etcd-prefix, RESOURCE is one of a fixed set of paths
// (see builtins: "secrets", "minions", "services/specs"), and only the CRD of a custom
// resource tells its scope. The key of a built-in resource does not hold the group. A fixed
// table does; plaintext values say it, too, even for resources that are newer than the table.
//
// Source for kcp: docs/content/developers/internals/etcd-structure.md and pkg/etcd/keys.go in
// kcp-dev/kcp, commit dac74f5955f1.
//
// First tell a Registry what there is to learn (LearnGroup, LearnScope, LearnLogical), then ask
// it. Many may ask at once while nobody adds anything.
type Registry struct {
	prefixes []prefix // the longest first
	groups   map[string]*groupVote
	scopes   map[GroupResource]scope
}

// A prefix is an --etcd-prefix, and how the keys below it are laid out.
type prefix struct {
	path    string // normalised
	logical bool   // as those of kcp, except for keys that name a built-in resource all the same
}

// A groupVote counts the values below one segment by the group they claim.
type groupVote struct {
	counts map[string]int
	winner string
}

// NewRegistry returns a Registry for keys under any of the prefixes. "registry", "/registry"
// and "/registry/" are the same prefix; "" and "/" are the root of the key space, and leave
// no key outside. Where prefixes nest, the longest under which a key names a built-in
// resource counts, else the longest under which it names a group, else the longest: nobody
// can hide all Secrets by a key that makes a longer prefix look right.
func NewRegistry(prefixes []string) *Registry {
	r := &Registry{groups: map[string]*groupVote{}, scopes: map[GroupResource]scope{}}
	for _, p := range prefixes {
		r.prefixes = append(r.prefixes, prefix{path: normalise(p)})
	}
	slices.SortFunc(r.prefixes, func(a, b prefix) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), strings.Compare(a.path, b.path))
	})
	r.prefixes = slices.Compact(r.prefixes)
	return r
}

func normalise(prefix string) string {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix = "/" + prefix
	}
	return prefix
}

// LearnLogical notes that the keys below one of the prefixes are laid out as those of kcp. It
// leaves other prefixes alone.
func (r *Registry) LearnLogical(path string) {
	for i := range r.prefixes {
		p := &r.prefixes[i]
		p.logical = p.logical || p.path == normalise(path)
	}
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
	id := Identity{GroupResource: p.GroupResource, Prefix: cmp.Or(p.prefix, "/"), LogicalCluster: p.cluster}
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
func (r *Registry) Prefixes() []string {
	paths := make([]string, len(r.prefixes))
	for i, p := range r.prefixes {
		paths[i] = p.path
	}
	return paths
}

// IsLogical reports whether the keys below a prefix are laid out as those of kcp.
func (r *Registry) IsLogical(path string) bool {
	return slices.Contains(r.prefixes, prefix{normalise(path), true})
}

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
	cluster    string // logical cluster; empty where keys hold none
	rest       string // what names the object, without the slash before it
	prefix     string // normalised; set by split
}

// split takes a key apart. It is false, and the path empty, if the key names no object.
func (r *Registry) split(key string) (path, bool) {
	var guess path
	for _, prefix := range r.prefixes {
		below, ok := strings.CutPrefix(key, prefix.path)
		if !ok || !strings.HasPrefix(below, "/") {
			continue
		}
		p := parsePath(below[1:])
		if prefix.logical {
			p = r.parseLogical(below[1:], p)
		}
		if p.Resource == "" || p.rest == "" {
			continue
		}
		p.prefix = prefix.path
		if p.known {
			return p, true
		}
		if guess.Resource == "" || p.isCustom() && !guess.isCustom() {
			guess = p
		}
	}
	return guess, guess.Resource != ""
}

// isCustom reports whether the path may be that of a custom resource below its group. The name of a
// resource is a DNS label, and has no dot.
func (p path) isCustom() bool { return p.groupFixed && !strings.Contains(p.Resource, ".") }

// A Shape says how sure it is which resource a key is of.
type Shape uint8

const (
	Shapeless Shape = iota // it names no object
	Unknown                // a path that nobody knows
	Custom                 // a resource below its group
	Builtin                // a built-in resource
)

// ShapeOf tells the Shape of a key.
func (r *Registry) ShapeOf(key string) Shape {
	p, ok := r.split(key)
	switch {
	case !ok:
		return Shapeless
	case p.known:
		return Builtin
	case p.isCustom():
		return Custom
	}
	return Unknown
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
