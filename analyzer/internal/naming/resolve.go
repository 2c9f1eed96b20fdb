package naming

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
)

// Resolve finds the keys of objects that were found without one: the key of the
// same resource, namespace and name, or the one that it would have had.
func Resolve(ev *seen.Evidence) {
	byKey := map[string][]int{}
	for i := range ev.Unkeyed {
		f := &ev.Unkeyed[i]
		if f.Key = keyOf(ev, f); f.Key != "" {
			byKey[f.Key] = nil
		}
	}
	for i, at := range ev.Copies.All() {
		if list, ok := byKey[at.Key]; ok {
			byKey[at.Key] = append(list, i)
		}
	}
	for i := range ev.Unkeyed {
		f := &ev.Unkeyed[i]
		if f.Key == "" || ev.Interest.Only != "" && f.Key != ev.Interest.Only {
			continue
		}
		if _, ok := ev.Names.Identify(f.Key); !ok && f.TypeMeta.Kind == seen.SecretType.Kind {
			ev.Disguised[f.Key] = object.Identity{GroupResource: seen.Secrets, Namespace: f.Namespace, Name: f.Name}
		}
		date(ev, &f.Copy, byKey[f.Key])
		ev.Keep(f.Copy)
	}
	ev.Unkeyed = nil
}

// keyOf is the key that an object has.
func keyOf(ev *seen.Evidence, f *seen.Unkeyed) string {
	parts := make([]string, 0, 2)
	for _, part := range []string{f.Namespace, f.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	end := strings.Join(parts, "/")
	if end == "" {
		return ""
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(f.APIVersion, f.Kind))
	paths := []string{plural.Resource}
	if strings.Contains(plural.Group, ".") {
		paths = append(paths, plural.Group+"/"+plural.Resource)
	}
	for _, last := range object.LastSegments(object.GroupResource{Resource: plural.Resource}) {
		paths = append(paths, last, "services/"+last)
	}
	prefixes := ev.Names.Prefixes()
	for _, prefix := range prefixes {
		for _, path := range paths {
			if key := prefix + "/" + path + "/" + end; ev.Keys.Entry(key) != nil || ev.Unheld[key] != "" {
				return key
			}
		}
	}
	if len(prefixes) == 0 {
		prefixes = object.DefaultPrefixes
	}
	return prefixes[0] + "/" + paths[0] + "/" + end
}

// date gives a copy without a revision that of the copy of the same key, among the
// sightings of those numbers, with the same bytes, if there is just one such revision.
func date(ev *seen.Evidence, at *seen.Copy, among []int) {
	for _, i := range among {
		other := ev.Copies.At(i)
		if other.Sum != at.Sum || other.Rev.Main == 0 || !other.Complete || other.Deletion || other.Owned {
			continue
		}
		if at.Rev.Main != 0 && at.Rev != other.Rev {
			at.Rev, at.Create, at.Version = mvcc.Revision{}, 0, 0
			return
		}
		at.Rev, at.Create, at.Version = other.Rev, other.Create, other.Version
	}
}
