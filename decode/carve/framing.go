package carve

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

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

// kmsV2Size returns the length of the EncryptedObject at the start of b, by its fields:
// encoders write them in the order of their numbers.
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
