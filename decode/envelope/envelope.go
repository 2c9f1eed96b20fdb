// Package envelope tells how the API server stored a value in etcd: as plaintext, or
// encrypted by which provider and under which key name. It decrypts nothing.
package envelope

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/decode"
)

// An Encoding is how a plaintext value is serialised; its first bytes tell.
type Encoding uint8

// None is the encoding of every value that is not plaintext.
const (
	None Encoding = iota
	Protobuf
	JSON
	CBOR
	Other
)

func (e Encoding) String() string {
	switch e {
	case None:
		return ""
	case Protobuf:
		return "protobuf"
	case JSON:
		return "json"
	case CBOR:
		return "cbor"
	}
	return "other"
}

// An Envelope is a stored value taken apart. Its slices alias the value.
//
//	value starts with           provider    what follows, which is the payload
//	k8s:enc:aescbc:v1:KEY:      AESCBC      IV 16, whole blocks of 16, at least one
//	k8s:enc:aesgcm:v1:KEY:      AESGCM      nonce 12, ciphertext, tag 16
//	k8s:enc:secretbox:v1:KEY:   Secretbox   nonce 24, tag 16, ciphertext
//	k8s:enc:kms:v1:PLUGIN:      KMSv1       length n u16 big-endian, encrypted DEK n, then
//	                                        as aesgcm, or as aescbc before Kubernetes 1.25
//	k8s:enc:kms:v2:PLUGIN:      KMSv2       protobuf EncryptedObject
//	k8s:enc:                    Unknown     anything else
//	k8s 0x00                    Identity    protobuf runtime.Unknown   } the payload is
//	{ (white space before it)   Identity    JSON                       } the whole value
//	0xd9 0xd9 0xf7              Identity    CBOR                       }
//	anything else, or nothing   Identity    Other                      }
//
// Only the eight bytes "k8s:enc:" make a value an envelope: the API server reads what is
// shorter, or differs, as plaintext.
//
// KEY is the name of a key in the EncryptionConfiguration, PLUGIN that of the KMS provider.
// Neither is ever empty, and only the name of a KMS v2 provider cannot hold a colon. k3s
// names its keys by the time, colons and all. Where a name holds one, the layout of an aescbc
// or KMS v1 payload tells where the name ends. An aesgcm or secretbox payload has no layout
// to go by: the name ends at its first colon, Payload holds the rest of it, and MoreName says
// how far it may go on. What the other values of the same key have there tells: see package
// analyzer.
//
// Source: pkg/server/options/encryptionconfig/config.go (prefixes),
// pkg/apis/apiserver/validation/validation_encryption.go (names) and
// pkg/storage/value/encrypt (payloads) in k8s.io/apiserver v0.37.2.
type Envelope struct {
	Provider Provider
	Version  []byte          // such as "v1"; nil for identity
	KeyName  []byte          // the key's name, or the KMS provider's
	Payload  []byte          // what follows the prefix; for identity the whole value
	MoreName []byte          // see above: what of Payload may be of the name, up to its last colon
	Encoding Encoding        // of an identity value
	DEKLen   int             // KMS v1: length of the encrypted DEK
	Object   EncryptedObject // where Provider.HasObject
}

const enc = "k8s:enc:"

// IsEncrypted reports whether an API server takes the value for an encrypted one. Parse tells
// such values apart further.
func IsEncrypted(value []byte) bool { return len(value) >= len(enc) && string(value[:len(enc)]) == enc }

