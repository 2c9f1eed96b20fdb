package analyzer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// maxPrefixes bounds the prefixes that are taken for API servers'. One is usual;
// each costs time for every key.
const maxPrefixes = 16

// findPrefixes is the prefixes that keys of this db have: of the usual ones those
// in use, and that of an API server with another --etcd-prefix. It shows where a
// value looks like Kubernetes' and its key names a built-in resource further down,
// below a usual prefix too: "/registry/cluster-a/secrets/default/db".
func (s *survey) findPrefixes() []string {
	counts := map[string]int{}
	usual := object.NewRegistry(object.DefaultPrefixes)
	for _, e := range s.keys.entries.all() {
		if e.deleted {
			continue
		}
		if prefix, ok := s.prefixOf(e, usual); ok {
			counts[prefix]++
		}
	}
	found := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if more := len(found) - maxPrefixes; more > 0 {
		found = found[:maxPrefixes]
		s.notExamined = append(s.notExamined, report.NotExamined{Path: s.Path,
			What: fmt.Sprintf("keys under %d more prefixes look like those of an API server; name them with --prefix", more)})
	}
	slices.Sort(found)
	return found
}

// prefixOf guesses the prefix of one key.
func (s *survey) prefixOf(e *entry, usual *object.Registry) (string, bool) {
	underUsual := ""
	if found, known := usual.Finds(e.key); found {
		underUsual = object.PrefixOf(e.key, object.DefaultPrefixes)
		if known {
			return underUsual, true
		}
	}
	how := s.keys.stored[e.stored]
	if how.provider != envelope.Identity || isObject(how.encoding) {
		prefix, ok := object.FindPrefix(e.key)
		if ok && (underUsual == "" || namespacedUnder(prefix, e.key)) {
			return prefix, true
		}
	}
	return underUsual, underUsual != ""
}

// namespacedUnder asks for more than FindPrefix does: a namespace of an unknown
// resource may have the name of a resource of cluster scope.
func namespacedUnder(prefix, key string) bool {
	id, ok := object.NewRegistry([]string{prefix}).Identify(key)
	return ok && id.Namespace != ""
}
