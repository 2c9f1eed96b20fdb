package naming

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// Resolve finds the keys of objects that were found without one: the key in ev of the same
// resource, namespace and name, or the one that the object would have had. It turns Unkeyed
// into Copies, and adds to Disguised. Learn comes before it.
func Resolve(ev *seen.Evidence) {
	copies := map[string][]int{} // copies that were found with a key, by the keys of Unkeyed
	for i := range ev.Unkeyed {
		o := &ev.Unkeyed[i]
		if o.Key = keyOf(ev, o); o.Key != "" {
			copies[o.Key] = nil
		}
	}
	for i, at := range ev.Copies.All() {
		if list, ok := copies[at.Key]; ok {
			copies[at.Key] = append(list, i)
		}
	}
	for i := range ev.Unkeyed {
		o := &ev.Unkeyed[i]
		if o.Key == "" || ev.Interest.OnlyKey != "" && o.Key != ev.Interest.OnlyKey {
			continue
		}
		if _, ok := ev.Names.Identify(o.Key); !ok && o.TypeMeta.Kind == seen.SecretType.Kind {
			ev.Disguised[o.Key] = resource.Identity{GroupResource: seen.Secrets, Namespace: o.Namespace, Name: o.Name}
		}
		date(ev, &o.Copy, copies[o.Key])
		ev.Keep(o.Copy)
	}
	ev.Unkeyed = nil
}

// keyOf is the key that an object has in ev, or would have; empty if nothing names the object.
func keyOf(ev *seen.Evidence, o *seen.Unkeyed) string {
	name := o.Name
	switch {
	case name == "":
		name = o.Namespace
	case o.Namespace != "":
		name = o.Namespace + "/" + name
	}
	if name == "" {
		return ""
	}
	paths := pathsOf(o.TypeMeta)
	prefixes := ev.Names.Prefixes()
	for _, prefix := range prefixes {
		for _, path := range paths {
			if key := prefix + "/" + path + "/" + name; ev.Keys.Entry(key) != nil || ev.OtherKeys[key] != "" {
				return key
			}
		}
	}
	if len(prefixes) == 0 {
		prefixes = resource.DefaultPrefixes
	}
	return prefixes[0] + "/" + paths[0] + "/" + name
}

// pathsOf is what may stand between prefix and name in the keys of objects of a kind, the
// usual path first.
func pathsOf(t object.TypeMeta) []string {
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	paths := []string{plural.Resource}
	if strings.Contains(plural.Group, ".") {
		paths = append(paths, plural.Group+"/"+plural.Resource)
	}
	for _, last := range resource.LastSegments(resource.GroupResource{Resource: plural.Resource}) {
		paths = append(paths, last, "services/"+last)
	}
	return paths
}
