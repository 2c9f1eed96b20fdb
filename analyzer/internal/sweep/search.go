package sweep

import (
	"context"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/page"
)

// searchStep is how many bytes without a structure are searched at once, and searchAhead how
// many bytes behind them are there for an object that starts in them.
const (
	searchStep  = 4 << 20
	searchAhead = 4 << 20
)

// searchBlock stands for the page size where there are no pages.
const searchBlock = 4096

// Search looks through the file of ev, whose structure is not known, for whole objects and
// records. Other bytes may be anything, and do not count as residue. In a raft snapshot it reads
// the v2 store. Damage goes to ev; the error is that of ctx.
func Search(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	if isV2Store(ev) {
		return searchStore(ctx, ev, progress)
	}
	sum := newDigest()
	buf := make([]byte, searchStep+searchAhead)
	for off := int64(0); off < ev.Size; off += searchStep {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b := buf[:min(int64(len(buf)), ev.Size-off)]
		if err := ev.ReadFull(b, off); err != nil {
			ev.AddDamage(&decode.FormatError{Off: off, What: "data", Err: err})
			continue
		}
		sum.add(off, b[:min(searchStep, len(b))])
		progress.tell(ev.Path, sum.next, ev.Size)
		searchBytes(ev, seen.DBFile, b, off)
		ev.Pieces = nil
	}
	ev.BytesRead = sum.read
	if sum.read == ev.Size {
		ev.Facts.SHA256 = sum.hex()
	}
	return nil
}

// searchAround searches n bytes that stand around a db, from its offset off on, and adds them to
// sum. Unlike the bytes of a file without a structure they are few, and nobody expects them: what
// is no object stays among the pieces, because text may hold anything.
func searchAround(ev *seen.Evidence, sum *digest, off, n int64) {
	if n == 0 {
		return
	}
	around := report.Surrounding{Offset: ev.Base + off, Length: n, Text: true}
	for end := off + n; off < end; off += searchStep {
		b := make([]byte, min(searchStep, end-off))
		if err := ev.ReadFull(b, off); err != nil {
			ev.AddDamage(&decode.FormatError{Off: off, What: "data around the db", Err: err})
			continue
		}
		sum.add(off, b)
		around.Text = around.Text && page.IsText(b)
		carveStretch(ev, stretch{file: seen.DBFile, place: seen.InPieces, data: b, off: off, block: searchBlock})
	}
	ev.Facts.Surroundings = append(ev.Facts.Surroundings, around)
}

// searchBytes carves b, which lies at off in a file, for what starts in its first searchStep
// bytes.
func searchBytes(ev *seen.Evidence, file seen.FileID, b []byte, off int64) {
	if !page.IsZero(b) {
		carveStretch(ev, stretch{file: file, place: seen.InPieces, data: b, off: off, block: searchBlock, next: off + searchStep})
	}
}
