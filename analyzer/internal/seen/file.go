package seen

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/v2store"
)

// A FileID is a file of an evidence; 0 is none.
type FileID int32

// DBFile is the db. The segments of its WAL come after it, in their order.
const DBFile FileID = 1

// SegmentFile is the segment of that index in Evidence.Segments.
func SegmentFile(i int) FileID { return DBFile + 1 + FileID(i) }

// A Segment is a file of the WAL.
type Segment struct {
	evidence.Source
	// Evidence is what the report says of the file. The sweep sets it; at the end the analyzer adds
	// what became of the file.
	Facts     report.Evidence
	BytesRead int64 // less than Size if something could not be read
}

// SourceOf is the file of that ID, which is not 0.
func (ev *Evidence) SourceOf(id FileID) *evidence.Source {
	if id == DBFile {
		return &ev.Source
	}
	return &ev.Segments[id-SegmentFile(0)].Source
}

// PageAt is the page of an offset in a file, none in a WAL segment.
func (ev *Evidence) PageAt(file FileID, off int64) report.Page {
	source := ev.SourceOf(file)
	if off >= source.Size {
		return report.Page{} // behind the db
	}
	return report.PageAt(off, ev.pageSizeOf(source))
}

// pageSizeOf is the size of the pages of a file, 0 if it has none.
func (ev *Evidence) pageSizeOf(source *evidence.Source) int {
	if source.IsLog() {
		return 0
	}
	return ev.DB.PageSize
}

// ReadValue reads the value of an entry again. The error is that of Source.ReadFull, without a
// position: the Reader remembers where it failed.
func (ev *Evidence) ReadValue(e *Entry) ([]byte, error) {
	b := make([]byte, e.Size)
	err := ev.SourceOf(e.File).ReadFull(b, e.Off)
	if e.V2 {
		b = v2store.Plain(b)
	}
	return b, err
}

// ReadCopy reads a copy again: the value, whatever its bytes in the file are. The error is a
// *decode.FormatError.
func (ev *Evidence) ReadCopy(at *Copy) ([]byte, error) {
	b, err := ev.readAgain(at.File, at.Page, at.Off, at.Size)
	return at.Place.stored(b), err
}

// ReadPiece reads the bytes of a piece again. The error is a *decode.FormatError.
func (ev *Evidence) ReadPiece(p Piece) ([]byte, error) {
	return ev.readAgain(p.File, report.Page{}, p.Off, int64(p.Size))
}

func (ev *Evidence) readAgain(file FileID, page report.Page, off, size int64) ([]byte, error) {
	b := make([]byte, size)
	if err := ev.SourceOf(file).ReadFull(b, off); err != nil {
		what := "value"
		if number, ok := page.Number(); ok {
			what = fmt.Sprintf("page %d, value", number)
		}
		return nil, &decode.FormatError{Off: off, What: what, Err: err}
	}
	return b, nil
}
