// Package mvcc decodes what etcd keeps in its backend database: the revisions of all keys in
// the bucket "key", and what etcd knows of itself in the other buckets.
//
// Every write to etcd gets a revision, which counts up for the whole store and
// carries no clock. The bucket "key" maps revisions to KeyValues: an update adds a
// record and changes none, a deletion adds a tombstone. Compaction removes
// records that newer ones supersede, up to the compact revision.
package mvcc

import (
	"encoding/binary"
	"fmt"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/keyvalue"
)

// A Revision is when a write happened: Main counts the transactions of the whole store, Sub
// the writes within a transaction.
type Revision struct {
	Main int64
	Sub  int64
}

func (r Revision) String() string { return fmt.Sprintf("%d.%d", r.Main, r.Sub) }

// Compare is negative, zero or positive as r is before, at or after s.
func (r Revision) Compare(s Revision) int {
	switch {
	case r.Main < s.Main, r.Main == s.Main && r.Sub < s.Sub:
		return -1
	case r == s:
		return 0
	}
	return 1
}

// ParseRevision decodes a key of the bucket "key", which stands at file offset
// off. tombstone says that the write deleted its key.
//
//	off size
//	 0   8   main revision, big-endian
//	 8   1   '_'
//	 9   8   sub revision, big-endian
//	17   1   't' in a tombstone; absent otherwise
//
// The error is a *decode.FormatError wrapping ErrTruncated, or ErrValue for a
// wrong separator or mark, a negative revision, or bytes behind it.
//
// Source: BytesToBucketKey in go.etcd.io/etcd/server/v3/storage/mvcc/revision.go.
func ParseRevision(b []byte, off int64) (rev Revision, tombstone bool, err error) {
	if len(b) < keyvalue.RevisionSize {
		return rev, false, &decode.FormatError{Off: off, What: "revision", Err: decode.ErrTruncated}
	}
	rev = Revision{
		Main: int64(binary.BigEndian.Uint64(b)),
		Sub:  int64(binary.BigEndian.Uint64(b[9:])),
	}
	tombstone = len(b) > keyvalue.RevisionSize && b[keyvalue.RevisionSize] == keyvalue.TombstoneMark
	switch {
	case rev.Main < 0, rev.Sub < 0, b[keyvalue.SeparatorAt] != keyvalue.Separator,
		len(b) > keyvalue.RevisionSize && !tombstone, len(b) > keyvalue.RevisionSize+1:
		err = &decode.FormatError{Off: off, What: "revision", Err: decode.ErrValue}
	}
	return rev, tombstone, err
}

// IsRevision reports whether key has the form of a key of the bucket "key".
func IsRevision(key []byte) bool {
	_, _, err := ParseRevision(key, 0)
	return err == nil
}
