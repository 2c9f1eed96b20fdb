package wal

import (
	"errors"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// An OpKind is what an Op does.
type OpKind uint8

// The operations that change keys in the db, or decide whether others do; no others are decoded, but
// for those in v2.go.
const (
	OpPut OpKind = iota + 1
	OpDelete
	OpTxn
	OpLeaseGrant
	OpLeaseRevoke
	OpCompact
)

// An Op is an operation of a request. Its bytes alias the entry's, but for the keys of a v2
// request.
//
// Source: etcdserverpb.InternalRaftRequest, PutRequest, DeleteRangeRequest,
// TxnRequest, LeaseGrantRequest, LeaseRevokeRequest and CompactionRequest in go.etcd.io/etcd/api/v3.
type Op struct {
	Kind     OpKind
	Key      []byte // of puts and deletions
	RangeEnd []byte // of deletions: the keys from Key up to it, "\x00" for all behind Key; empty for Key alone
	Value    []byte // of puts, and of OpV2Prev
	ValueOff int64  // file offset of Value
	Complete bool   // all of Value is there
	Lease    int64  // of OpPut, OpLeaseGrant and OpLeaseRevoke
	Revision int64  // of OpCompact

	IgnoreValue bool // of puts: the key keeps the value it has
	IgnoreLease bool // of OpPut: the key keeps the lease it has

	// Of OpTxn: if all of Compare hold, Success is done, else Failure.
	Compare          []Compare
	Success, Failure []Op
}

// All yields all operations of a request in the order in which they stand, each transaction
// before those of its two branches, whichever of these etcd took.
func All(ops []Op) iter.Seq[*Op] {
	return func(yield func(*Op) bool) { all(ops, yield) }
}

func all(ops []Op, yield func(*Op) bool) bool {
	for i := range ops {
		if op := &ops[i]; !yield(op) || !all(op.Success, yield) || !all(op.Failure, yield) {
			return false
		}
	}
	return true
}

// A CompareTarget is what a Compare looks at.
type CompareTarget uint8

// The numbers are those of etcdserverpb.Compare_CompareTarget.
const (
	CompareVersion CompareTarget = iota
	CompareCreate
	CompareMod
	CompareValue
	CompareLease
)

// A CompareResult is how the two sides of a Compare must relate.
type CompareResult uint8

// The numbers are those of etcdserverpb.Compare_CompareResult.
const (
	Equal CompareResult = iota
	Greater
	Less
	NotEqual
)

// A Compare is a condition: what there is at Key, compared with Number or Value.
type Compare struct {
	Target   CompareTarget
	Result   CompareResult
	Key      []byte
	RangeEnd []byte
	Number   int64  // of all targets but CompareValue
	Value    []byte // of CompareValue
}

// maxNesting bounds how deep transactions nest. etcd allows one in another.
const maxNesting = 8

// maxOps bounds the operations and conditions of a request: each takes two hundred bytes in
// memory, and two in the log. etcd allows 128 in a transaction unless told otherwise.
const maxOps = 1 << 14

// The fields of an InternalRaftRequest.
const (
	fieldV2          = 2 // in a v2 request, which has no message around it in old logs, this is its method
	fieldPut         = 4
	fieldDelete      = 5
	fieldTxn         = 6
	fieldCompact     = 7
	fieldLeaseGrant  = 8
	fieldLeaseRevoke = 9
)

// parseRequest decodes the data of an EntryNormal, which stand at file offset off. With an
// error it returns what it decoded before; of a put that is cut, what is there of its value.
func parseRequest(b []byte, off int64) ([]Op, error) {
	var ops []Op
	left := maxOps
	err := fields(b, off, func(f wire.Field, off int64, cut error) error {
		if f.Type != protowire.BytesType {
			return nil
		}
		if f.Num == fieldV2 && isV2Method(f.Bytes) {
			return errV2
		}
		if f.Num == fieldV2 {
			// etcd wrote what it says of itself in such a request up to 3.5.
			v2, err := parseV2(f.Bytes, off, cut)
			if left -= len(v2); left < 0 {
				return errOps(off)
			}
			ops = append(ops, v2...)
			return err
		}
		op, ok, err := parseOp(requestKind(f.Num), f.Bytes, off, 0, &left)
		if ok {
			ops = append(ops, op)
		}
		return err
	})
	if err == errV2 {
		return parseV2(b, off, nil) // the same numbers stand for other fields
	}
	return ops, err
}

// errV2 says that a request is one of the v2 API, with no message around it.
var errV2 = errors.New("request of the v2 API")

func requestKind(num protowire.Number) OpKind {
	switch num {
	case fieldPut:
		return OpPut
	case fieldDelete:
		return OpDelete
	case fieldTxn:
		return OpTxn
	case fieldCompact:
		return OpCompact
	case fieldLeaseGrant:
		return OpLeaseGrant
	case fieldLeaseRevoke:
		return OpLeaseRevoke
	}
	return 0
}

// fields calls f for each field of a message at file offset off, with the offset of
// its bytes. A last field that is cut comes with decode.ErrTruncated.
func fields(b []byte, off int64, f func(field wire.Field, off int64, cut error) error) error {
	for len(b) > 0 {
		field, err := wire.Next(b)
		if err != nil && (err != decode.ErrTruncated || field.Size == 0) {
			return &decode.FormatError{Off: off, What: "request, field", Err: err}
		}
		if inner := f(field, off+int64(field.Size-len(field.Bytes)), err); inner != nil {
			return inner
		}
		if err != nil {
			return &decode.FormatError{Off: off, What: "request, field", Err: err}
		}
		b, off = b[field.Size:], off+int64(field.Size)
	}
	return nil
}

// errOps says that a request has more operations than parseRequest decodes.
func errOps(off int64) error {
	return &decode.FormatError{Off: off, What: "request, operations", Err: decode.ErrLimit}
}

// parseOp decodes an operation of that kind; false for one of no interest. left is how many
// more the request may have.
func parseOp(kind OpKind, b []byte, off int64, depth int, left *int) (op Op, ok bool, err error) {
	op = Op{Kind: kind, Complete: true}
	if kind != 0 {
		*left--
	}
	if *left < 0 {
		return op, false, errOps(off)
	}
	switch kind {
	case OpPut:
		err = fields(b, off, op.putField)
	case OpDelete:
		err = fields(b, off, op.deleteField)
	case OpTxn:
		if depth == maxNesting {
			return op, false, &decode.FormatError{Off: off, What: "request, nested transactions", Err: decode.ErrLimit}
		}
		err = fields(b, off, func(f wire.Field, off int64, _ error) error { return op.txnField(f, off, depth+1, left) })
	case OpCompact:
		op.Revision, err = number(b, off, 1)
	case OpLeaseGrant:
		op.Lease, err = number(b, off, 2) // 1 is how long it lasts
	case OpLeaseRevoke:
		op.Lease, err = number(b, off, 1)
	default:
		return op, false, nil
	}
	return op, true, err
}

// number is the varint in a field of a message at file offset off; 0 without one.
func number(b []byte, off int64, num protowire.Number) (n int64, err error) {
	err = fields(b, off, func(f wire.Field, _ int64, _ error) error {
		if f.Is(num, protowire.VarintType) {
			n = int64(f.Varint)
		}
		return nil
	})
	return n, err
}

func (op *Op) putField(f wire.Field, off int64, cut error) error {
	switch {
	case f.Is(1, protowire.BytesType) && cut == nil:
		op.Key = f.Bytes
	case f.Is(2, protowire.BytesType):
		op.Value, op.ValueOff, op.Complete = f.Bytes, off, cut == nil
	case f.Is(3, protowire.VarintType):
		op.Lease = int64(f.Varint)
	case f.Is(5, protowire.VarintType):
		op.IgnoreValue = f.Varint != 0
	case f.Is(6, protowire.VarintType):
		op.IgnoreLease = f.Varint != 0
	}
	return nil
}

func (op *Op) deleteField(f wire.Field, _ int64, cut error) error {
	switch {
	case cut != nil:
	case f.Is(1, protowire.BytesType):
		op.Key = f.Bytes
	case f.Is(2, protowire.BytesType):
		op.RangeEnd = f.Bytes
	}
	return nil
}

func (op *Op) txnField(f wire.Field, off int64, depth int, left *int) error {
	if f.Type != protowire.BytesType {
		return nil
	}
	switch f.Num {
	case 1:
		if *left--; *left < 0 {
			return errOps(off)
		}
		c, err := parseCompare(f.Bytes, off)
		op.Compare = append(op.Compare, c)
		return err
	case 2, 3:
		return fields(f.Bytes, off, func(inner wire.Field, off int64, _ error) error {
			if inner.Type != protowire.BytesType {
				return nil
			}
			kinds := [...]OpKind{2: OpPut, 3: OpDelete, 4: OpTxn}
			if int(inner.Num) >= len(kinds) {
				return nil
			}
			done, ok, err := parseOp(kinds[inner.Num], inner.Bytes, off, depth, left)
			if ok && f.Num == 2 {
				op.Success = append(op.Success, done)
			} else if ok {
				op.Failure = append(op.Failure, done)
			}
			return err
		})
	}
	return nil
}

func parseCompare(b []byte, off int64) (Compare, error) {
	var c Compare
	err := fields(b, off, func(f wire.Field, _ int64, _ error) error {
		switch {
		case f.Is(1, protowire.VarintType):
			c.Result = CompareResult(min(f.Varint, 255))
		case f.Is(2, protowire.VarintType):
			c.Target = CompareTarget(min(f.Varint, 255))
		case f.Is(3, protowire.BytesType):
			c.Key = f.Bytes
		case f.Is(7, protowire.BytesType):
			c.Value = f.Bytes
		case f.Is(64, protowire.BytesType):
			c.RangeEnd = f.Bytes
		case f.Type == protowire.VarintType && (f.Num >= 4 && f.Num <= 6 || f.Num == 8):
			c.Number = int64(f.Varint)
		}
		return nil
	})
	return c, err
}
