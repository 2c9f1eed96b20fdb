package wal

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// These are operations of etcd's v2 API, which has a store of its own beside the db: what they do
// there changes no key in the db. They are of the v2 keys alone: what etcd writes there of its own,
// such as its members, is no operation.
const (
	// OpV2Put sets Key to Value.
	OpV2Put OpKind = iota + 0x10
	// OpV2Prev is no write: the request says that Key had Value when it was made. It stands before
	// the write.
	OpV2Prev
	// OpV2Delete deletes the keys from Key up to RangeEnd, as OpDelete does.
	OpV2Delete
)

// HasValue reports whether the operation comes with a value.
func (op *Op) HasValue() bool {
	return op.Kind == OpPut && !op.IgnoreValue || op.Kind == OpV2Put && !op.IgnoreValue || op.Kind == OpV2Prev
}

// IsV2 reports whether the operation is of the v2 API.
func (op *Op) IsV2() bool { return op.Kind >= OpV2Put && op.Kind <= OpV2Delete }

// The paths of a v2 request start with the number of a store: etcd's own state, or the keys.
//
// Source: StoreClusterPrefix and StoreKeysPrefix in etcdserver/server.go.
const (
	v2Cluster = "/0"
	v2Keys    = "/1"
)

// V2Key is the key that a path in the v2 store stands for, such as /registry/secrets/a/b of
// /1/registry/secrets/a/b. It is false for what etcd keeps there of its own.
func V2Key(path string) (key string, ok bool) {
	if path == v2Cluster || strings.HasPrefix(path, v2Cluster+"/") {
		return "", false
	}
	if path == v2Keys || strings.HasPrefix(path, v2Keys+"/") {
		path = path[len(v2Keys):]
	}
	return path, true
}

// A v2Request is an etcdserverpb.Request. Up to etcd 2.3 it is the data of an entry; up to 3.5 it
// is also the field v2 of an InternalRaftRequest.
//
//	 1 ID uint64
//	 2 method string: PUT, POST, DELETE, QGET, SYNC
//	 3 path string
//	 4 value string
//	 5 dir bool
//	 6 previous value string: the request is refused if the key has another one
//	 7 previous index uint64
//	 8 previously exists bool
//	 9 expiration int64
//	12 recursive bool
//	17 refresh bool: the key keeps its value
//
// Source: etcdserverpb/etcdserver.proto of etcd 3.5.
type v2Request struct {
	method, path              []byte
	value, previous           v2Value
	dir, recursive, refreshes bool
}

// A v2Value is a value and where it lies in the file.
type v2Value struct {
	b   []byte
	off int64
	cut error
}

func (r *v2Request) field(f wire.Field, off int64, cut error) error {
	switch {
	case f.Is(2, protowire.BytesType):
		r.method = f.Bytes
	case f.Is(3, protowire.BytesType) && cut == nil:
		r.path = f.Bytes
	case f.Is(4, protowire.BytesType):
		r.value = v2Value{f.Bytes, off, cut}
	case f.Is(5, protowire.VarintType):
		r.dir = f.Varint != 0
	case f.Is(6, protowire.BytesType):
		r.previous = v2Value{f.Bytes, off, cut}
	case f.Is(12, protowire.VarintType):
		r.recursive = f.Varint != 0
	case f.Is(17, protowire.VarintType):
		r.refreshes = f.Varint != 0
	}
	return nil
}

// isV2Method tells a v2 request from an InternalRaftRequest that holds one, by field 2 of either:
// the name of a method starts with a letter, and an etcdserverpb.Request with the tag of its ID.
func isV2Method(b []byte) bool { return len(b) > 0 && 'A' <= b[0] && b[0] <= 'Z' }

// parseV2 decodes a v2 request, which stands at file offset off, as parseRequest does. cut is not
// nil if there is more of it than b.
func parseV2(b []byte, off int64, cut error) ([]Op, error) {
	var r v2Request
	err := fields(b, off, r.field)
	return r.ops(err != nil || cut != nil), err
}

// ops is what the request does, in at most three operations. isCut says that fields may be missing.
func (r *v2Request) ops(isCut bool) []Op {
	path, ok := V2Key(string(r.path))
	if !ok {
		return nil
	}
	key := []byte(path)
	var ops []Op
	if len(r.previous.b) > 0 {
		ops = append(ops, r.previous.op(OpV2Prev, key))
	}
	switch string(r.method) {
	case "GET", "HEAD", "QGET", "SYNC":
	case "DELETE":
		if len(key) == 0 {
			break
		}
		ops = append(ops, Op{Kind: OpV2Delete, Key: key, Complete: true})
		if r.recursive || r.dir {
			ops = append(ops, Op{Kind: OpV2Delete, Key: append(key[:len(key):len(key)], '/'),
				RangeEnd: append(key[:len(key):len(key)], '/'+1), Complete: true})
		}
	default:
		// A method that is not known or cut may come with a value, too.
		if len(r.value.b) == 0 && (r.dir || len(r.path) == 0) || r.value.b == nil && isCut {
			break
		}
		op := r.value.op(OpV2Put, key)
		op.IgnoreValue = r.refreshes
		op.Complete = op.Complete && r.value.b != nil // etcd writes the field of an empty value, too
		ops = append(ops, op)
	}
	return ops
}

func (v v2Value) op(kind OpKind, key []byte) Op {
	return Op{Kind: kind, Key: key, Value: v.b, ValueOff: v.off, Complete: v.cut == nil}
}
