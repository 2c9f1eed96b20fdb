package seen

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

var Secrets = object.GroupResource{Resource: "secrets"}

// HoldsSecret reports whether a plaintext value may be that of a Secret.
func (w *Interest) HoldsSecret(key string, value []byte, off int64) bool {
	return w.contents && (strings.Contains(key, secretsPart) || IsSecret(value, off))
}

// secretsPart is in the key of every Secret that lies where Secrets do.
const secretsPart = "/secrets/"

// Secrets are in scope if their keys are watched.
func (w *Interest) watchesSecrets() bool {
	return w.all || w.Only != "" || slices.ContainsFunc(w.parts, func(part []byte) bool { return string(part) == secretsPart })
}

// KeepsKind reports whether objects of that kind may be in scope: the plural that the
// API has for most kinds is the resource.
func (w *Interest) KeepsKind(t object.TypeMeta) bool {
	plural, singular := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	for _, part := range w.parts {
		if name := strings.Trim(string(part), "/"); name == plural.Resource || name == singular.Resource {
			return true
		}
	}
	return false
}

// A KeyNamed is a possible name of a key of a provider.
type KeyNamed struct {
	Provider envelope.Provider
	Name     string
}

// Learn adds names that are known.
func (w *Interest) Learn(known map[KeyNamed]bool) {
	names := w.Names[:w.Configured:w.Configured]
	for id := range known {
		names = append(names, envelope.Name{Provider: id.Provider, Name: id.Name})
	}
	slices.SortFunc(names[w.Configured:], func(a, b envelope.Name) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
	w.Names = names
}

// An Interest says of which keys every copy is kept, beside the newest value of all.
// Which keys are in scope is known only when a file has been read, as that shows
// the prefixes; a watch may take more, and never less.
type Interest struct {
	parts   [][]byte // a key that holds one of them may be in scope, such as "/secrets/"
	Secrets bool     // so may any key of a value that says that it is a Secret
	all     bool     // any key may be in scope
	Only    string   // if not empty, the one key of which all copies are wanted, encrypted ones too
	// contents says that what plaintext Secrets hold is taken down.
	contents bool
	Seed     maphash.Seed
	distinct bool // see wanted
	sealed   func(env *envelope.Envelope, sum uint64)

	// names are those of keys that are known: one that holds a colon is found whole by
	// them. The configuration has the first of them, and nameKeys finds others.
	Names []envelope.Name
	// configured is how many the configuration has.
	Configured int
}

// A Wanted says what a run is about, of which a watch says what must be kept for it.
type Wanted struct {
	Key       string // if not empty, the one key of which all copies are wanted
	Resources []object.GroupResource
	AnyPrefix bool // Kubernetes' keys may lie anywhere
	Config    *encryption.Config
	// configured says that what config encrypts is wanted, too.
	Configured bool
	// distinct says that values are told apart, to count each once.
	Distinct bool
	// sealed is told of each encrypted value that is whole, and a hash of it.
	Sealed func(env *envelope.Envelope, sum uint64)
}

func NewInterest(o Wanted) *Interest {
	w := &Interest{Only: o.Key, Seed: maphash.MakeSeed(), distinct: o.Distinct, sealed: o.Sealed}
	for _, r := range o.Resources {
		w.resource(r)
	}
	w.Secrets = o.AnyPrefix && slices.Contains(o.Resources, Secrets)
	if o.Config != nil {
		w.Names = o.Config.Names()
	}
	w.Configured = len(w.Names)
	if o.Configured {
		for _, e := range o.Config.Entries() {
			if e.Encrypts() {
				w.all = w.all || e.Wildcard()
				w.resource(e.Resource)
			}
		}
	}
	w.contents = w.watchesSecrets()
	return w
}

// resource adds the keys of a resource.
func (w *Interest) resource(r object.GroupResource) {
	for _, part := range object.LastSegments(r) {
		w.parts = append(w.parts, []byte("/"+part+"/"))
	}
}

// KeepsKey reports whether copies of the key are kept whatever their values are.
func (w *Interest) KeepsKey(key []byte) bool {
	if w.Only != "" {
		return string(key) == w.Only
	}
	if w.all {
		return true
	}
	for _, part := range w.parts {
		if bytes.Contains(key, part) {
			return true
		}
	}
	return false
}

// KeepsValue reports whether a copy of the value is kept. watched is what key says.
func (w *Interest) KeepsValue(value []byte, off int64, watched bool) bool {
	if w.Only != "" {
		return watched
	}
	return !envelope.IsEncrypted(value) && (watched || w.Secrets && IsSecret(value, off))
}

// Sum is the same for equal values in one run, and means nothing outside it.
func (w *Interest) Sum(value []byte) uint64 { return maphash.Bytes(w.Seed, value) }

// maxPlainName bounds the name of a key that is taken for one outside of the tree.
const maxPlainName = 256

// IsName reports whether the names in an envelope look like some, or are known.
func (w *Interest) IsName(env *envelope.Envelope) bool {
	known := slices.ContainsFunc(w.Names, func(n envelope.Name) bool { return n.Provider == env.Provider && n.Name == string(env.KeyName) })
	return (known || IsPlainName(env.KeyName)) && IsPlainName(env.Object.KeyID)
}

func IsPlainName(b []byte) bool {
	return len(b) <= maxPlainName && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// sumEdge is how many bytes at each end of a ciphertext are looked at to tell it from
// others.
const sumEdge = 128

// SealedSum is sum for encrypted values, from both ends of the ciphertext: there are the
// nonce and the tag, and the last block of AES-CBC, which depends on all before it.
func (w *Interest) SealedSum(env *envelope.Envelope) uint64 {
	b := env.Payload
	if len(env.Object.EncryptedData) > 0 {
		b = env.Object.EncryptedData
	}
	if len(b) <= 2*sumEdge {
		return maphash.Bytes(w.Seed, b)
	}
	var h maphash.Hash
	h.SetSeed(w.Seed)
	_, _ = h.Write(b[:sumEdge])
	_, _ = h.Write(b[len(b)-sumEdge:])
	return h.Sum64() + uint64(len(b))
}

var SecretType = object.TypeMeta{APIVersion: "v1", Kind: "Secret"}

// IsSecret reports whether a value says of itself that it is a Secret. Nearly all
// values are told by the first bytes.
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
