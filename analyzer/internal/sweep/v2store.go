package sweep

import (
	"context"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/v2store"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// isV2Store reports whether a file is a raft snapshot: by its name, because damage may be in its
// first bytes, or by these.
func isV2Store(ev *seen.Evidence) bool {
	return strings.HasSuffix(ev.Name, ".snap") || v2store.IsSnapshot(ev.File, ev.Size)
}

// searchStore reads the v2 store in a raft snapshot, and keeps copies of its values if their keys are
// watched. Bytes that are no store are searched for objects. Damage goes to ev; the error is that
// of ctx.
func searchStore(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	sum := newDigest()
	tap := func(off int64, b []byte) {
		sum.add(off, b)
		progress.tell(ev.Path, sum.next, ev.Size)
	}
	for v, err := range v2store.Read(ev.File, ev.Size, tap) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			ev.AddDamage(err)
		case v.Gap:
			searchGap(ev, seen.DBFile, v.Off, v.Size)
			ev.Pieces = nil
		default:
			noteV2(ev, v)
		}
	}
	ev.BytesRead = sum.read
	if sum.read == ev.Size {
		ev.Facts.SHA256 = sum.hex()
	}
	return nil
}

// noteV2 keeps a copy of a value in the store if its key is watched.
func noteV2(ev *seen.Evidence, v v2store.Value) {
	value := v2store.Plain(v.Bytes)
	at := seen.Copy{
		File: seen.DBFile, Place: seen.InV2Store, Off: v.Off, Size: v.Size,
		Object: true, Complete: v.Complete && !v2store.IsLossy(value),
	}
	key, ok := wal.V2Key(v.Path)
	switch {
	case v.Path == "":
		// Damage took the path, and what the value says of itself is left.
		for f := range carve.Scan(value, 0, searchBlock) {
			if f.Kind == carve.Object && f.Off == 0 {
				noteObject(ev, f, at)
			}
			return
		}
	case ok:
		at.Key = key
		ev.Ledger.AddCarved(value, at, false)
		noteValue(ev, value, ev.Interest.KeepsKey([]byte(key)), at)
	}
}
