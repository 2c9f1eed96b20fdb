// Package decode holds what the decoders below it share: the error that they return for bytes
// that break their format, and the causes that it wraps.
//
// Each package below decode takes bytes (or an io.ReaderAt and a size) and
// returns records. None of them opens a file, holds a key, imports package analyzer, panics
// on hostile input or allocates from a length that it has not checked:
//
//	page        bbolt pages, from a whole file to single leaf elements
//	mvcc        etcd revisions and KeyValues, and etcd's own buckets
//	wal         etcd's write-ahead log: segments, records, the operations of an entry
//	v2store     etcd's v2 store, as raft snapshots have it
//	resource    which Kubernetes object a key names
//	envelope    how Kubernetes stored a value: plaintext or encrypted, with which key
//	object      what a plaintext value says of itself
//	manifest    the whole object in a plaintext value
//	carve       what is in bytes that no intact record covers
package decode

import (
	"errors"
	"fmt"
)

// A FormatError reports bytes that break the format they claim to follow. It
// carries positions and numbers, never the bytes: they may be a Secret.
type FormatError struct {
	Off  int64  // byte offset from the start of the file
	What string // the field or record, such as "page 7, leaf element 3, key size"
	Err  error  // the cause, one of the Err variables of this package
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at offset %#x: %v", e.What, e.Off, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

// Causes of a FormatError. Match them with errors.Is.
var (
	ErrTruncated = errors.New("cut short")
	ErrBounds    = errors.New("past the end of what holds it")
	ErrMagic     = errors.New("wrong magic number")
	ErrVersion   = errors.New("unknown version")
	ErrChecksum  = errors.New("checksum mismatch")
	ErrCycle     = errors.New("already reached by another way")
	ErrOverlap   = errors.New("overlaps another")
	ErrOrder     = errors.New("out of order")
	ErrValue     = errors.New("impossible value")
	ErrUnknown   = errors.New("not known")
	ErrMissing   = errors.New("missing")
	ErrLimit     = errors.New("over the limit of this program")
)
