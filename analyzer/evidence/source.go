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
	// File is the file that the user named, from its first byte on. The evidence is Size bytes of
	// it from offset Base on: all of it, or a db with other bytes around it. Offsets of a Source
	// count from Base; a report adds Base, so that they lead to the same bytes in File.
	File io.ReaderAt
	Base int64
	Size int64
	// Before and Behind are how many bytes of the same file stand before Base and behind the
	// evidence, and are neither pages nor frames. The hash of the file covers them.
	Before, Behind int64
	// Kind is KindDB, also for a snapshot, KindWAL, or KindOther for a file to search only for
	// objects; "" means KindDB.
	Kind report.Kind
	// Member is the same for the db and the WAL segments of one member of an etcd. A source
	// without one stands alone.
	Member string
	// Home is the Member in whose data dir the file lies, for a file that has none itself: a
	// leftover, or a copy. It is empty outside of a data dir.
	Home string
	// What says what the file is, if an etcd does not work with it; else it is empty.
	What string
	// Changed says after the last read how the file changed meanwhile; empty if it did not. nil
	// means that it cannot change.
	Changed func() string
	// Lock says then who holds a write lock on the file, so that it may change at any moment;
	// empty if nobody does. nil means that nobody can hold one.
	Lock func() string
}

// HasTree reports whether the file is a bbolt file, with pages to walk. A Source without a file
// has no tree.
func (s *Source) HasTree() bool { return s.File != nil && !s.IsLog() && !s.IsSearched() }

// IsLog reports whether the file is a segment of a WAL.
func (s *Source) IsLog() bool { return s.Kind == report.KindWAL }

// IsSearched reports whether the run only searches the file for objects, because it knows no
// pages or entries in it.
func (s *Source) IsSearched() bool { return s.Kind == report.KindOther }

// Data reads the evidence itself: its offset 0 is the byte at Base in File.
func (s *Source) Data() *io.SectionReader { return io.NewSectionReader(s.File, s.Base, s.Size) }

// Whole is the size of the evidence with what stands around it, in bytes.
func (s *Source) Whole() int64 { return s.Before + s.Size + s.Behind }

// ReadFull fills b from offset off, which is negative for what stands before the evidence. Its
// error is that of File, or io.ErrUnexpectedEOF if the file ends too early: then it has shrunk.
func (s *Source) ReadFull(b []byte, off int64) error {
	n, err := s.File.ReadAt(b, s.Base+off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// SnapshotHashSize is the size of the SHA-256 that etcd puts behind a snapshot, in bytes. A db is
// a whole number of pages, so the size of the file tells whether there is one.
//
// Source: the size check in go.etcd.io/etcd/etcdutl/v3/snapshot/v3_snapshot.go.
const SnapshotHashSize = sha256.Size
