package naming

import (
	"slices"
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
	copies := map[string][]int{} // copies that were found with a key, by the keys that Unkeyed may have
	inClusters := logicalKeys(ev)
	keys := make([][]string, len(ev.Unkeyed))
	for i := range ev.Unkeyed {
		keys[i] = keysOf(ev, &ev.Unkeyed[i], inClusters)
		for _, key := range keys[i] {
			copies[key] = nil
		}
	}
	for i, at := range ev.Copies.All() {
		if list, ok := copies[at.Key]; ok {
			copies[at.Key] = append(list, i)
		}
	}
	for i := range ev.Unkeyed {
		ev.Unkeyed[i].Key = likeliest(ev, &ev.Unkeyed[i], keys[i], copies)
	}
	for i := range ev.Unkeyed {
		o := &ev.Unkeyed[i]
		if _, twice := ev.Carriers[seen.PlaceInFile{File: o.File, Off: o.Off}]; twice && !o.Embedded {
			continue // it was found again by the bytes alone
		}
		if o.Embedded {
			keepEmbedded(ev, o)
			continue
		}
		if o.Key == "" && ev.Interest.OnlyKey == "" {
			ev.Pieces = append(ev.Pieces, o.AsPiece())
			continue
		}
		if o.Key != "" && ev.Interest.OnlyKey != "" && o.Key != ev.Interest.OnlyKey && ev.Interest.MayBeInScope([]byte(o.Key)) {
			ev.Ledger.AddCarved(nil, o.Copy, true) // its pieces are its own, and not those of the one key
		}
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

// keepEmbedded keeps a Secret that the value of another object holds. One without a name is not
// kept: the manifest of nothing.
func keepEmbedded(ev *seen.Evidence, o *seen.Unkeyed) {
	if o.Key == "" || ev.Interest.OnlyKey != "" && o.Key != ev.Interest.OnlyKey {
		return
	}
	at := seen.PlaceInFile{File: o.File, Off: o.Off}
	if o.Holder != nil {
		carrier := ev.Carriers[at]
		if keys := keysOf(ev, o.Holder, nil); len(keys) > 0 {
			carrier.Key = keys[0]
		}
		ev.Carriers[at] = carrier
	}
	if _, ok := ev.Names.Identify(o.Key); !ok {
		ev.Disguised[o.Key] = resource.Identity{GroupResource: seen.Secrets, Namespace: o.Namespace, Name: o.Name}
	}
	ev.Keep(o.Copy)
}

// A kindID is what an object says of itself, as far as all keys tell it.
type kindID struct{ resource, namespace, name string }

// logicalKeys are the keys of ev in logical clusters that an object of Unkeyed may have: the object
// does not say which cluster it is of.
func logicalKeys(ev *seen.Evidence) map[kindID][]string {
	if !slices.ContainsFunc(ev.Names.Prefixes(), ev.Names.IsLogical) || len(ev.Unkeyed) == 0 {
		return nil
	}
	found := map[kindID][]string{}
	for _, o := range ev.Unkeyed {
		found[kindID{pathsOf(o.TypeMeta)[0], o.Namespace, o.Name}] = nil
	}
	add := func(key string) {
		id, _ := ev.Names.Identify(key)
		is := kindID{id.Resource, id.Namespace, id.Name}
		if list, wanted := found[is]; wanted && id.LogicalCluster != "" {
			found[is] = append(list, key)
		}
	}
	for _, e := range ev.Keys.Entries.All() {
		add(e.Key)
	}
	for key := range ev.OtherKeys {
		add(key)
	}
	for _, list := range found {
		slices.Sort(list)
	}
	return found
}

// keysOf are the keys that an object may have in ev: those that ev has, or if there is none, the one
// that it would have. There are none if nothing names the object.
func keysOf(ev *seen.Evidence, o *seen.Unkeyed, inClusters map[kindID][]string) (keys []string) {
	name := o.Name
	switch {
	case name == "":
		name = o.Namespace
	case o.Namespace != "":
		name = o.Namespace + "/" + name
	}
	if name == "" {
		return nil
	}
	paths := pathsOf(o.TypeMeta)
	prefixes := ev.Names.Prefixes()
	for _, prefix := range prefixes {
		for _, path := range paths {
			key := prefix + "/" + path + "/" + name
			if (ev.Keys.Entry(key) != nil || ev.OtherKeys[key] != "") && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	if keys = append(keys, inClusters[kindID{paths[0], o.Namespace, o.Name}]...); len(keys) > 0 {
		return keys
	}
	if len(prefixes) == 0 {
		prefixes = resource.DefaultPrefixes
	}
	return []string{prefixes[0] + "/" + paths[0] + "/" + name}
}

// likeliest is the key that an object has, of those that it may have; empty without any. Tenants and
// logical clusters have objects of the same names: the one counts of which another copy has the same
// bytes, else one that was in plaintext elsewhere, too, else the first.
func likeliest(ev *seen.Evidence, o *seen.Unkeyed, keys []string, copies map[string][]int) string {
	best, most := "", -1
	for _, key := range keys {
		likely := 0
		for _, i := range copies[key] {
			switch other := ev.Copies.At(i); {
			case other.Deletion || !ev.IsPlaintext(other):
			case other.Sum == o.Sum:
				likely = 2
			default:
				likely = max(likely, 1)
			}
		}
		if likely > most {
			best, most = key, likely
		}
	}
	return best
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
