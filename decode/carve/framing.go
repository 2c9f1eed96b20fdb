package carve

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
	"github.com/etcdsift/etcdsift/decode/object"
)

// An unknown is a runtime.Unknown behind its magic, as the API server writes it:
//
//	1 TypeMeta: apiVersion 1, kind 2; 2 raw; 3 contentEncoding; 4 contentType
//
// with the last two always there, and nearly always empty. Where they are not, the
// object was cut, or others' bytes stand where its end was.
type unknown struct {
	object.TypeMeta
	raw   []byte // the object, as far as it is there
	size  int    // of all that is there
	whole bool
}

const (
	tagTypeMeta        = 1<<3 | 2
	tagRaw             = 2<<3 | 2
	tagContentEncoding = 3<<3 | 2
	tagContentType     = 4<<3 | 2

	maxTypeMeta    = 512 // over any that the API server accepts
	maxContentType = 256
)

// parseUnknown reads the start of b, which begins with the magic. It is false
// without a valid type.
func parseUnknown(b []byte) (unknown, bool) {
	var u unknown
	r := reader{b: b[:min(len(b), len(protobufMagic)+maxTypeMeta)], pos: len(protobufMagic)}
	t := reader{b: r.bytes(tagTypeMeta)}
	apiVersion, kind := string(t.bytes(1<<3|2)), string(t.bytes(2<<3|2))
	if t.failed || t.pos != len(t.b) || !kubename.IsAPIVersion(apiVersion) || !kubename.IsKind(kind) {
		return u, false
	}
	u.APIVersion, u.Kind = apiVersion, kind
	r.b, u.size = b, r.pos
	if r.pos == len(b) {
		return u, true
	}
	n := r.field(tagRaw)
	if r.failed {
		// Cut in the length itself, or no object.
		u.size = len(b)
		return u, r.is(tagRaw) && len(b)-r.pos < 10
	}
	u.raw = b[r.pos:]
	if n > uint64(len(u.raw)) {
		u.size = len(b)
		return u, true
	}
	u.raw = u.raw[:n]
	r.pos += int(n)
	u.size = r.pos
	encoding, contentType := r.bytes(tagContentEncoding), r.bytes(tagContentType)
	if u.whole = !r.failed && len(encoding) <= maxContentType && len(contentType) <= maxContentType; u.whole {
		u.size = r.pos
	}
	return u, true
}

// metaOf returns the name and namespace in the metadata of an object in protobuf,
// which may be cut behind them. metadata is field 1 of every object; in it, the
// name is field 1 and the namespace field 3.
func metaOf(raw []byte) (namespace, name string) {
	f, _ := wire.Next(orZero(raw))
	if !f.Is(1, protowire.BytesType) {
		return "", ""
	}
	for meta := f.Bytes; len(meta) > 0; {
		f, err := wire.Next(meta)
		if err != nil || f.Num > 3 {
			break // they are in the order of their numbers
		}
		meta = meta[f.Size:]
		switch {
		case f.Is(1, protowire.BytesType) && isName(f.Bytes):
			name = string(f.Bytes)
		case f.Is(3, protowire.BytesType) && kubename.IsLabel(f.Bytes):
			namespace = string(f.Bytes)
		}
	}
	return namespace, name
}

// orZero keeps wire.Next from an empty message.
func orZero(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

// The limits of what the API server takes from a KMS plugin.
const (
	maxKeyID       = 1 << 10
	maxAnnotations = 64 << 10
)

// kmsV2Size returns the length of the EncryptedObject at the start of b, told by
// its fields, which are written in the order of their numbers.
func kmsV2Size(b []byte) (int, bool) {
	size, last := 0, protowire.Number(0)
	for size < len(b) {
		f, err := wire.Next(b[size:])
		wanted := f.Num <= 4 && f.Type == protowire.BytesType || f.Is(5, protowire.VarintType)
		long := f.Num > 1 && len(f.Bytes) > maxAnnotations || f.Num == 2 && len(f.Bytes) > maxKeyID
		if err != nil || !wanted || long || f.Num < last || f.Num == last && f.Num != 4 {
			break
		}
		last = f.Num
		size += f.Size
	}
	if last < 3 {
		return 0, false
	}
	_, err := envelope.ParseEncryptedObject(b[:size], 0)
	return size, err == nil
}
