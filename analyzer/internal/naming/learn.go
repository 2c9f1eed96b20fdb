package naming

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// groupSamples is how many plaintext values of a resource are asked for their API group. One
// value would do if no old API version had written any.
const groupSamples = 5

// crdSegment is the part of a key that names a CustomResourceDefinition.
const crdSegment = "apiextensions.k8s.io/customresourcedefinitions"

// Learn learns how this etcd names its objects: the prefixes of Kubernetes' keys, the API
// groups of built-in resources from their plaintext values, and the scope of custom resources
// from their CRDs. It sets Names, Details.Prefixes and Disguised of ev. given are the prefixes
// to use, nil for those that the keys show. The error is that of ctx, or says that ev has keys
// and none of them lies below a given prefix.
func Learn(ctx context.Context, ev *seen.Evidence, given []string) error {
	found, logical, more := findPrefixes(ev)
	prefixes := given
	if given == nil {
		prefixes = found
		if more > 0 {
			ev.NotExamined = append(ev.NotExamined, report.NotExamined{Path: ev.Path,
				What: fmt.Sprintf("keys under %d more prefixes look like those of an API server; name them with --prefix", more), Unread: true})
		}
	}
	for _, prefix := range prefixes {
		ev.Details.Prefixes = append(ev.Details.Prefixes, report.Text(cmp.Or(prefix, "/")))
	}
	ev.Names = resource.NewRegistry(prefixes)
	for prefix := range logical {
		ev.Names.LearnLogical(prefix)
	}
	samples := map[string]int{} // by segment
	inside := 0                 // keys below a prefix
	for _, e := range ev.Keys.Entries.All() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		segment, ok := ev.Names.Segment(e.Key)
		if ok {
			inside++
		}
		how := ev.Keys.Storages[e.Storage]
		if e.Deleted || how.Provider != envelope.Identity || !isObject(how.Encoding) {
			continue
		}
		if segment == crdSegment {
			learnCRD(ev, e)
		}
		if ok && samples[segment] < groupSamples {
			samples[segment]++
			learnGroup(ev, segment, e)
		}
	}
	if ev.Interest.AnySecret {
		findDisguised(ev, given)
	}
	if given != nil && inside == 0 && ev.Keys.Entries.Len() > 0 {
		return &prefixError{given, found}
	}
	return nil
}

// A prefixError says that no key lies under any --prefix.
type prefixError struct {
	given, found []string
}

func (e *prefixError) Error() string {
	text := fmt.Sprintf("no key lies under --prefix %s", strings.Join(e.given, ", "))
	if len(e.found) > 0 {
		text += "; keys lie under " + strings.Join(e.found, ", ")
	}
	return text
}

// findDisguised finds the Secrets whose keys do not say so, because they lie under a prefix or
// a path that nobody knows, or at the key of another resource. given are the prefixes that the
// user named, nil for any.
func findDisguised(ev *seen.Evidence, given []string) {
	for _, at := range ev.Copies.All() {
		if at.Holds == 0 { // nearly all that are no Secrets
			continue
		}
		if _, found := ev.Disguised[at.Key]; found || !at.Object || !ev.IsPlaintext(at) {
			continue
		}
		id, ok := ev.Names.Identify(at.Key)
		if id.GroupResource == seen.Secrets || given != nil && !ok {
			continue
		}
		value, err := ev.ReadCopy(at)
		if err == nil && seen.IsSecret(value, at.Off) {
			m, _ := object.ParseMeta(value, at.Off) // a broken one leaves its name empty
			id.GroupResource, id.Namespace, id.Name = seen.Secrets, m.Namespace, m.Name
			ev.Disguised[at.Key] = id
		}
	}
}

// isObject reports whether a plaintext value in that encoding can be an object of Kubernetes.
func isObject(e envelope.Encoding) bool {
	return e == envelope.Protobuf || e == envelope.JSON || e == envelope.CBOR
}

// learnCRD reads the scope of a custom resource. Without its definition the number of parts in
// a key tells the scope.
func learnCRD(ev *seen.Evidence, e *seen.Entry) {
	value, err := ev.ReadValue(e)
	if err != nil {
		return
	}
	if crd, err := object.ParseCRD(value, e.Off); err == nil {
		ev.Names.LearnScope(resource.GroupResource{Group: crd.Group, Resource: crd.Plural}, crd.Namespaced)
	}
}

// learnGroup reads the API group of the resource that segment names.
func learnGroup(ev *seen.Evidence, segment string, e *seen.Entry) {
	value, err := ev.ReadValue(e)
	if err != nil {
		return
	}
	if t, err := object.ParseType(value, e.Off); err == nil {
		ev.Names.LearnGroup(segment, t.APIVersion)
	}
}
