package mvcc

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/keyvalue"
)

// A KeyValue is one write to one key. Key and Value alias the bytes that were decoded. A
// tombstone has a Key alone.
type KeyValue struct {
	Key            []byte
	CreateRevision int64 // main revision of the write that created this incarnation of the key
	ModRevision    int64 // main revision of this write
	Version        int64 // counts the writes since the creation, from 1
	Value          []byte
	Lease          int64
	ValueOff       int // offset of Value in the decoded bytes
}

// ParseKeyValue decodes the protobuf message mvccpb.KeyValue in b, which stands
// at file offset off:
//
//	1 key bytes; 2 create_revision, 3 mod_revision, 4 version int64;
//	5 value bytes; 6 lease int64
//
// It takes and refuses what proto.Unmarshal does: it skips fields that are unknown or of
// another wire type, groups with their content; the last of repeated fields wins; a field
// number over 2^29-1 is an error. The error is a *decode.FormatError wrapping ErrValue; with
// it comes what was decoded before.
//
// Source: go.etcd.io/etcd/api/v3/mvccpb/kv.proto.
func ParseKeyValue(b []byte, off int64) (KeyValue, error) {
	kv, _, err := parseKeyValue(b, off)
	return kv, err
}

// An order is how the fields of a KeyValue stand, compared with how etcd writes them.
type order struct {
	kept    bool // each at most once, in ascending order, and of its own wire type
	unknown bool // some are not in the list
}

// parseKeyValue also tells in which order the fields stand.
func parseKeyValue(b []byte, off int64) (kv KeyValue, o order, err error) {
	o.kept = true
	last := protowire.Number(0)
	for pos := 0; pos < len(b); {
		field, kind, n := protowire.ConsumeTag(b[pos:])
		if n < 0 || field > protowire.MaxValidNumber {
			return kv, order{}, keyValueError(off+int64(pos), "tag")
		}
		want := protowire.VarintType
		if field == keyvalue.Key || field == keyvalue.Value {
			want = protowire.BytesType
		}
		o.unknown = o.unknown || field > keyvalue.Lease
		o.kept = o.kept && field > last && (field > keyvalue.Lease || kind == want)
		last = field
		pos += n
		n = kv.field(field, kind, b, pos)
		if n < 0 {
			return kv, order{}, keyValueError(off+int64(pos), fieldName(field))
		}
		pos += n
	}
	return kv, o, nil
}

// field decodes one field behind its tag at pos and returns its length, or a
// negative number.
func (kv *KeyValue) field(field protowire.Number, kind protowire.Type, b []byte, pos int) int {
	switch {
	case kind == protowire.BytesType && (field == keyvalue.Key || field == keyvalue.Value):
		v, n := protowire.ConsumeBytes(b[pos:])
		switch {
		case n < 0:
		case field == keyvalue.Key:
			kv.Key = v
		default:
			kv.Value, kv.ValueOff = v, pos+n-len(v)
		}
		return n
	case kind == protowire.VarintType && field >= keyvalue.CreateRevision && field <= keyvalue.Lease && field != keyvalue.Value:
		v, n := protowire.ConsumeVarint(b[pos:])
		if n < 0 {
			return n
		}
		switch field {
		case keyvalue.CreateRevision:
			kv.CreateRevision = int64(v)
		case keyvalue.ModRevision:
			kv.ModRevision = int64(v)
		case keyvalue.Version:
			kv.Version = int64(v)
		case keyvalue.Lease:
			kv.Lease = int64(v)
		}
		return n
	}
	return protowire.ConsumeFieldValue(field, kind, b[pos:])
}

func keyValueError(off int64, field string) error {
	return &decode.FormatError{Off: off, What: "KeyValue, " + field, Err: decode.ErrValue}
}

func fieldName(field protowire.Number) string {
	switch field {
	case keyvalue.Key:
		return "key"
	case keyvalue.CreateRevision:
		return "create revision"
	case keyvalue.ModRevision:
		return "mod revision"
	case keyvalue.Version:
		return "version"
	case keyvalue.Value:
		return "value"
	case keyvalue.Lease:
		return "lease"
	}
	return "unknown field"
}

// A Record is an entry of the bucket "key": a write, or the deletion of a key.
type Record struct {
	Revision  Revision
	Tombstone bool
	// Marker says that the record has no KeyValue at all: `etcdutl snapshot
	// restore --bump-revision` writes one to raise the revision.
	Marker bool
	KeyValue
	ValueOff int64 // file offset of Value
}

// ParseRecord decodes a key of the bucket "key" at file offset off and the value
// behind it. Beyond the errors of ParseRevision and ParseKeyValue it wraps
// ErrValue where the KeyValue is not as etcd writes it or does not fit the key:
// fields that are unknown, repeated or out of order, another mod revision than
// that of the key, a creation after it, a version below 1, no key, or a tombstone
// with more than its key; and ErrTruncated for no KeyValue where no Marker can be.
//
// With an error the KeyValue is filled in only if its key can be trusted, and empty
// otherwise: where one bit of a length or a tag is wrong, the key may have swallowed the
// value, or the value may stand where the key should.
func ParseRecord(key, value []byte, off int64) (Record, error) {
	rev, tombstone, err := ParseRevision(key, off)
	r := Record{Revision: rev, Tombstone: tombstone}
	valueOff := off + int64(len(key))
	if len(value) == 0 {
		if r.Marker = err == nil && !tombstone && rev.Sub == 0; !r.Marker && err == nil {
			err = &decode.FormatError{Off: valueOff, What: "KeyValue", Err: decode.ErrTruncated}
		}
		return r, err
	}
	kv, o, kvErr := parseKeyValue(value, valueOff)
	switch {
	case kvErr == nil && (!o.kept || o.unknown):
		kvErr = keyValueError(valueOff, "fields")
	case kvErr == nil:
		kvErr = kv.fits(rev, tombstone, valueOff)
	}
	if err == nil {
		err = kvErr
	}
	if err == nil || o.kept && kv.CreateRevision > 0 && kv.ModRevision > 0 && kv.Version > 0 {
		r.KeyValue, r.ValueOff = kv, valueOff+int64(kv.ValueOff)
	}
	return r, err
}

// fits checks a KeyValue against the revision of its key in the bucket.
func (kv *KeyValue) fits(rev Revision, tombstone bool, off int64) error {
	switch {
	case len(kv.Key) == 0:
		return keyValueError(off, "key")
	case tombstone && (len(kv.Value) > 0 || kv.CreateRevision != 0 || kv.ModRevision != 0 || kv.Version != 0 || kv.Lease != 0):
		return keyValueError(off, "fields of a tombstone behind its key")
	case tombstone:
		return nil
	case kv.ModRevision != rev.Main:
		return keyValueError(off, "mod revision")
	case kv.CreateRevision <= 0 || kv.CreateRevision > kv.ModRevision:
		return keyValueError(off, "create revision")
	case kv.Version <= 0:
		return keyValueError(off, "version")
	}
	return nil
}
