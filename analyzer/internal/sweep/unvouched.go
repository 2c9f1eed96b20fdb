package sweep

import (
	"bytes"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// Only the first page of a run has a header. What lies on its other pages is taken for a part of
// a value because it should lie there, and no byte of it says so. Where a page is another's (two
// pages were swapped, or a copy mixes two moments), a value that nobody keeps would take that
// page out of the report:
//
//   - A page in the middle of an encrypted value must look random. Where it does not, it is
//     carved, and in the tree it is damage.
//   - Of plaintext nothing tells. The pages behind the first are put aside as Unvouched, and
//     carved when the sweep has ended. Where something beside the value is broken, or the hash of
//     the snapshot is wrong, what is found there belongs to nothing. Where there is no hash,
//     Secrets that are found there by their form count, and the rest is the value's; in the tree
//     it is what etcd would read, too. Where the hash is right, it vouches for all pages.

// minJudged is how many bytes tell whether a part of a value is ciphertext.
const minJudged = 64

// nextPage is where the page behind the one of file offset off starts.
func nextPage(ev *seen.Evidence, off int64) int64 {
	size := int64(ev.DB.PageSize)
	return off - off%size + size
}

// carveForeign carves the pages in an encrypted value at file offset off that are no ciphertext.
// It reports whether there are any.
func carveForeign(ev *seen.Evidence, value []byte, off int64, place seen.Place) (found bool) {
	next := nextPage(ev, off)
	e, err := envelope.Parse(value, off)
	if err != nil || !e.Provider.Encrypts() {
		return false // its form is damage itself, or says that it is plaintext
	}
	// Behind the ciphertext KMS has text, and so may the names before it.
	sealed := e.Ciphertext()
	start := bytes.Index(value, sealed)
	end := off + int64(start+len(sealed))
	for ; next < end; next = nextPage(ev, next) {
		part := value[next-off : min(nextPage(ev, next), end)-off]
		class := carve.Classify(part)
		if next < off+int64(start) || class == carve.Random || class == carve.Mixed && len(part) < minJudged {
			continue
		}
		found = true
		carveStretch(ev, stretch{file: seen.DBFile, place: place, data: part, off: next, block: ev.DB.PageSize})
	}
	return found
}

// checkParts looks at the pages behind the first one of a value that is not of a whole copy: of a
// record on a page, or of a find. It reports whether the value is encrypted and a page in it is
// no ciphertext.
func checkParts(ev *seen.Evidence, value []byte, off int64, watched bool, place seen.Place) (broken bool) {
	switch {
	case ev.Pages == nil || off+int64(len(value)) <= nextPage(ev, off):
	case envelope.IsEncrypted(value):
		if place == seen.InTree || place == seen.OnFreePage {
			place = seen.InPieces
		}
		return carveForeign(ev, value, off, place)
	case !ev.Interest.KeepsValue(value, off, watched):
		putAside(ev, off, int64(len(value)), place)
	}
	return false
}

// putAside notes the pages of a plaintext value behind its first one. The value starts at off and
// is of size bytes.
func putAside(ev *seen.Evidence, off, size int64, place seen.Place) {
	next := nextPage(ev, off)
	rest := off + size - next
	if place == seen.InTree && ev.Facts.Kind != report.KindSnapshot {
		return
	}
	if ev.Unvouched.Len() == seen.MaxPieces {
		if ev.Facts.Kind == report.KindSnapshot && place != seen.InTree {
			ev.SkippedPieceBytes += rest // its hash may be wrong
		}
		return
	}
	ev.Unvouched.Add(seen.Unvouched{Off: next, Size: rest, Place: place})
}

// carveUnvouched carves what was put aside, and empties the list. The hash of the file is known.
func carveUnvouched(ev *seen.Evidence) {
	eachUnvouched(ev, carveStretch)
	// What was put aside meanwhile is parts of these parts. They are not searched again: values
	// in values in values could make that take long.
	eachUnvouched(ev, pieceStretch)
	ev.Unvouched = mem.List[seen.Unvouched]{}
}

// pieceStretch makes pieces of all of s.
func pieceStretch(ev *seen.Evidence, s stretch) {
	addPieces(ev, s, carve.Find{Off: s.off, Bytes: s.data, Class: carve.Classify(s.data)})
}

// eachUnvouched takes what is in the list out of it, reads it, and calls each for it.
func eachUnvouched(ev *seen.Evidence, each func(*seen.Evidence, stretch)) {
	list := ev.Unvouched
	ev.Unvouched = mem.List[seen.Unvouched]{}
	var buf []byte
	for _, u := range list.Drain() {
		hash := ev.Facts.SnapshotHash
		claimed := !u.Broken && hash != report.HashMismatch
		if claimed && (hash == report.HashValid || u.Place == seen.InTree) {
			continue
		}
		place := seen.InPieces
		if u.Place == seen.InTail {
			place = seen.InTail
		}
		for off, end := u.Off, u.Off+u.Size; off < end; off += searchStep {
			n := min(end-off, searchStep)
			buf = append(buf[:0], make([]byte, n)...)
			if err := ev.ReadFull(buf, off); err != nil {
				ev.AddDamage(&decode.FormatError{Off: off, What: "data", Err: err})
				continue
			}
			nested := ev.Unvouched.Len()
			each(ev, stretch{file: seen.DBFile, place: place, data: buf, off: off, block: ev.DB.PageSize, claimed: claimed})
			for i := nested; i < ev.Unvouched.Len(); i++ {
				ev.Unvouched.At(i).Broken = u.Broken
			}
		}
	}
}
