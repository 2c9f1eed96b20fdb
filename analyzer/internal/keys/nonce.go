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

// MaxNonces bounds the nonces that are compared at once: 16 bytes each, 32 MiB with the
// room that a table needs. With more than that, a part of them is compared in each of
// several passes over the values.
const MaxNonces = 1 << 20

// maxParts bounds the passes: two to the power of it. Beyond, the table grows.
const maxParts = 12

// MaxReused bounds the nonces that are looked at, and maxSharing the values of each.
const (
	MaxReused  = 1 << 14
	maxSharing = 16
)

// Nonces finds two different values with the same nonce under the same key, among all
// values of a run. It keeps hashes, and looks at the values themselves once more where
// two hashes agree and two others do not.
type Nonces struct {
	seed maphash.Seed
	all  mem.HashMap // from the hash of a key and a nonce to that of the value
	// Of the hashes only those count that end in the bits of part.
	bits uint
	part uint64
	max  int // of hashes in all

	suspects map[uint64][]Sharing
	More     bool // there were more than maxReused
}

// A Sharing is a value whose nonce another value has too.
type Sharing struct {
	At    seen.CopyIn
	Key   string
	nonce uint64 // hash of the nonce where the whole name of its key is known
	value uint64 // hash
	tail  string // what authenticates it, or depends on all of it
	body  uint64 // hash of all but the tail; 0 for AES-CBC
	Dek   bool   // the nonce belongs to a data encryption key
	How   seen.Storage
}

func NewNonces(most int) *Nonces {
	return &Nonces{seed: maphash.MakeSeed(), max: most, suspects: map[uint64][]Sharing{}}
}

// hash is of what must not occur twice.
func (n *Nonces) hash(env *envelope.Envelope) (h uint64, dek, ok bool) {
	d, nonce, ok := env.Nonce()
	if !ok {
		return 0, false, false
	}
	var m maphash.Hash
	m.SetSeed(n.seed)
	_ = m.WriteByte(byte(env.Provider))
	for _, b := range [][]byte{env.KeyName, d, nonce} {
		_, _ = m.Write(b)
		_ = m.WriteByte(byte(len(b))) // what follows is no part of it
	}
	return max(m.Sum64(), 1), d != nil, true
}

// Add takes a value that is whole. sum is the hash of its bytes. Where its key may have a
// longer name, it has a nonce for the shortest and one for the longest: if a name between
// them is right, equal nonces make the bytes behind the shortest alike, too.
func (n *Nonces) Add(env *envelope.Envelope, sum uint64) {
	n.addNonce(env, sum)
	if env.MoreName != nil {
		longest := env.Longest()
		n.addNonce(&longest, sum)
	}
}

func (n *Nonces) addNonce(env *envelope.Envelope, sum uint64) {
	h, _, ok := n.hash(env)
	if !ok || !n.counts(h) {
		return
	}
	for n.all.Used >= n.max && n.bits < maxParts {
		n.halve()
		if !n.counts(h) {
			return
		}
	}
	switch have, known := n.all.Put(h, sum); {
	case !known, have == max(sum, 1), n.suspects[h] != nil:
	case len(n.suspects) == MaxReused:
		n.More = true
	default:
		n.suspects[h] = []Sharing{}
	}
}

// counts reports whether a hash is of the part that is compared in this pass.
func (n *Nonces) counts(h uint64) bool { return h&(1<<n.bits-1) == n.part }

// halve leaves half of the nonces for a later pass.
func (n *Nonces) halve() {
	n.bits++
	n.all.Keep(n.counts)
}

// Confirm makes the passes that are left, and looks at the values that share a nonce.
// Its error is that of ctx.
func (n *Nonces) Confirm(ctx context.Context, evs []*seen.Evidence) error {
	for n.part++; n.part < 1<<n.bits; n.part++ {
		n.all = mem.HashMap{}
		// Where this part is halved, the other half is one of the parts that are new at the end.
		if err := n.pass(ctx, evs, n.addAgain); err != nil {
			return err
		}
	}
	n.all = mem.HashMap{}
	if len(n.suspects) == 0 {
		return nil
	}
	return n.pass(ctx, evs, n.look)
}

