package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// sight keeps a copy of a value of r that is watched, or r itself, which stands at
// at.off, if it is a deletion that is. err says what is wrong with the record. A key of
// which nothing is kept takes no memory.
func sight(ev *seen.Evidence, r *mvcc.Record, watched bool, at seen.Copy, err error) {
	at.Rev, at.Create, at.Version = r.Revision, r.CreateRevision, r.Version
	at.Size, at.Object, at.Complete = int64(len(r.Value)), true, err == nil
	if at.Deletion = r.Tombstone && err == nil; at.Deletion {
		if ev.Interest.Only != "" && watched {
			at.Key = ev.KeyName(r.Key)
			ev.Keep(at)
		}
		return
	}
	at.Off = r.ValueOff
	if !envelope.IsEncrypted(r.Value) && !ev.Interest.KeepsValue(r.Value, at.Off, watched) {
		if at.Entry != 0 {
			ev.Ledger.PlainOf(ev.Keys.At(at.Entry), r.Key, r.Revision.Main)
		} else {
			ev.Ledger.Plain(r.Key, r.Revision.Main)
		}
		return
	}
	if at.Entry == 0 {
		at.Key = ev.KeyName(r.Key)
	}
	sightValue(ev, r.Value, watched, at)
}

// sightValue keeps a copy of value, which stands at at.off, if it is watched.
func sightValue(ev *seen.Evidence, value []byte, watched bool, at seen.Copy) {
	if envelope.IsEncrypted(value) {
		sightSealed(ev, value, watched, at)
		return
	}
	ev.Ledger.Plain([]byte(at.Key), at.Rev.Main)
	if !ev.Interest.KeepsValue(value, at.Off, watched) {
		return
	}
	env, err := ev.Keys.Open(value, at.Off)
	at.Storage = ev.Keys.Intern(env)
	at.Complete = at.Complete && (err == nil || env.Provider == envelope.Identity)
	at.Sum = ev.Interest.Sum(value)
	if ev.Interest.HoldsSecret(at.Key, value, at.Off) {
		at.Holds = ev.Contents.Add(value, at.Off)
	}
	ev.Keep(at)
}

// sightSealed takes a copy of an encrypted value into the ledger, and keeps it if it is
// watched.
func sightSealed(ev *seen.Evidence, value []byte, watched bool, at seen.Copy) {
	env, err := ev.Keys.Open(value, at.Off)
	if at.Place != seen.InTree && at.Place != seen.InWAL && !ev.Interest.IsName(&env) {
		// The bytes behind the prefix may be anything's, such as another object's.
		env, err = envelope.Envelope{}, decode.ErrValue
	}
	at.Storage = ev.Keys.Intern(env)
	at.Complete = at.Complete && err == nil
	at.Sum = ev.Interest.SealedSum(&env)
	ev.Ledger.Sealed(&at, &env)
	if ev.Interest.KeepsValue(value, at.Off, watched) {
		ev.Keep(at)
	}
}
