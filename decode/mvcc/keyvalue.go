package mvcc

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
)

// A KeyValue is one write to one key. Key and Value alias the bytes that it was
// decoded from. A tombstone has a Key alone.
type KeyValue struct {
	Key            []byte
	CreateRevision int64 // main revision of the write that created this incarnation of the key
	ModRevision    int64 // main revision of this write
	Version        int64 // counts the writes since the creation, from 1
	Value          []byte
	Lease          int64
	ValueOff       int // offset of Value in the bytes that were decoded
}

// The fields of mvccpb.KeyValue.
const (
	fieldKey            = 1
	fieldCreateRevision = 2
	fieldModRevision    = 3
	fieldVersion        = 4
	fieldValue          = 5
	fieldLease          = 6
)

// ParseKeyValue decodes the protobuf message mvccpb.KeyValue in b, which stands
// at file offset off:
//
//	1 key bytes; 2 create_revision, 3 mod_revision, 4 version int64;
//	5 value bytes; 6 lease int64
//
// Like protobuf it skips unknown fields and lets the last of repeated ones win.
// The error is a *decode.FormatError wrapping ErrValue; what was decoded before
// it is returned.
//
// Source: go.etcd.io/etcd/api/v3/mvccpb/kv.proto.
func ParseKeyValue(b []byte, off int64) (KeyValue, error) {
	var kv KeyValue
	for pos := 0; pos < len(b); {
		field, kind, n := protowire.ConsumeTag(b[pos:])
		if n < 0 {
			return kv, keyValueError(off+int64(pos), "tag")
		}
		pos += n
		n = kv.field(field, kind, b, pos)
		if n < 0 {
			return kv, keyValueError(off+int64(pos), fieldName(field))
		}
		pos += n
	}
	return kv, nil
}

// field decodes one field behind its tag at pos and returns its length, or a
// negative number.
func (kv *KeyValue) field(field protowire.Number, kind protowire.Type, b []byte, pos int) int {
	switch {
	case kind == protowire.BytesType && (field == fieldKey || field == fieldValue):
		v, n := protowire.ConsumeBytes(b[pos:])
		if n >= 0 && field == fieldKey {
			kv.Key = v
		} else if n >= 0 {
			kv.Value, kv.ValueOff = v, pos+n-len(v)
		}
		return n
	case kind == protowire.VarintType && field >= fieldCreateRevision && field <= fieldLease && field != fieldValue:
		v, n := protowire.ConsumeVarint(b[pos:])
		switch field {
		case fieldCreateRevision:
			kv.CreateRevision = int64(v)
		case fieldModRevision:
			kv.ModRevision = int64(v)
		case fieldVersion:
			kv.Version = int64(v)
		case fieldLease:
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
	case fieldKey:
		return "key"
	case fieldCreateRevision:
		return "create revision"
	case fieldModRevision:
		return "mod revision"
	case fieldVersion:
		return "version"
	case fieldValue:
		return "value"
	case fieldLease:
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
// ErrValue where the two do not fit together; the Record is filled in then.
func ParseRecord(key, value []byte, off int64) (Record, error) {
	rev, tombstone, err := ParseRevision(key, off)
	r := Record{Revision: rev, Tombstone: tombstone}
	valueOff := off + int64(len(key))
	if len(value) == 0 {
		r.Marker = true
		return r, err
	}
	kv, kvErr := ParseKeyValue(value, valueOff)
	r.KeyValue, r.ValueOff = kv, valueOff+int64(kv.ValueOff)
	switch {
	case err != nil:
	case kvErr != nil:
		err = kvErr
	case len(kv.Key) == 0:
		err = keyValueError(valueOff, "key")
	case tombstone:
	case kv.ModRevision != rev.Main:
		err = keyValueError(valueOff, "mod revision")
	case kv.CreateRevision <= 0 || kv.CreateRevision > kv.ModRevision:
		err = keyValueError(valueOff, "create revision")
	case kv.Version <= 0:
		err = keyValueError(valueOff, "version")
	}
	return r, err
}
