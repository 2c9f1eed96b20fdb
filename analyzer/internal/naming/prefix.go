package naming

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// MaxPrefixes bounds the prefixes that Learn takes for those of API servers. One is usual; each
// costs time for every key.
const MaxPrefixes = 16

// findPrefixes finds the prefixes of the keys of ev: the usual ones that are in use, and those
// of API servers with another --etcd-prefix. Such a prefix shows where a value may be
// Kubernetes' and its key names a built-in resource further down, below a usual prefix too, as
// in "/registry/cluster-a/secrets/default/db". The result is sorted.
func findPrefixes(ev *seen.Evidence) []string {
	counts := map[string]int{}
	usual := resource.NewRegistry(resource.DefaultPrefixes)
	for _, e := range ev.Keys.Entries.All() {
		if e.Deleted {
			continue
		}
		if prefix, ok := prefixOf(ev, e, usual); ok {
			counts[prefix]++
		}
	}
	for _, at := range ev.Copies.All() {
		if !at.Place.IsV2() {
			continue
		}
		if found, _ := usual.Finds(at.Key); found { // the v2 store has keys that the db lacks
			counts[resource.PrefixOf(at.Key, resource.DefaultPrefixes)]++
		} else if prefix, ok := resource.FindPrefix(at.Key); ok {
			counts[prefix]++
		}
	}
	found := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if more := len(found) - MaxPrefixes; more > 0 {
		found = found[:MaxPrefixes]
		ev.NotExamined = append(ev.NotExamined, report.NotExamined{Path: ev.Path,
			What: fmt.Sprintf("keys under %d more prefixes look like those of an API server; name them with --prefix", more), Unread: true})
	}
	slices.Sort(found)
	return found
}

// prefixOf guesses the prefix of the key of e. usual knows the usual prefixes.
func prefixOf(ev *seen.Evidence, e *seen.Entry, usual *resource.Registry) (string, bool) {
	underUsual := ""
	if found, known := usual.Finds(e.Key); found {
		underUsual = resource.PrefixOf(e.Key, resource.DefaultPrefixes)
		if known {
			return underUsual, true
		}
	}
	how := ev.Keys.Storages[e.Storage]
	if how.Provider != envelope.Identity || isObject(how.Encoding) {
		prefix, ok := resource.FindPrefix(e.Key)
		if ok && (underUsual == "" || namespacedUnder(prefix, e.Key)) {
			return prefix, true
		}
	}
	return underUsual, underUsual != ""
}

// namespacedUnder reports whether key names an object in a namespace below prefix. FindPrefix
// alone is not enough below a usual prefix, because a namespace of an unknown resource may have
// the name of a resource of cluster scope.
func namespacedUnder(prefix, key string) bool {
	id, ok := resource.NewRegistry([]string{prefix}).Identify(key)
	return ok && id.Namespace != ""
}
