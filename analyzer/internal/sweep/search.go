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
func Search(s *seen.Evidence, ctx context.Context, progress Progress) error {
	sum := digest{Hash: sha256.New()}
	buf := make([]byte, searchStep+searchAhead)
	for off := int64(0); off < s.Size; off += searchStep {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b := buf[:min(int64(len(buf)), s.Size-off)]
		if err := s.ReadFull(b, off); err != nil {
			s.AddDamage(&decode.FormatError{Off: off, What: "data", Err: err})
			continue
		}
		sum.add(off, b[:min(searchStep, len(b))])
		progress.tell(s.Path, sum.next, s.Size)
		if !page.IsZero(b) {
			carveStep(s, seen.DbFile, b, off)
		}
	}
	s.BytesRead = sum.read
	if sum.read == s.Size {
		s.Facts.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// carveStep keeps the finds that start in the first searchStep bytes of b. What
// starts behind them is found, whole, by the next step.
func carveStep(s *seen.Evidence, file seen.FileID, b []byte, off int64) {
	carveIn(s, file, seen.InPieces, b, off, searchBlock, off+searchStep)
	s.Pieces = nil // of a file like this, text is no residue
}
