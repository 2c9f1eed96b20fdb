package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// noteRecord counts the value of r in the ledger, and keeps a copy of the value, or of the
// deletion, if ev.Interest asks for it. err says what is wrong with the record. watched is
// isWatched of its key. at says where the record lies, with Entry and Key if it is known that
// the key has an entry; noteRecord fills in the rest.
func noteRecord(ev *seen.Evidence, r *mvcc.Record, err error, watched bool, at seen.Copy) {
	at.Rev, at.Create, at.Version = r.Revision, r.CreateRevision, r.Version
	at.Size, at.Object, at.Complete = int64(len(r.Value)), true, err == nil
	if at.Deletion = r.Tombstone && err == nil; at.Deletion {
		if ev.Interest.OnlyKey != "" && watched {
			at.Key = ev.KeyName(r.Key)
			ev.Keep(at)
		}
		return
	}
	at.Off = r.ValueOff
	if !envelope.IsEncrypted(r.Value) && !ev.Interest.KeepsValue(r.Value, at.Off, watched) {
		noteEmbedded(ev, r.Value, r.Key, at)
		// Most values end here: their keys need no string.
		if at.Entry != 0 {
			ev.Ledger.AddPlainOf(ev.Keys.At(at.Entry), r.Key, r.Revision.Main)
		} else {
			ev.Ledger.AddPlain(r.Key, r.Revision.Main)
		}
		return
	}
	if at.Entry == 0 {
		at.Key = ev.KeyName(r.Key)
	}
	noteValue(ev, r.Value, watched, at)
}

// isWatched reports whether copies of the key are kept whatever their values are.
func isWatched(ev *seen.Evidence, key []byte) bool {
	if id := ev.Keys.Find(key); id != 0 {
		return ev.Keys.At(id).Watched
	}
	return ev.Interest.KeepsKey(key)
}

// noteValue counts value in the ledger, and keeps a copy of it if ev.Interest asks for it. at
// has all of the copy but Storage, Sum and Holds.
func noteValue(ev *seen.Evidence, value []byte, watched bool, at seen.Copy) {
	if envelope.IsEncrypted(value) {
		noteSealed(ev, value, watched, at)
		return
	}
	ev.Ledger.AddPlain([]byte(at.Key), at.Rev.Main)
	noteEmbedded(ev, value, []byte(at.Key), at)
	if !ev.Interest.KeepsValue(value, at.Off, watched) {
		return
	}
	if at.Object && at.Complete {
		at.Storage, _ = ev.Keys.ParseWhole([]byte(at.Key), value, at.Off) // no plaintext value has an error
	} else {
		env, _ := ev.Keys.ParseEnvelope(value, at.Off)
		at.Storage = ev.Keys.StorageOf(env)
	}
	at.Sum = ev.Interest.Sum(value)
	if ev.Interest.HoldsSecret(at.Key, value, at.Off) {
		at.Holds = ev.Contents.Add(value, at.Off)
	}
	ev.Keep(at)
}

// noteSealed is noteValue for an encrypted value.
func noteSealed(ev *seen.Evidence, value []byte, watched bool, at seen.Copy) {
	env, err := ev.Keys.ParseEnvelope(value, at.Off)
	if at.Place != seen.InTree && !at.Place.IsLog() && !at.Place.IsV2() && !ev.Interest.IsName(&env) {
		// The bytes behind the prefix may be anything's, such as another object's.
		env, err = envelope.Envelope{}, decode.ErrValue
	}
	at.Storage = ev.Keys.StorageOf(env)
	at.Complete = at.Complete && err == nil
	at.Sum = ev.Interest.SealedSum(&env)
	ev.Ledger.AddSealed(&at, &env)
	if ev.Interest.KeepsValue(value, at.Off, watched) {
		ev.Keep(at)
	}
}
