package seen

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// Secrets is the resource that a run is about unless it is told otherwise.
var Secrets = resource.GroupResource{Resource: "secrets"}

// SecretType is the type that a Secret says it has.
var SecretType = object.TypeMeta{APIVersion: "v1", Kind: "Secret"}

// secretsPart is in the key of every Secret that lies where Secrets do.
const secretsPart = "/secrets/"

// IsSecret reports whether a value that starts at off says of itself that it is a Secret. The
// first bytes rule out nearly all that are not.
func IsSecret(value []byte, off int64) bool {
	if len(value) == 0 {
		return false
	}
	head := value
	if value[0] == 'k' { // runtime.Unknown: the type stands at the front
		head = value[:min(len(value), 64)]
	}
	if !bytes.Contains(head, []byte("Secret")) {
		return false
	}
	t, _ := object.ParseType(value, off)
	return t == SecretType
}
