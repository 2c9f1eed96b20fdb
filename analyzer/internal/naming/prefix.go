package naming

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// MaxPrefixes bounds the prefixes that Learn takes for those of API servers. One is usual; each
// costs time for every key.
const MaxPrefixes = 16

// Bounds of the values that are read to find the prefixes of keys whose shape is not known.
const (
	shapeSamples = 3       // of the keys that lie side by side
	maxShapes    = 1 << 13 // in all
)

// findPrefixes finds the prefixes of the keys of ev: the usual ones that are in use, and those
// of API servers with another --etcd-prefix. Such a prefix shows where a value may be
// Kubernetes' and its key names a built-in resource further down, below a usual prefix too, as
// in "/registry/cluster-a/secrets/default/db"; or where a plaintext value says of itself what
// its key must end in. The result is sorted. logical are those below which keys are laid out as
// those of kcp; more is how many prefixes there are beyond MaxPrefixes.
func findPrefixes(ev *seen.Evidence) (found []string, logical map[string]bool, more int) {
	f := prefixFinder{
		ev: ev, usual: resource.NewRegistry(resource.DefaultPrefixes), samples: map[string]int{},
		counts: map[string]int{}, logical: map[string]bool{}, groups: map[string]bool{}, unsure: map[string]int{},
	}
	for _, e := range ev.Keys.Entries.All() {
		if e.Deleted {
			continue
		}
		if prefix, ok := f.prefixOf(e); ok {
			f.counts[prefix]++
		}
	}
	for _, at := range ev.Copies.All() {
		if !at.Place.IsV2() {
			continue
		}
		if shape := f.usual.ShapeOf(at.Key); shape != resource.Shapeless { // the v2 store has keys that the db lacks
			f.counts[resource.PrefixOf(at.Key, resource.DefaultPrefixes)]++
		} else if guess, ok := resource.FindPrefix(at.Key); ok {
			f.counts[guess.Prefix]++
		}
	}
	for prefix, n := range f.unsure {
		if !f.groups[prefix] {
			f.counts[prefix] += n
		}
	}
	found = slices.SortedFunc(maps.Keys(f.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.counts[b], f.counts[a]), cmp.Compare(a, b))
	})
	if more = len(found) - MaxPrefixes; more > 0 {
		found = found[:MaxPrefixes]
	}
	slices.Sort(found)
	return found, f.logical, max(0, more)
}

// A prefixFinder finds the prefixes of the keys of one evidence.
type prefixFinder struct {
	ev      *seen.Evidence
	usual   *resource.Registry // knows the usual prefixes
	samples map[string]int     // values that were read, by what stands before the last two segments of their keys
	read    int                // how many in all

	counts  map[string]int  // keys, by prefix
	logical map[string]bool // prefixes below which keys are laid out as those of kcp
	// groups are what would be prefixes, but are a usual prefix and the group of a custom resource,
	// as a value says. unsure are those of which Secrets alone tell: see unsurePrefix.
	groups map[string]bool
	unsure map[string]int
}

// prefixOf guesses the prefix of the key of e.
func (f *prefixFinder) prefixOf(e *seen.Entry) (string, bool) {
	under, below := "", ""
	if shape := f.usual.ShapeOf(e.Key); shape != resource.Shapeless {
		under = resource.PrefixOf(e.Key, resource.DefaultPrefixes)
		if shape == resource.Builtin {
			return under, true
		}
		below, _, _ = strings.Cut(e.Key[len(under)+1:], "/")
	}
	how := f.ev.Keys.Storages[e.Storage]
	if how.Provider == envelope.Identity && !isObject(how.Encoding) {
		return under, under != ""
	}
	guess, ok := resource.FindPrefix(e.Key)
	if ok && guess.Logical {
		f.logical[guess.Prefix] = true
		return guess.Prefix, true
	}
	if ok && guess.Custom && guess.Prefix == under && under != "" {
		return under, true // as nearly all custom resources
	}
	if how.Provider == envelope.Identity {
		if says, told := f.ask(e); told {
			if says.Logical {
				f.logical[says.Prefix] = true
			}
			if under != "" && says.Prefix == under {
				f.groups[under+"/"+below] = true
			}
			return says.Prefix, true
		}
	}
	switch {
	case !ok || guess.Custom && how.Provider == envelope.Identity: // an object of any program may lie at such a key
	case under == "" || guess.Custom:
		return guess.Prefix, true
	case guess.Prefix == under+"/"+below && strings.Contains(below, "."):
		f.noteUnsure(e.Key, under, below)
	case namespacedUnder(guess.Prefix, e.Key):
		return guess.Prefix, true
	}
	return under, under != ""
}

// noteUnsure notes an encrypted value, or one that does not tell, whose key may be that of a
// custom resource, or of a built-in one of an API server whose prefix looks like a group:
// "/registry/tenant.example.com/secrets/default/db". Unless another value or a CRD says that it
// is a group, Secrets count: to call those something else would make a report clean that is not.
func (f *prefixFinder) noteUnsure(key, under, group string) {
	prefix := under + "/" + group
	if !strings.HasPrefix(key, prefix+"/"+seen.Secrets.Resource+"/") {
		return
	}
	if f.ev.Keys.Entry(under+"/"+crdSegment+"/"+seen.Secrets.Resource+"."+group) != nil {
		return
	}
	f.unsure[prefix]++
}

// ask reads the value of e, which is plaintext, and finds the prefix of its key by what the value
// says of itself. It is false if the value does not tell, or if enough values were read that lie
// beside it.
func (f *prefixFinder) ask(e *seen.Entry) (resource.Guess, bool) {
	beside := e.Key
	for range 2 {
		beside = beside[:max(0, strings.LastIndexByte(beside, '/'))]
	}
	if f.samples[beside] == shapeSamples || f.read == maxShapes {
		return resource.Guess{}, false
	}
	f.samples[beside]++
	f.read++
	value, err := f.ev.ReadValue(e)
	if err != nil {
		return resource.Guess{}, false
	}
	return prefixByValue(e.Key, value, e.Off)
}

// namespacedUnder reports whether key names an object in a namespace below prefix. FindPrefix
// alone is not enough below a usual prefix, because a namespace of an unknown resource may have
// the name of a resource of cluster scope.
func namespacedUnder(prefix, key string) bool {
	id, ok := resource.NewRegistry([]string{prefix}).Identify(key)
	return ok && id.Namespace != ""
}
