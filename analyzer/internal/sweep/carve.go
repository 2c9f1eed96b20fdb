package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// carvePage carves b, which lies in p at file offset off and which no whole record covers.
// Bytes of a leaf among the overflow pages of p are left to that leaf, so that none is carved
// or counted twice.
func carvePage(ev *seen.Evidence, p page.Page, b []byte, off int64) {
	place := seen.InPieces
	if p.Use == page.Tail {
		place = seen.InTail
	}
	for off, b := range p.Apart(b, off) {
		if p.Use != page.Unreachable && p.Use != page.Tail {
			ev.Residue.Bytes += int64(len(b)) // takeFreePage has counted all bytes of other pages
		}
		carveStretch(ev, stretch{file: seen.DBFile, place: place, data: b, off: off, block: ev.DB.PageSize})
	}
}

// carveSlack carves the bytes of a branch, freelist or meta page behind all that it holds.
func carveSlack(ev *seen.Evidence, p page.Page) {
	if b, start := p.Slack(); !page.IsZero(b) {
		carvePage(ev, p, b, p.Off+int64(start))
	}
}

// A stretch is bytes of a file in which nothing tells where records are.
type stretch struct {
	file  seen.FileID
	place seen.Place
	data  []byte
	off   int64 // of data in the file
	block int   // at each multiple of it in the file, content may change its nature, in bytes
	// claimed says that the bytes lie where a known value of another resource should have them.
	// What is found in them counts, and the rest belongs to that value: to compare all of it
	// with all values takes many times as long as the rest of the run.
	claimed bool
	// next is where the next stretch of the file starts. That one has all of what is found
	// from there on, so this one leaves it. 0 if none follows.
	next int64
}

// carveStretch looks in s for values by their bytes, and keeps what may be in scope. What it
// cannot read goes to ev.Pieces.
func carveStretch(ev *seen.Evidence, s stretch) {
	for f := range carve.Scan(s.data, s.off, s.block) {
		if s.next > 0 && f.Off >= s.next {
			return
		}
		if f.Kind == carve.Orphan {
			addPieces(ev, s, f)
			continue
		}
		ev.Residue.Fragments++
		at := seen.Copy{
			File: s.file, Place: s.place, Off: f.ValueOff, Size: int64(len(f.Value)),
			Page: ev.PageAt(s.file, f.ValueOff), Object: true, Complete: f.Complete,
		}
		switch f.Kind {
		case carve.Object:
			noteObject(ev, f, at)
		case carve.Record:
			noteCarved(ev, f, at)
		case carve.Envelope:
			countEnvelope(ev, f, at)
		}
	}
}

// noteCarved is noteRecord for a record that was found by its bytes.
func noteCarved(ev *seen.Evidence, f carve.Find, at seen.Copy) {
	at.Key = f.Key
	if f.Tombstone {
		if f.Key == ev.Interest.OnlyKey {
			at.Rev.Main, at.Deletion, at.Off = f.ModRevision, true, f.Off
			ev.Keep(at)
		}
		return
	}
	at.Rev = mvcc.Revision{Main: f.ModRevision, Sub: f.Sub}
	at.Create, at.Version = f.CreateRevision, f.Version
	watched := ev.Interest.KeepsKey([]byte(f.Key))
	// Who asks for one key needs the values of the others, to know which of them a piece is of.
	ev.Ledger.AddCarved(f.Value, at, !watched && ev.Interest.OnlyKey != "" && ev.Interest.MayBeInScope([]byte(f.Key)))
	noteValue(ev, f.Value, watched, at)
	if at.File == seen.DBFile && !envelope.IsEncrypted(f.Value) { // an encrypted one ends before text
		checkParts(ev, f.Value, at.Off, watched, at.Place)
	}
}

// noteObject keeps an object whose key is not known, if its kind may be in scope.
func noteObject(ev *seen.Evidence, f carve.Find, at seen.Copy) {
	if f.TypeMeta.Kind != seen.SecretType.Kind && ev.Interest.AnySecret {
		holder := &seen.Unkeyed{Copy: at, TypeMeta: f.TypeMeta, Namespace: f.Namespace, Name: f.Name}
		if f.TypeMeta.Kind == "List" || f.TypeMeta.Kind == "SecretList" {
			holder = nil // no object that etcd keeps
		}
		addEmbedded(ev, f.Value, at, "", holder)
	}
	if ev.Interest.OnlyKey == "" && !ev.Interest.KeepsKind(f.TypeMeta) {
		if at.File == seen.DBFile {
			checkParts(ev, f.Value, at.Off, false, at.Place)
		}
		return
	}
	at.Storage, _ = ev.Keys.ParseStorage(f.Value, at.Off)
	at.Sum = ev.Interest.Sum(f.Value)
	if f.TypeMeta.Kind == seen.SecretType.Kind {
		at.Holds = ev.Contents.Add(f.Value, at.Off)
	}
	ev.Unkeyed = append(ev.Unkeyed, seen.Unkeyed{Copy: at, TypeMeta: f.TypeMeta, Namespace: f.Namespace, Name: f.Name})
}

// countEnvelope counts an encrypted value in the ledger. No copy of it is kept, because nobody
// knows its key, and often not where it ends.
func countEnvelope(ev *seen.Evidence, f carve.Find, at seen.Copy) {
	env, _ := ev.Keys.ParseEnvelope(f.Value, f.ValueOff)
	at.Storage = ev.Keys.StorageOf(env)
	at.Sum = ev.Interest.SealedSum(&env)
	ev.Ledger.AddSealed(&at, &env)
}

// addPieces keeps the pieces of an orphan for comparison with known values: each may be of
// another origin.
func addPieces(ev *seen.Evidence, s stretch, f carve.Find) {
	if s.claimed {
		return
	}
	for off, b := range carve.Pieces(f.Bytes, f.Off, s.block) {
		if len(ev.Pieces) == seen.MaxPieces {
			ev.SkippedPieceBytes += int64(len(b))
			continue
		}
		ev.Pieces = append(ev.Pieces, seen.Piece{Off: off, Size: int32(len(b)), File: s.file, Class: f.Class})
	}
}
