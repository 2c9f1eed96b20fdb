// Package keyvalue has the numbers of a record in etcd's bucket "key": mvcc decodes whole
// records with them, and carve finds what is left of others.
package keyvalue

// The fields of mvccpb.KeyValue. etcd writes them in this order.
//
// Source: go.etcd.io/etcd/api/v3/mvccpb/kv.proto.
const (
	Key            = 1
	CreateRevision = 2
	ModRevision    = 3
	Version        = 4
	Value          = 5
	Lease          = 6
)

// The key of a record in the bucket:
//
//	off size
//	 0   8   main revision, big-endian
//	 8   1   Separator
//	 9   8   sub revision, big-endian
//	17   1   TombstoneMark in a tombstone; absent otherwise
//
// Source: BytesToBucketKey in go.etcd.io/etcd/server/v3/storage/mvcc/revision.go.
const (
	RevisionSize  = 17 // bytes, without a TombstoneMark
	SeparatorAt   = 8
	Separator     = '_'
	TombstoneMark = 't'
)
