package seen

import (
	"math"

	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/object"
)

// MaxPieces bounds the pieces of one evidence that are compared with known values: a gigabyte
// of pages of 4 KiB.
const MaxPieces = 1 << 18

// A Piece is bytes that belong to no record and are no object.
type Piece struct {
	Off   int64 // in File
	Size  int32 // in bytes
	File  FileID
	Class carve.Class
}

// Suspicious reports whether a piece may be plaintext.
func (p Piece) Suspicious() bool { return p.Class != carve.Random }

// An Unvouched is the bytes of a value that nobody keeps, on the pages behind its first one. A
// page has no mark of what it belongs to, so they may be another's. The sweep empties the list.
type Unvouched struct {
	Off, Size int64 // in the db
	Place     Place // of the value
	Broken    bool  // something else on these pages is not as it should be
}

// An Unkeyed is an object that was found by its signature: it says itself what it is, and
// nothing says under which key it was. Key, Entry and the revisions of the Copy are zero until
// naming finds the key.
type Unkeyed struct {
	Copy
	object.TypeMeta
	Namespace, Name string // empty if the object has none, or it could not be read

	// Holder is the object whose value holds an Embedded copy, if that was found without a key, too.
	Holder *Unkeyed
}

// A PlaceInFile is where bytes begin.
type PlaceInFile struct {
	File FileID
	Off  int64
}

// A Carrier is the object whose value holds a whole Secret.
type Carrier struct {
	Key     string // as in etcd; empty until naming finds it, and where nothing names the object
	Escaped bool   // the Secret is a part of a string of JSON in the value, with its escapes
}

// AsPiece is the bytes of the object, for one that does not say which object it is.
func (o *Unkeyed) AsPiece() Piece {
	return Piece{Off: o.Off, Size: int32(min(o.Size, math.MaxInt32)), File: o.File, Class: carve.Mixed}
}
