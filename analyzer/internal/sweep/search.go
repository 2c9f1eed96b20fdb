package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/page"
)

// searchStep is how many bytes of a file without a structure are searched at once,
// and searchAhead how many behind them an object may take that starts in them.
const (
	searchStep  = 4 << 20
	searchAhead = 4 << 20
)

// searchBlock is what stands for the page size where there are no pages.
const searchBlock = 4096

// Search looks through a file of which the structure is not known. Whole objects
// and records in it count; other bytes may be anything. Its error is that of ctx.
func Search(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	sum := digest{Hash: sha256.New()}
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
		if !page.IsZero(b) {
			carveStep(ev, seen.DbFile, b, off)
		}
	}
	ev.BytesRead = sum.read
	if sum.read == ev.Size {
		ev.Facts.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// carveStep keeps the finds that start in the first searchStep bytes of b. What
// starts behind them is found, whole, by the next step.
func carveStep(ev *seen.Evidence, file seen.FileID, b []byte, off int64) {
	carveIn(ev, file, seen.InPieces, b, off, searchBlock, off+searchStep)
	ev.Pieces = nil // of a file like this, text is no residue
}
