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

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// An Interest says of which keys every copy is kept; of all others only the newest value is.
// Which keys are in scope is known only when a file has been read, because that shows the
// prefixes. An Interest may keep more than is in scope, and never less.
//
// NewInterest sets its fields before the first file is read. All evidence of a run shares it,
// and only Learn changes it.
type Interest struct {
	OnlyKey   string   // the one key that is kept, with its deletions and encrypted copies; empty for the rules below
	AnySecret bool     // plaintext that says it is a Secret is kept under any key
	all       bool     // every key is kept
	parts     [][]byte // a key that holds one of them is kept, such as "/secrets/"

	contents bool // what plaintext Secrets hold is taken down
	distinct bool // the ledger tells values apart: see Want.Distinct
	compares bool // the newest values of several files are compared: see Want.Compare
	sealed   func(env envelope.Envelope, sum uint64)

	// Seed makes hashes that files of this run have in common. They mean nothing in another run.
	Seed maphash.Seed

	// Names are the names of keys that are known: values show a name that holds a colon only to
	// who knows it. First come the Configured ones, those of the configuration; Learn adds others.
	Names      []envelope.Name
	Configured int
}

// Want is what a run is about. The zero value wants no copies.
type Want struct {
	Key       string                   // the one key whose copies are wanted; empty for those of Resources
	Resources []resource.GroupResource // their plaintext copies are wanted
	Config    *encryption.Config       // nil if there is none
	// Configured says that what Config encrypts is wanted, too.
	Configured bool
	// Distinct says that values are told apart, to count each once. It takes memory for each value.
	Distinct bool
	// Compare says that there are several files, which may be of members of one etcd: their newest
	// values are compared. It takes 8 bytes for each key.
	Compare bool
	// Sealed is told of each whole encrypted value, with the SealedSum of it. It must not be nil
	// where a file is swept.
	Sealed func(env envelope.Envelope, sum uint64)
}

// NewInterest says what must be kept for what is wanted.
func NewInterest(o Want) *Interest {
	in := &Interest{OnlyKey: o.Key, Seed: maphash.MakeSeed(), distinct: o.Distinct, compares: o.Compare, sealed: o.Sealed}
	for _, r := range o.Resources {
		in.addResource(r)
	}
	in.AnySecret = slices.Contains(o.Resources, Secrets)
	if o.Config != nil {
		in.Names = o.Config.Names()
	}
	in.Configured = len(in.Names)
	if o.Configured {
		for _, e := range o.Config.Entries() {
			if e.Encrypts() {
				in.all = in.all || e.Wildcard()
				in.addResource(e.Resource)
			}
		}
	}
	in.contents = in.all || in.OnlyKey != "" || slices.ContainsFunc(in.parts, func(part []byte) bool { return string(part) == secretsPart })
	return in
}

func (in *Interest) addResource(r resource.GroupResource) {
	for _, part := range resource.LastSegments(r) {
		in.parts = append(in.parts, []byte("/"+part+"/"))
	}
}

// KeepsKey reports whether copies of the key are kept, whatever their values are.
func (in *Interest) KeepsKey(key []byte) bool {
	if in.OnlyKey != "" {
		return string(key) == in.OnlyKey
	}
	return in.MayBeInScope(key)
}

// MayBeInScope reports whether the verdict may be about the key, whichever keys are kept: who asks
// for the copies of one key must hear of the same pieces as who asks for all exposures.
func (in *Interest) MayBeInScope(key []byte) bool {
	if in.all {
		return true
	}
	for _, part := range in.parts {
		if bytes.Contains(key, part) {
			return true
		}
	}
	return false
}

// KeepsValue reports whether a copy of a value that starts at off is kept. watched is what
// KeepsKey says of its key.
func (in *Interest) KeepsValue(value []byte, off int64, watched bool) bool {
	if in.OnlyKey != "" {
		return watched
	}
	return !envelope.IsEncrypted(value) && (watched || in.AnySecret && IsSecret(value, off))
}

// KeepsKind reports whether objects of that kind may be in scope: the plural that the API has
// for most kinds is the resource.
func (in *Interest) KeepsKind(t object.TypeMeta) bool {
	plural, singular := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	for _, part := range in.parts {
		if name := strings.Trim(string(part), "/"); name == plural.Resource || name == singular.Resource {
			return true
		}
	}
	return false
}

// HoldsSecret reports whether what a plaintext value holds is taken down: the run asks for it,
// and the value may be that of a Secret.
func (in *Interest) HoldsSecret(key string, value []byte, off int64) bool {
	return in.contents && (strings.Contains(key, secretsPart) || IsSecret(value, off))
}

// Learn replaces the names that it added before. It must not run while values are read.
func (in *Interest) Learn(known map[envelope.Name]bool) {
	names := in.Names[:in.Configured:in.Configured]
	for id := range known {
		names = append(names, id)
	}
	slices.SortFunc(names[in.Configured:], func(a, b envelope.Name) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
	in.Names = names
}

// IsName reports whether the names in an envelope look like names, or are known.
func (in *Interest) IsName(env *envelope.Envelope) bool {
	known := slices.ContainsFunc(in.Names, func(n envelope.Name) bool { return n.Provider == env.Provider && n.Name == string(env.KeyName) })
	return (known || IsPlainName(env.KeyName)) && IsPlainName(env.Object.KeyID)
}

// maxPlainName bounds what is taken for a name outside of the tree, in bytes.
const maxPlainName = 256

// IsPlainName reports whether bytes that may be anything look like a name: short, and printable
// without a space.
func IsPlainName(b []byte) bool {
	return len(b) <= maxPlainName && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// Sum is the same for equal values in one run, and means nothing outside it.
func (in *Interest) Sum(value []byte) uint64 { return maphash.Bytes(in.Seed, value) }

// sumEdge is how many bytes at each end of a ciphertext tell it from others.
const sumEdge = 128

// SealedSum is Sum for encrypted values, from both ends of the ciphertext: there are the nonce
// and the tag, and the last block of AES-CBC, which depends on all before it.
func (in *Interest) SealedSum(env *envelope.Envelope) uint64 {
	b := env.Ciphertext()
	if len(b) <= 2*sumEdge {
		return maphash.Bytes(in.Seed, b)
	}
	var h maphash.Hash
	h.SetSeed(in.Seed)
	_, _ = h.Write(b[:sumEdge])
	_, _ = h.Write(b[len(b)-sumEdge:])
	return h.Sum64() + uint64(len(b))
}
