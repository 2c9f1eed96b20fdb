package report

import (
	"fmt"
	"slices"
	"strings"
)

// A Provider is what wrote a value, by the name that an EncryptionConfiguration gives it. The
// empty Provider is for a deletion, which has no value.
type Provider string

// The providers. ProviderUnknown is that of a value that starts like an envelope and is no
// known one, or ends before it tells.
const (
	ProviderUnknown   Provider = "unknown"
	ProviderIdentity  Provider = "identity" // plaintext
	ProviderAESCBC    Provider = "aescbc"
	ProviderAESGCM    Provider = "aesgcm"
	ProviderSecretbox Provider = "secretbox"
	ProviderKMSv1     Provider = "kms-v1"
	ProviderKMSv2     Provider = "kms-v2"
)

// Providers lists all of them.
func Providers() []Provider {
	return []Provider{ProviderUnknown, ProviderIdentity, ProviderAESCBC, ProviderAESGCM, ProviderSecretbox, ProviderKMSv1, ProviderKMSv2}
}

func (p Provider) String() string { return string(p) }

// UnmarshalText reads one of Providers, or the empty one.
func (p *Provider) UnmarshalText(text []byte) error { return setWord(p, text, Providers()) }

// An Encoding is the serialization of a plaintext value. The empty Encoding is for a value that
// is not plaintext.
type Encoding string

// The encodings.
const (
	EncodingProtobuf Encoding = "protobuf"
	EncodingJSON     Encoding = "json"
	EncodingCBOR     Encoding = "cbor"
	EncodingOther    Encoding = "other"
)

// Encodings lists all of them.
func Encodings() []Encoding {
	return []Encoding{EncodingProtobuf, EncodingJSON, EncodingCBOR, EncodingOther}
}

func (e Encoding) String() string { return string(e) }

// UnmarshalText reads one of Encodings, or the empty one.
func (e *Encoding) UnmarshalText(text []byte) error { return setWord(e, text, Encodings()) }

// Looks is what bytes that belong to nothing known look like.
type Looks string

// LooksRandom is most likely old ciphertext; the others may be plaintext.
const (
	LooksText   Looks = "text"
	LooksMixed  Looks = "mixed" // neither, some of both, or too short to tell
	LooksRandom Looks = "random"
)

// AllLooks lists all of them.
func AllLooks() []Looks { return []Looks{LooksText, LooksMixed, LooksRandom} }

func (l Looks) String() string { return string(l) }

// UnmarshalText reads one of AllLooks, or the empty one.
func (l *Looks) UnmarshalText(text []byte) error { return setWord(l, text, AllLooks()) }

// A Proof says whether a key of the configuration has decrypted a value. It is empty for
// plaintext, and without a configuration.
type Proof string

// A value that nobody tried to decrypt, or that only a KMS plugin can, is unproven.
const (
	Proven   Proof = "proven"
	Unproven Proof = "unproven"
	Failed   Proof = "failed"
)

// Proofs lists all of them.
func Proofs() []Proof { return []Proof{Proven, Unproven, Failed} }

func (p Proof) String() string { return string(p) }

// UnmarshalText reads one of Proofs, or the empty one.
func (p *Proof) UnmarshalText(text []byte) error { return setWord(p, text, Proofs()) }

// A Policy is what the configuration says of a newest value: that the API server would write it
// so today, or the rule that it breaks. It is empty without a configuration.
type Policy string

// The policies. All but PolicyCurrent have the name of the rule that a finding has.
const (
	PolicyCurrent       Policy = "current"
	PolicyWrongProvider Policy = Policy(RuleWrongProvider)
	PolicyStaleKey      Policy = Policy(RuleStaleKey)
	PolicyNotEncrypted  Policy = Policy(RulePlaintextLive)
	PolicyNotConfigured Policy = Policy(RuleNotConfigured)
	PolicyUnknownKey    Policy = Policy(RuleUnknownKey)
)

// Policies lists all of them.
func Policies() []Policy {
	return []Policy{PolicyCurrent, PolicyWrongProvider, PolicyStaleKey, PolicyNotEncrypted, PolicyNotConfigured, PolicyUnknownKey}
}

func (p Policy) String() string { return string(p) }

// UnmarshalText reads one of Policies, or the empty one.
func (p *Policy) UnmarshalText(text []byte) error { return setWord(p, text, Policies()) }

// A ConfigUse is what the configuration does with a key. It is empty without one.
type ConfigUse string

// The uses of a key.
const (
	ConfigWrites ConfigUse = "writes" // it encrypts new writes
	ConfigReads  ConfigUse = "reads"
	ConfigAbsent ConfigUse = "absent"
)

// ConfigUses lists all of them.
func ConfigUses() []ConfigUse { return []ConfigUse{ConfigWrites, ConfigReads, ConfigAbsent} }

func (c ConfigUse) String() string { return string(c) }

// UnmarshalText reads one of ConfigUses, or the empty one.
func (c *ConfigUse) UnmarshalText(text []byte) error { return setWord(c, text, ConfigUses()) }

// setWord sets a word to text, which must be a known one or empty.
func setWord[T ~string](word *T, text []byte, known []T) error {
	if w := T(text); w == "" || slices.Contains(known, w) {
		*word = w
		return nil
	}
	names := make([]string, len(known))
	for i, w := range known {
		names[i] = string(w)
	}
	return fmt.Errorf("%q: must be one of %s", text, strings.Join(names, ", "))
}
