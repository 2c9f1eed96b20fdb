package evidence

import (
	"crypto/sha256"
	"errors"
	"io"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Source is a file of evidence that the caller opened read-only.
type Source struct {
	Path report.Text // as the report is to name it
	Name string      // the file's own name: that of a WAL segment has its place in the log
	File io.ReaderAt
	Size int64 // in bytes
	// Kind is KindDB, also for a snapshot, KindWAL, or KindOther for what is only
	// searched for objects; "" means KindDB.
	Kind report.Kind
	// Member is the same for the db and the WAL segments of one member of an etcd.
	// A source without one stands alone.
	Member string
	// What says what the file is, if it is not one that an etcd works with.
	What string
	// Changed is asked after the file has been read: what it says, if anything, is
	// how the file changed meanwhile. nil means that it can not change.
	Changed func() string
	// Lock is asked then, too: what it says, if anything, is who holds a write lock on the
	// file, so that it may change at any moment. nil means that nobody can.
	Lock func() string
}

// SnapshotHashSize is the size of the SHA-256 that etcd puts behind a snapshot.
// A db is a whole number of pages, so the size of the file tells of it.
//
// Source: the size check in go.etcd.io/etcd/etcdutl/v3/snapshot/v3_snapshot.go.
const SnapshotHashSize = sha256.Size

// ReadFull fills b; a file that ends before has shrunk.
func (s *Source) ReadFull(b []byte, off int64) error {
	n, err := s.File.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
