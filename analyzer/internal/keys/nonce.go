package keys

import (
	"bytes"
	"context"
	"hash/maphash"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// MaxNonces bounds the nonces that are compared at once: 16 bytes each, 32 MiB with the room that
// a hash map needs. If there are more, each of several passes over the values compares a part of
// them.
const MaxNonces = 1 << 20

// maxBits bounds the passes, to two to the power of it. Beyond that the hash map grows.
const maxBits = 12

// Bounds of what is kept to report.
const (
	// MaxReused bounds the nonces that are suspect.
	MaxReused = 1 << 14
	// maxSharing bounds the values of each.
	maxSharing = 16
)

// Nonces finds different values with the same nonce under the same key, among all values of a run,
// in three steps: Add takes the values during the sweep, Confirm reads the suspect ones again, and
// Shared returns those that share a nonce. Up to Confirm it keeps hashes alone. It is for one
// goroutine.
type Nonces struct {
	seed maphash.Seed
	max  int // of hashes at once

	// From the hash of a key and a nonce to the hash of a value. Only hashes whose lowest bits are
	// those of part are in it: the others have a pass of their own in Confirm, which empties it.
	hashes mem.HashMap
	bits   uint
	part   uint64

	// By the hash of a key and a nonce that different values have. The values come with Confirm.
	suspects map[uint64][]NonceUse

	// More says that there were more suspects than MaxReused. It is valid after Confirm.
	Incomplete bool
}

// A NonceUse is a value whose nonce another value has, too.
type NonceUse struct {
	At    seen.CopyIn
	Key   string // etcd's, of the object
	OfDEK bool   // the nonce belongs to a data encryption key
	How   seen.Storage

	nonce uint64 // hash of the key and the nonce, by the whole name of the key if that is known
	value uint64 // hash of the value
	tail  string // see envelope.Envelope.Tail
	body  uint64 // see bodyOf
}

// NewNonces makes Nonces that compare as many at once as most says.
func NewNonces(most int) *Nonces {
	return &Nonces{seed: maphash.MakeSeed(), max: most, suspects: map[uint64][]NonceUse{}}
}

// hash is the hash of a key and a nonce, which must not occur together twice. It is not 0. dek says
// that they are those of a data encryption key; ok is false if the value has no nonce.
func (n *Nonces) hash(env *envelope.Envelope) (h uint64, dek, ok bool) {
	key, nonce, ok := env.Nonce()
	if !ok {
		return 0, false, false
	}
	var m maphash.Hash
	m.SetSeed(n.seed)
	_ = m.WriteByte(byte(env.Provider))
	for _, b := range [][]byte{env.KeyName, key, nonce} {
		_, _ = m.Write(b)
		_ = m.WriteByte(byte(len(b))) // or else a longer name and a shorter nonce would have the same hash
	}
	return max(m.Sum64(), 1), key != nil, true
}

// Add takes a value that is whole. sum is the hash of its bytes. If its key may have a longer name,
// the nonce behind the shortest one and that behind the longest one count: if a name between them
// is right, equal nonces make the bytes behind the shortest one equal, too.
func (n *Nonces) Add(env *envelope.Envelope, sum uint64) {
	n.addNonce(env, sum)
	if env.MoreName != nil {
		longest := env.Longest()
		n.addNonce(&longest, sum)
	}
}

// addNonce takes a value by the name of its key that is in env.
func (n *Nonces) addNonce(env *envelope.Envelope, sum uint64) {
	h, _, ok := n.hash(env)
	if !ok || !n.counts(h) {
		return
	}
	for n.hashes.Used >= n.max && n.bits < maxBits {
		n.halve()
		if !n.counts(h) {
			return
		}
	}
	switch have, known := n.hashes.Put(h, sum); {
	case !known, have == max(sum, 1), n.suspects[h] != nil:
	case len(n.suspects) == MaxReused:
		n.Incomplete = true
	default:
		n.suspects[h] = []NonceUse{}
	}
}

// counts reports whether a hash is of the part that this pass compares.
func (n *Nonces) counts(h uint64) bool { return h&(1<<n.bits-1) == n.part }

// halve leaves half of the nonces for a later pass.
func (n *Nonces) halve() {
	n.bits++
	n.hashes.Keep(n.counts)
}

// Confirm makes the passes that are left, and one more to read the suspect values. It comes after
// DecideNames. Its error is that of ctx.
func (n *Nonces) Confirm(ctx context.Context, evs []*seen.Evidence) error {
	for n.part++; n.part < 1<<n.bits; n.part++ {
		n.hashes = mem.HashMap{}
		// If this part is halved, its other half is among the parts that this adds at the end.
		if err := n.pass(ctx, evs, n.addAgain); err != nil {
			return err
		}
	}
	n.hashes = mem.HashMap{}
	if len(n.suspects) == 0 {
		return nil
	}
	return n.pass(ctx, evs, n.inspect)
}

// pass calls each for all encrypted values that are whole.
func (n *Nonces) pass(ctx context.Context, evs []*seen.Evidence, each func(*seen.Value, *envelope.Envelope)) error {
	for _, ev := range evs {
		err := ev.EachSealed(ctx, func(v *seen.Value) error {
			// With the names that the sweep knew: otherwise the hashes would be others.
			env, err := envelope.ParseNamed(v.Value, v.Off, ev.Interest.Names[:ev.Interest.Configured])
			if err == nil && v.Whole {
				each(v, &env)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addAgain is Add for a value that is read again.
func (n *Nonces) addAgain(v *seen.Value, env *envelope.Envelope) {
	n.Add(env, v.In.Interest.SealedSum(env))
}

// inspect adds a value to the suspects of its nonces, if there are any.
func (n *Nonces) inspect(v *seen.Value, env *envelope.Envelope) {
	whole, err := v.In.Keys.ParseEnvelope(v.Value, v.Off) // with the names that are known by now
	if err != nil {
		whole = *env
	}
	nonce, dek, _ := n.hash(&whole)
	h, _, _ := n.hash(env)
	n.addSuspect(h, nonce, dek, v, &whole)
	if env.MoreName != nil {
		longest := env.Longest()
		h, _, _ := n.hash(&longest)
		n.addSuspect(h, nonce, dek, v, &whole)
	}
}

// addSuspect adds a value to the suspects of the hash h, if that is suspect. Copies of one write
// are one value: they are equal, or one of them is damaged. nonce is the hash with the whole name
// of the key, which env has.
func (n *Nonces) addSuspect(h, nonce uint64, dek bool, v *seen.Value, env *envelope.Envelope) {
	have, suspect := n.suspects[h]
	if !suspect || len(have) == maxSharing {
		return
	}
	sum := v.In.Interest.Sum(v.Value)
	for _, other := range have {
		if other.value == sum || other.Key == string(v.Key) && sameWrite(&other, v, env) {
			return
		}
	}
	key := string(v.Key)
	at := &seen.Copy{Key: key, Rev: v.Rev, Place: v.Place, File: v.File, Off: v.Off, Size: int64(len(v.Value)), Index: v.Index}
	n.suspects[h] = append(have, NonceUse{
		At: seen.CopyIn{Copy: at, In: v.In}, Key: key, OfDEK: dek, How: v.In.Keys.Storages[v.In.Keys.StorageOf(*env)],
		nonce: nonce, value: sum, tail: string(env.Tail()), body: bodyOf(v, env),
	})
}

// sameWrite reports whether two values of one key, which differ, are copies of the same write, so
// that one is damaged: no two revisions are known of them, and they have the same length and either
// the same tail or the same body. That they have the same revision is not enough, because after a
// restore etcd may write a revision once more.
func sameWrite(other *NonceUse, v *seen.Value, env *envelope.Envelope) bool {
	known := v.Rev.Main > 0 && other.At.Rev.Main > 0
	if known && other.At.Rev != v.Rev || other.At.Size != int64(len(v.Value)) {
		return false
	}
	// Under one nonce equal plaintexts have equal tags, so a tag that differs alone is damaged. The last
	// block of AES-CBC may be all in which two plaintexts differ: there the revision must be the same, too.
	return other.tail == string(env.Tail()) || (known || env.Provider.HasTag()) && other.body == bodyOf(v, env)
}

// bodyOf is a hash of a value without its tail.
func bodyOf(v *seen.Value, env *envelope.Envelope) uint64 {
	tail := env.Tail()
	at := max(0, bytes.LastIndex(v.Value, tail)) // it is in the value
	var h maphash.Hash
	h.SetSeed(v.In.Interest.Seed)
	_, _ = h.Write(v.Value[:at])
	_, _ = h.Write(v.Value[at+len(tail):])
	return h.Sum64()
}

// Shared lists the values that share a nonce, one list for each nonce, in no order. It comes after
// Confirm. Values that are suspect by a short name of their key may share the rest of that name
// alone: they are not in it.
func (n *Nonces) Shared() [][]NonceUse {
	byNonce := map[uint64][]NonceUse{}
	for _, suspects := range n.suspects {
		for _, s := range suspects {
			// A value may be suspect by two names.
			if !slices.ContainsFunc(byNonce[s.nonce], func(other NonceUse) bool { return other.value == s.value && other.Key == s.Key }) {
				byNonce[s.nonce] = append(byNonce[s.nonce], s)
			}
		}
	}
	var all [][]NonceUse
	for _, values := range byNonce {
		if len(values) > 1 {
			all = append(all, values)
		}
	}
	return all
}
