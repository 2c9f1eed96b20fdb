package wal

import (
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// txn is a transaction with that many operations in each branch and conditions.
func txn(success, failure, compare int) *pb.TxnRequest {
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{}}}
	t := &pb.TxnRequest{}
	for range success {
		t.Success = append(t.Success, put)
	}
	for range failure {
		t.Failure = append(t.Failure, put)
	}
	for range compare {
		t.Compare = append(t.Compare, &pb.Compare{})
	}
	return t
}

// A request with more operations than etcd takes is damage, and costs no more than those
// that may be: each takes a hundred times the memory that it takes in the log.
func TestOpsLimit(t *testing.T) {
	nest := txn(1, 0, 0)
	nest.Success[0] = &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: txn(maxOps, 0, 0)}}
	for name, tt := range map[string]struct {
		txn  *pb.TxnRequest
		want error
	}{
		"as many as may be": {txn(maxOps-3, 1, 1), nil},
		"success":           {txn(10*maxOps, 0, 0), decode.ErrLimit},
		"failure":           {txn(1, maxOps, 0), decode.ErrLimit},
		"compare":           {txn(1, 0, maxOps), decode.ErrLimit},
		"in another":        {nest, decode.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := proto.Marshal(&pb.InternalRaftRequest{Txn: tt.txn})
			if err != nil {
				t.Fatal(err)
			}
			ops, err := parseRequest(b, 0)
			if !errors.Is(err, tt.want) || len(ops) != 1 || len(ops[0].Success)+len(ops[0].Compare) == 0 {
				t.Errorf("%d operations, error %v, want %v", len(ops), err, tt.want)
			}
			alloc.Bound{Fixed: 32 << 20}.Check(t, len(b), func() { _, _ = parseRequest(b, 0) })
		})
	}
}