// Parse takes apart a value that starts at file offset off. It does not
// allocate unless it returns an error.
//
// Its error is a *decode.FormatError, and the provider tells two kinds apart. With Unknown,
// the prefix is cut (ErrTruncated, the Envelope is zero) or names a provider or version that
// is not known (ErrUnknown; Version and KeyName are filled in where they look like one). With
// any other provider the prefix is whole, KeyName and Payload are filled in, and the payload
// cannot be what the prefix claims: ErrTruncated if it is too short, ErrBounds if a length in
// it points past its end, ErrUnknown if it is of a kind that is not known, and ErrValue
// otherwise.
func Parse(value []byte, off int64) (Envelope, error) {
	rest, ok := bytes.CutPrefix(value, []byte(enc))
	if !ok {
		return Envelope{Provider: Identity, Payload: clip(value), Encoding: encodingOf(value)}, nil
	}
	for p := Identity + 1; int(p) < len(providers); p++ {
		s := &providers[p]
		named, ok := bytes.CutPrefix(rest, []byte(s.prefix))
		if !ok {
			if len(rest) < len(s.prefix) && s.prefix[:len(rest)] == string(rest) {
				return Envelope{}, formatError(off+int64(len(value)), "encryption prefix", decode.ErrTruncated)
			}
			continue
		}
		end := nameEnd(named, s.fits)
		if end < 0 {
			return Envelope{}, formatError(off+int64(len(value)), "encryption prefix, key name", decode.ErrTruncated)
		}
		e := Envelope{
			Provider: p,
			Version:  clip(rest[s.version : len(s.prefix)-1]),
			KeyName:  clip(named[:end]),
			Payload:  clip(named[end+1:]),
		}
		payloadOff := off + int64(len(value)-len(e.Payload))
		if end == 0 {
			return e, formatError(payloadOff-1, "encryption prefix, empty key name", decode.ErrValue)
		}
		e.MoreName = moreName(e.Payload, s)
		return e, e.checkPayload(payloadOff)
	}
	return parseUnknown(rest), formatError(off+int64(len(enc)), "encryption provider or version", decode.ErrUnknown)
}

// parseUnknown reads provider:version:name:payload from behind "k8s:enc:". Bytes that have
// that form only by chance must not put a ciphertext (or worse) into a report as a key name,
// so each part has to look like what it stands for.
func parseUnknown(rest []byte) Envelope {
	provider, tail, ok := bytes.Cut(rest, []byte(":"))
	if !ok || !isWord(provider) {
		return Envelope{Payload: clip(rest)}
	}
	version, named, ok := bytes.Cut(tail, []byte(":"))
	if !ok || !isWord(version) || version[0] != 'v' {
		return Envelope{Payload: clip(tail)}
	}
	end := nameEnd(named, nil)
	if end <= 0 || printableLen(named[:end]) < end {
		return Envelope{Version: clip(version), Payload: clip(named)}
	}
	return Envelope{Version: clip(version), KeyName: clip(named[:end]), Payload: clip(named[end+1:])}
}

// nameEnd returns the index of the colon that ends the name at the start of b, or -1 if b has
// no colon. With several colons it is the first that is not the first byte and has a payload
// behind it that fits. A colon inside a ciphertext must not pass for the end of a name, so
// the search ends at the first byte that no sensible name holds. Then, and if no payload
// fits, the first colon counts, and the caller will find what is wrong with its payload.
func nameEnd(b []byte, fits func([]byte) bool) int {
	first := bytes.IndexByte(b, ':')
	if first < 0 || fits == nil || first > 0 && fits(b[first+1:]) {
		return first
	}
	limit := printableLen(b)
	for i := first + 1; i < limit; i++ {
		if b[i] == ':' && fits(b[i+1:]) {
			return i
		}
	}
	return first
}

// printableLen is the length of the longest prefix of b that is UTF-8 of
// printable characters.
func printableLen(b []byte) int {
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 || !unicode.IsPrint(r) {
			break
		}
		n += size
	}
	return n
}

// isWord tells whether b has the form of the API server's provider names and versions.
func isWord(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '-' {
			return false
		}
	}
	return 0 < len(b) && len(b) <= 63
}

// encodingOf tells an identity value's encoding. White space may go before a JSON object: the
// API server writes no such space, but reads it.
func encodingOf(value []byte) Encoding {
	switch {
	case bytes.HasPrefix(value, []byte("k8s\x00")):
		return Protobuf
	case bytes.HasPrefix(value, []byte("\xd9\xd9\xf7")):
		return CBOR
	case bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{")):
		return JSON
	}
	return Other
}

// clip caps b at its length, so that appending to a part of the evidence cannot overwrite the
// part behind it.
func clip(b []byte) []byte { return b[:len(b):len(b)] }

func formatError(off int64, what string, cause error) error {
	return &decode.FormatError{Off: off, What: what, Err: cause}
}
