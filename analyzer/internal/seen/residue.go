package seen

import (
	"errors"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/object"
)

func (ev *Evidence) ReadPiece(p Piece) ([]byte, error) {
	b := make([]byte, p.Size)
	if err := ev.SourceOf(p.File).ReadFull(b, p.Off); err != nil {
		return nil, readError(report.Page{}, p.Off, err)
	}
	return b, nil
}

// MaxPieces bounds the orphaned pieces of one file that are compared with known
// values: a gigabyte of pages of 4 KiB.
const MaxPieces = 1 << 18

// residue is what a survey found outside of the newest tree.
type residue struct {
	Counts       report.ResidueCounts
	Pieces       []Piece
	Unattributed []Piece
	Unkeyed      []Unkeyed
	Owned        []Copy // pieces of which the key is known now
	Skipped      int64  // bytes of pieces over maxPieces
}

// A Piece is bytes that belong to no record and are no object.
type Piece struct {
	Off   int64
	Size  int32
	File  FileID
	Class carve.Class
}

// Suspicious reports whether a piece may be plaintext.
func (p Piece) Suspicious() bool { return p.Class != carve.Random }

// An Unkeyed is an object that was found by its signature: it says itself what it is,
// and nothing says under which key it was.
type Unkeyed struct {
	Copy
	object.TypeMeta
	Namespace, Name string
}

// isGap reports whether all that is wrong with an element is what lies before it.
func isGap(err error) bool { return errors.Is(err, decode.ErrValue) }
