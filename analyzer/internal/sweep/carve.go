package sweep

import (
	"math"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// carvePage looks through bytes of page p, or of pages from p on, that no whole record
// covers. Those on a leaf among the overflow pages of p are left to that leaf, so that
// none is looked through or counted twice.
func carvePage(ev *seen.Evidence, p page.Page, b []byte, off int64) {
	where := seen.InPieces
	if p.Use == page.Tail {
		where = seen.InTail
	}
	for off, b := range p.Apart(b, off) {
		if p.Use != page.Unreachable && p.Use != page.Tail {
			ev.Counts.Bytes += int64(len(b)) // those of other pages are counted already
		}
		carveIn(ev, seen.DbFile, where, b, off, ev.DB.PageSize, math.MaxInt64)
	}
}

// carveIn looks through bytes of a file in which content may change its nature at
// each multiple of block, for what starts before the file offset end.
func carveIn(ev *seen.Evidence, file seen.FileID, where seen.Place, b []byte, off int64, block int, end int64) {
	for f := range carve.Scan(b, off, block) {
		if f.Off >= end {
			return
		}
		at := seen.Copy{File: file, Place: where, Off: f.ValueOff, Size: int64(len(f.Value)),
			Object: true, Complete: f.Complete}
		if file == seen.DbFile && ev.DB.PageSize > 0 {
			at.Page = report.PageAt(at.Off, ev.DB.PageSize)
		}
		if f.Kind != carve.Orphan {
			ev.Counts.Fragments++
		}
		switch {
		case f.Kind == carve.Orphan:
			addPieces(ev, file, f, block)
		case f.Kind == carve.Object:
			findObject(ev, f, at)
		case f.Kind == carve.Record && f.Tombstone:
			if at.Key, at.Rev.Main, at.Deletion, at.Off = f.Key, f.ModRevision, true, f.Off; f.Key == ev.Interest.Only {
				ev.Keep(at)
			}
		case f.Kind == carve.Record:
			at.Key, at.Create, at.Version = f.Key, f.CreateRevision, f.Version
			at.Rev = mvcc.Revision{Main: f.ModRevision, Sub: f.Sub}
			ev.Ledger.Carve(f.Value, at)
			sightValue(ev, f.Value, ev.Interest.KeepsKey([]byte(f.Key)), at)
		case f.Kind == carve.Envelope:
			// Nobody knows its key, and where it ends often neither.
			env, _ := ev.Keys.Open(f.Value, f.ValueOff)
			at.Storage = ev.Keys.Intern(env)
			at.Sum = ev.Interest.SealedSum(&env)
			ev.Ledger.Sealed(&at, &env)
		}
	}
}

// findObject keeps an object of which the key is not known, if its kind may be in
// scope.
func findObject(ev *seen.Evidence, f carve.Find, at seen.Copy) {
	if ev.Interest.Only == "" && !ev.Interest.KeepsKind(f.TypeMeta) {
		return
	}
	at.Storage, _ = ev.Keys.Parse(f.Value, at.Off)
	at.Sum = ev.Interest.Sum(f.Value)
	if f.TypeMeta.Kind == seen.SecretType.Kind {
		at.Holds = ev.Contents.Add(f.Value, at.Off)
	}
	ev.Unkeyed = append(ev.Unkeyed, seen.Unkeyed{Copy: at, TypeMeta: f.TypeMeta, Namespace: f.Namespace, Name: f.Name})
}

// addPieces keeps the parts of an orphan, block by block since each may be of another
// origin, for comparison with known values.
func addPieces(ev *seen.Evidence, file seen.FileID, f carve.Find, block int) {
	for off, b := range carve.Pieces(f.Bytes, f.Off, block) {
		if len(ev.Pieces) == seen.MaxPieces {
			ev.Skipped += int64(len(b))
		} else {
			ev.Pieces = append(ev.Pieces, seen.Piece{Off: off, Size: int32(len(b)), File: file, Class: f.Class})
		}
	}
}
