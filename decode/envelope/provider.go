package envelope

// A Provider is what wrote a value, by its name in an EncryptionConfiguration.
type Provider uint8

// Unknown is a value that starts like an envelope but is not one that we know, or is cut
// before Parse can tell. Those behind Identity encrypt.
const (
	Unknown Provider = iota
	Identity
	AESCBC
	AESGCM
	Secretbox
	KMSv1
	KMSv2
)

// providers says all that is known of each Provider. Parse tries them in this order. A new
// one is a row here, and what reads its payload in this package.
//
// Source: pkg/server/options/encryptionconfig/config.go (prefixes) and
// pkg/storage/value/encrypt (payloads, what binds them) in k8s.io/apiserver
// v0.37.2; for limits and advice see the fields.
var providers = [...]scheme{
	Unknown:  {name: "unknown"},
	Identity: {name: "identity"},
	AESCBC: {
		name: "aescbc", prefix: "aescbc:v1:", version: 7, fits: fitsCBC, least: minCBC,
		nonce: blockSize, iv: true,
		standing: NotRecommended, why: "not recommended, as CBC without authentication is open to padding oracle attacks",
	},
	AESGCM: {
		name: "aesgcm", prefix: "aesgcm:v1:", version: 7, least: minGCM,
		nonce: nonceGCM, tag: tagLast, bound: true, limit: 200_000,
	},
	Secretbox: {
		name: "secretbox", prefix: "secretbox:v1:", version: 10, least: minSecretbox,
		nonce: nonceXSal, tag: tagFirst,
	},
	// Before Kubernetes 1.25 it wrote AES-CBC below its DEKs: without a tag, and not bound.
	// Only those who have the DEK can tell.
	KMSv1: {
		name: "kms-v1", prefix: "kms:v1:", version: 4, fits: fitsKMSv1, least: 2 + minGCM,
		nonce: nonceGCM, kms: true, bound: true,
		standing: Deprecated, why: "KMS v1 is deprecated since Kubernetes 1.28 and off by default since 1.29",
	},
	KMSv2: {
		name: "kms-v2", prefix: "kms:v2:", version: 4,
		nonce: nonceGCM, tag: tagLast, kms: true, object: true, bound: true,
	},
}

// A scheme is what is known of a provider. The zero value of each field is that of a provider
// that does not encrypt.
type scheme struct {
	name string // see Provider.String

	// How a value starts, and where the name of its key ends: at the first colon with a
	// payload behind it that fits accepts; without a fits, at the first colon.
	prefix  string // behind "k8s:enc:"
	version int    // where the version starts in prefix; a colon ends both
	fits    func(payload []byte) bool
	least   int // bytes of a payload; 0 where no name holds a colon

	// How the payload lies: see Envelope.
	nonce  int  // size of the nonce or IV, which goes before the ciphertext, in bytes
	iv     bool // it is an IV
	tag    tagPlace
	kms    bool // a DEK encrypts, and lies beside the ciphertext as the plugin encrypted it
	object bool // the payload is an EncryptedObject

	// bound says that a ciphertext opens only with the etcd path that it was made for: the
	// path is the authenticated data of AES-GCM.
	bound bool

	// limit is how many values one key may write; 0 if nobody counts them.
	//
	// Source: the table of providers in Kubernetes' documentation, "Encrypting
	// Confidential Data at Rest": "Must be rotated every 200,000 writes". The code
	// says at NewGCMTransformer that a key must be rotated, and not when.
	limit int64

	// What Kubernetes says of it, and the sentence.
	//
	// Source: the same table, and the feature KMSv1 in pkg/features/kube_features.go.
	standing Standing
	why      string
}

// A tagPlace is where the 16 bytes that authenticate a ciphertext lie.
type tagPlace uint8

const (
	tagNone  tagPlace = iota // or nobody can tell whether there is one
	tagFirst                 // before the ciphertext, behind the nonce
	tagLast                  // behind the ciphertext
)

// A Standing is what Kubernetes' documentation says of the use of a provider.
type Standing uint8

// The standings, the worst last.
const (
	Supported Standing = iota
	NotRecommended
	Deprecated
)

// scheme is the row of p. What is no Provider is Unknown.
func (p Provider) scheme() *scheme {
	if int(p) < len(providers) {
		return &providers[p]
	}
	return &providers[Unknown]
}

func (p Provider) String() string { return p.scheme().name }

// ParseProvider reads a name that Provider.String writes; false for any other, and for
// that of Unknown.
func ParseProvider(s string) (Provider, bool) {
	for p := Identity; int(p) < len(providers); p++ {
		if providers[p].name == s {
			return p, true
		}
	}
	return Unknown, false
}

// Encrypting lists the providers that encrypt.
func Encrypting() []Provider {
	var list []Provider
	for p := Identity + 1; int(p) < len(providers); p++ {
		list = append(list, p)
	}
	return list
}

// EncryptingAs lists the providers that encrypt and that an EncryptionConfiguration
// calls by that word, such as KMSv1 and KMSv2 for "kms".
func EncryptingAs(word string) []Provider {
	var list []Provider
	for _, p := range Encrypting() {
		if s := p.scheme(); s.prefix[:s.version-1] == word {
			list = append(list, p)
		}
	}
	return list
}

// Encrypts reports whether p is known, and its values are encrypted.
func (p Provider) Encrypts() bool { return Identity < p && int(p) < len(providers) }

// IsKMS reports whether a KMS plugin keeps the keys of p. Its values have a data
// encryption key beside the ciphertext, as the plugin encrypted it.
func (p Provider) IsKMS() bool { return p.scheme().kms }

// HasObject reports whether a payload is an EncryptedObject, which tells its own length and
// names the key of the KMS.
func (p Provider) HasObject() bool { return p.scheme().object }

// IsBound reports whether a value opens only with the etcd path that it was encrypted
// for. Those of KMSv1 from before Kubernetes 1.25 open with any.
func (p Provider) IsBound() bool { return p.scheme().bound }

// HasTag reports whether every ciphertext of p has a tag that authenticates it.
func (p Provider) HasTag() bool { return p.scheme().tag != tagNone }

// HasIV reports whether what Envelope.Nonce returns is called an IV.
func (p Provider) HasIV() bool { return p.scheme().iv }

// WriteLimit is how many values one key of p may write; 0 if nobody needs to count them.
func (p Provider) WriteLimit() int64 { return p.scheme().limit }

// Standing is what Kubernetes' documentation says of p, and the reason, as a part of a
// sentence; that is empty if p is Supported.
func (p Provider) Standing() (s Standing, why string) { return p.scheme().standing, p.scheme().why }
