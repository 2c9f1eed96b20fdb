package seen

import (
	"bytes"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A StorageID is the index of a Storage in Keyspace.Storages; 0 is none. It means nothing in
// another evidence.
type StorageID uint32

// A Storage is how values were stored: with which provider, key and encoding. A file has few
// different ones, and millions of values.
type Storage struct {
	Provider envelope.Provider
	Encoding envelope.Encoding // of plaintext; 0 of an encrypted value
	KMSKeyID string            // of KMS v2, at most maxName bytes; else empty
	Blank    Blank             // of whole values that are stored without encryption, and hold no text
	Misfit   Misfit            // of whole values that may be in scope and start as objects do

	// KeyName is the name of the key or of the KMS provider, at most maxName bytes; empty of
	// plaintext, and of an unknown provider. Until keys.DecideNames it is the same as Shortest.
	KeyName string
	// Shortest is the name as a single value tells it.
	Shortest string
	// Names are all names that a single value may have, the shortest first; nil if it has one.
	Names []string
	// Lost says that not all of a name is kept, because it is too long or there are too many.
	Lost bool
	// Unsure says that nobody can tell which of Names it is: KeyName is the shortest that it can
	// be then. It is valid after keys.DecideNames.
	Unsure bool
}

// A Blank is why a whole value without an envelope is neither a Kubernetes object nor text of one.
type Blank uint8

const (
	NotBlank    Blank = iota // an object, or something that may be text
	BlankEmpty               // no byte
	BlankZeros               // zeros alone
	BlankRandom              // no different from random bytes, see carve.Classify
)

func (b Blank) String() string { return [...]string{"", "empty", "zeros alone", "random bytes"}[b] }

// BlankOf classes a whole value. Whatever may be text is not blank: nobody must be told that nothing
// can be read there.
func BlankOf(env *envelope.Envelope, value []byte) Blank {
	switch {
	case env.Provider != envelope.Identity || env.Encoding != envelope.Other:
		return NotBlank
	case len(value) == 0:
		return BlankEmpty
	case page.IsZero(value):
		return BlankZeros
	case carve.Classify(value) == carve.Random && !HasRun(value):
		return BlankRandom
	}
	return NotBlank
}

// A Misfit is why a whole value that starts as a Kubernetes object does is not that of its key.
type Misfit uint8

const (
	NoMisfit  Misfit = iota // it is, or nobody looked
	CutObject               // it can not be parsed to its end
	NoType                  // it does not say what it is
	OtherKind               // its kind is that of no resource in the key; custom resources may have such a kind
)

// misfitOf classes a whole value of a key that may be in scope.
func misfitOf(env *envelope.Envelope, key, value []byte) Misfit {
	if env.Provider != envelope.Identity || env.Encoding == envelope.Other {
		return NoMisfit
	}
	t, err := object.CheckType(value, 0)
	switch {
	case err != nil:
		return CutObject
	case t.APIVersion == "" || t.Kind == "":
		return NoType
	}
	if t == SecretType && bytes.Contains(key, []byte(secretsPart)) {
		return NoMisfit // as nearly all are
	}
	plural, singular := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind))
	segments := append(resource.LastSegments(resource.GroupResource{Resource: plural.Resource}), singular.Resource)
	if slices.ContainsFunc(segments, func(s string) bool { return bytes.Contains(key, []byte("/"+s+"/")) }) {
		return NoMisfit
	}
	return OtherKind
}

// minRun is how many printable bytes side by side may be text, however random the rest is. In random
// bytes about one place in four million starts such a run.
const minRun = 16

// HasRun reports whether minRun printable bytes in ASCII stand side by side.
func HasRun(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < ' ' || c > '~' {
			n = 0
		} else if n++; n == minRun {
			return true
		}
	}
	return false
}

// IsPlaintext reports whether values stored like that can be read by anybody.
func (s *Storage) IsPlaintext() bool { return s.Provider == envelope.Identity && s.Blank == NotBlank }

// Possible is the names that a value stored like that may have, the shortest first.
func (s *Storage) Possible() []string {
	if s.Names == nil {
		return []string{s.KeyName}
	}
	return s.Names
}

// MayHave reports whether the key of a value stored like that may have the name.
func (s *Storage) MayHave(name string) bool {
	return s.KeyName == name || s.Unsure && slices.Contains(s.Names, name)
}

// Reported is the provider as the report has it.
func (s Storage) Reported() report.Provider { return report.Provider(s.Provider.String()) }

// Label is how a value was encrypted, such as "aescbc:key1".
func (s Storage) Label() string {
	if s.KMSKeyID != "" {
		return fmt.Sprintf("%s (key ID %q)", KeyLabel(s.Provider, s.KeyName), report.Text(s.KMSKeyID).ValidUTF8())
	}
	return KeyLabel(s.Provider, s.KeyName)
}

// KeyLabel is how messages call a key, such as "aescbc:key1".
func KeyLabel(p envelope.Provider, name string) string {
	if name == "" {
		return p.String()
	}
	return p.String() + ":" + report.Text(name).ValidUTF8()
}

// A KeyID is a key as users know it: what one UseID encrypts, one key encrypts, in whatever
// file.
type KeyID struct {
	Provider          envelope.Provider
	KeyName, KMSKeyID string
}

// KeyID is the key that a value stored like that needs.
func (s Storage) KeyID() KeyID { return KeyID{s.Provider, s.KeyName, s.KMSKeyID} }
