package naming

import (
	"strings"

	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// prefixByValue finds the prefix that a key lies under by the value that it has, which starts at
// off: the object says its kind, namespace and name, and the key ends in them. It is false if the
// value is no object, has no name, or is not the object of the key.
func prefixByValue(key string, value []byte, off int64) (resource.Guess, bool) {
	n, err := object.ParseName(value, off)
	if err != nil || n.Name == "" || n.Kind == "" {
		return resource.Guess{}, false
	}
	end := "/" + n.Name
	if n.Namespace != "" {
		end = "/" + n.Namespace + end
	}
	head, ok := strings.CutSuffix(key, end)
	if !ok {
		return resource.Guess{}, false
	}
	return resource.PrefixByType(head, n.APIVersion, pathsOf(n.TypeMeta))
}