func (n *Nonces) pass(ctx context.Context, evs []*seen.Evidence, each func(*seen.Value, *envelope.Envelope)) error {
	for _, ev := range evs {
		err := ev.EachSealed(ctx, func(v *seen.Value) error {
			// As in the sweep, when no other names were known: hashes must be comparable.
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

func (n *Nonces) addAgain(v *seen.Value, env *envelope.Envelope) {
	n.Add(env, v.In.Interest.SealedSum(env))
}

// look keeps a value of which a nonce is suspect.
func (n *Nonces) look(v *seen.Value, env *envelope.Envelope) {
	whole, err := v.In.Keys.Open(v.Value, v.Off) // with the name that its key has
	if err != nil {
		whole = *env
	}
	nonce, dek, _ := n.hash(&whole)
	h, _, _ := n.hash(env)
	n.keep(h, nonce, dek, v, &whole)
	if env.MoreName != nil {
		longest := env.Longest()
		h, _, _ := n.hash(&longest)
		n.keep(h, nonce, dek, v, &whole)
	}
}

// keep keeps a value with the suspects of the hash h. Copies of one write are one value:
// equal bytes, or bytes of the same key and revision, of which one copy is then damaged.
func (n *Nonces) keep(h, nonce uint64, dek bool, v *seen.Value, env *envelope.Envelope) {
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
	n.suspects[h] = append(have, Sharing{
		At:  seen.CopyIn{Copy: &seen.Copy{Key: string(v.Key), Rev: v.Rev, Place: v.Place, File: v.File, Off: v.Off, Size: int64(len(v.Value)), Index: v.Index}, In: v.In},
		Key: string(v.Key), nonce: nonce, value: sum, tail: tailOf(env), body: bodyOf(v, env), Dek: dek, How: v.In.Keys.Storages[v.In.Keys.Intern(*env)],
	})
}

// sameWrite reports whether two values of one key are copies of the same write, one of
// which is damaged: they have the same revision, or where the WAL tells of none, the same
// length and the same tag.
func sameWrite(other *Sharing, v *seen.Value, env *envelope.Envelope) bool {
	if v.Rev.Main > 0 && other.At.Rev.Main > 0 {
		return other.At.Rev == v.Rev
	}
	if other.At.Size != int64(len(v.Value)) {
		return false
	}
	body := bodyOf(v, env)
	return other.tail == tailOf(env) || body != 0 && other.body == body
}

// bodyOf is a hash of a value without its tag. Where all else is equal and the tag is not,
// the tag is damaged: under one nonce equal plaintexts have equal tags. The last block of
// AES-CBC is no tag, and 0 stands for its values.
func bodyOf(v *seen.Value, env *envelope.Envelope) uint64 {
	if env.Provider == envelope.AESCBC || env.Provider == envelope.KMSv1 {
		return 0
	}
	tail := []byte(tailOf(env))
	at := bytes.LastIndex(v.Value, tail)
	if at < 0 {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(v.In.Interest.Seed)
	_, _ = h.Write(v.Value[:at])
	_, _ = h.Write(v.Value[at+len(tail):])
	return max(h.Sum64(), 1)
}

// tailOf is the tag of a value, or the last block of AES-CBC, which depends on all before.
func tailOf(env *envelope.Envelope) string {
	b := env.Payload
	switch {
	case len(env.Object.EncryptedData) > 0:
		b = env.Object.EncryptedData
	case env.Provider == envelope.Secretbox && len(b) >= 40: // the tag goes before the ciphertext
		b = b[:40]
	}
	return string(b[max(0, len(b)-16):])
}

// Shared is the values that share a nonce, by nonce, in no order. What is suspect by the
// first colon of a name may share the rest of the name alone.
func (n *Nonces) Shared() [][]Sharing {
	byNonce := map[uint64][]Sharing{}
	for _, suspects := range n.suspects {
		for _, s := range suspects {
			// The same values may be suspect by two names.
			if !slices.ContainsFunc(byNonce[s.nonce], func(other Sharing) bool { return other.value == s.value && other.Key == s.Key }) {
				byNonce[s.nonce] = append(byNonce[s.nonce], s)
			}
		}
	}
	var all [][]Sharing
	for _, values := range byNonce {
		if len(values) > 1 {
			all = append(all, values)
		}
	}
	return all
}
