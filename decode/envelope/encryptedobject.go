package envelope

import (
	"iter"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A DEKSourceType says how to make the data encryption key of a KMS v2 value from what the
// plugin decrypts.
type DEKSourceType int32

const (
	AESGCMKey      DEKSourceType = 0 // it is the key
	HKDFSHA256Seed DEKSourceType = 1 // it is a seed; each value has a key of its own
)

func (t DEKSourceType) String() string {
	switch t {
	case AESGCMKey:
		return "aes-gcm-key"
	case HKDFSHA256Seed:
		return "hkdf-sha256-seed"
	}
	return "unknown-" + strconv.Itoa(int(t))
}

// An EncryptedObject is the payload of a KMS v2 value. Its slices alias it.
//
//	field  wire
//	  1    bytes   encryptedData: nonce 12, ciphertext, tag 16; with a seed, 32 bytes of info before them
//	  2    string  keyID, 1 to 1024 bytes: the plugin's name for the KEK, its own choice at the time
//	  3    bytes   encryptedDEKSource, 1 to 1024 bytes
//	  4    map     annotations, from domain name to bytes, 32 KiB in all
//	  5    enum    encryptedDEKSourceType, 0 or 1; absent is 0
//
// Source: pkg/storage/value/encrypt/envelope/kmsv2/v2/api.proto and
// ValidateEncryptedObject in kmsv2/envelope.go, k8s.io/apiserver v0.37.2.
type EncryptedObject struct {
	EncryptedData []byte
	KeyID         []byte
	DEKSource     []byte
	DEKSourceType DEKSourceType
	Raw           []byte // the whole message, for Annotations
}

// The API server's limits, which it checks when it reads a value, too.
const (
	maxKeyID       = 1 << 10
	maxDEKSource   = 1 << 10
	maxAnnotations = 32 << 10
)

// ParseEncryptedObject decodes the protobuf message b at file offset off. Its error is a
// *decode.FormatError: ErrTruncated if the message or its encrypted data is cut, ErrUnknown
// for a DEK source type that is not known, ErrValue for anything else that the API server
// would refuse. The object then holds what came before the error. Without an error
// ParseEncryptedObject does not allocate.
//
// It accepts what the API server accepts, with one exception: an annotation that occurs
// twice, which no encoder writes, counts twice towards the limit.
func ParseEncryptedObject(b []byte, off int64) (EncryptedObject, error) {
	o := EncryptedObject{Raw: clip(b)}
	annotations := 0
	for pos := 0; pos < len(b); {
		f, err := wire.Next(b[pos:])
		if err != nil {
			return o, formatError(off+int64(pos), "kms-v2 payload, protobuf", err)
		}
		at := off + int64(pos)
		pos += f.Size
		switch {
		case f.Is(1, protowire.BytesType):
			o.EncryptedData = f.Bytes
		case f.Is(2, protowire.BytesType):
			if !utf8.Valid(f.Bytes) {
				return o, formatError(at, "kms-v2 payload, keyID", decode.ErrValue)
			}
			o.KeyID = f.Bytes
		case f.Is(3, protowire.BytesType):
			o.DEKSource = f.Bytes
		case f.Is(4, protowire.BytesType):
			name, value, err := parseAnnotation(f.Bytes)
			if err == nil && !isFQDN(name) {
				err = decode.ErrValue
			}
			if err != nil {
				return o, formatError(at, "kms-v2 payload, annotation", err)
			}
			annotations += len(name) + len(value)
		case f.Is(5, protowire.VarintType):
			o.DEKSourceType = DEKSourceType(f.Varint)
		}
	}
	return o, o.check(annotations, off)
}

// check repeats ValidateEncryptedObject, and adds that the encrypted data must have room for
// what the API server's decryption takes away.
func (o *EncryptedObject) check(annotations int, off int64) error {
	min := minGCM
	switch o.DEKSourceType {
	case AESGCMKey:
	case HKDFSHA256Seed:
		min += infoSize
	default:
		return formatError(off, "kms-v2 payload, encryptedDEKSourceType", decode.ErrUnknown)
	}
	switch {
	case len(o.EncryptedData) == 0:
		return formatError(off, "kms-v2 payload, empty encryptedData", decode.ErrValue)
	case len(o.DEKSource) == 0 || len(o.DEKSource) > maxDEKSource:
		return formatError(off, "kms-v2 payload, length of encryptedDEKSource", decode.ErrValue)
	case len(o.KeyID) == 0 || len(o.KeyID) > maxKeyID:
		return formatError(off, "kms-v2 payload, length of keyID", decode.ErrValue)
	case annotations > maxAnnotations:
		return formatError(off, "kms-v2 payload, length of annotations", decode.ErrValue)
	case len(o.EncryptedData) < min:
		return formatError(off, "kms-v2 payload, encryptedData", decode.ErrTruncated)
	}
	return nil
}

// Annotations yields what the KMS plugin noted about the key, name and value,
// in the order of the message. It ends at the first that does not parse.
func (o EncryptedObject) Annotations() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for b := o.Raw; len(b) > 0; {
			f, err := wire.Next(b)
			if err != nil {
				return
			}
			b = b[f.Size:]
			if !f.Is(4, protowire.BytesType) {
				continue
			}
			name, value, err := parseAnnotation(f.Bytes)
			if err != nil || !yield(name, value) {
				return
			}
		}
	}
}

// parseAnnotation decodes an entry of map<string, bytes>: key 1, value 2.
func parseAnnotation(b []byte) (name, value []byte, err error) {
	for len(b) > 0 {
		f, err := wire.Next(b)
		if err != nil {
			return nil, nil, err
		}
		b = b[f.Size:]
		switch {
		case f.Is(1, protowire.BytesType):
			if !utf8.Valid(f.Bytes) {
				return nil, nil, decode.ErrValue
			}
			name = f.Bytes
		case f.Is(2, protowire.BytesType):
			value = f.Bytes
		}
	}
	return name, value, nil
}

// isFQDN is IsFullyQualifiedDomainName of k8s.io/apimachinery, for bytes and
// without its regular expressions: lower-case DNS labels, at least two of them,
// 253 bytes in all, a dot at the end allowed.
func isFQDN(name []byte) bool {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) == 0 || len(name) > kubename.MaxSubdomain {
		return false
	}
	labels, start := 0, 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			continue
		}
		if !kubename.IsLabel(name[start:i]) {
			return false
		}
		labels, start = labels+1, i+1
	}
	return labels >= 2
}
