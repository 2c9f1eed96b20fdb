package analyzer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// maxNonces bounds the nonces that are compared at once: 16 bytes each, 32 MiB with the
// room that a table needs. With more than that, a part of them is compared in each of
// several passes over the values.
const maxNonces = 1 << 20

// maxParts bounds the passes: two to the power of it. Beyond, the table grows.
const maxParts = 12

// maxReused bounds the nonces that are looked at, and maxSharing the values of each.
const (
	maxReused  = 1 << 14
	maxSharing = 16
)

// nonces finds two different values with the same nonce under the same key, among all
// values of a run. It keeps hashes, and looks at the values themselves once more where
// two hashes agree and two others do not.
type nonces struct {
	seed maphash.Seed
	all  table // from the hash of a key and a nonce to that of the value
	// Of the hashes only those count that end in the bits of part.
	bits uint
	part uint64
	max  int // of hashes in all

	suspects map[uint64][]sharing
	more     bool // there were more than maxReused
}

// A sharing is a value whose nonce another value has too.
type sharing struct {
	at    seen
	key   string
	nonce uint64 // hash of the nonce where the whole name of its key is known
	value uint64 // hash
	tail  string // what authenticates it, or depends on all of it
	body  uint64 // hash of all but the tail; 0 for AES-CBC
	dek   bool   // the nonce belongs to a data encryption key
	how   stored
}

func newNonces(most int) *nonces {
	return &nonces{seed: maphash.MakeSeed(), max: most, suspects: map[uint64][]sharing{}}
}

// hash is of what must not occur twice.
func (n *nonces) hash(env *envelope.Envelope) (h uint64, dek, ok bool) {
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

// add takes a value that is whole. sum is the hash of its bytes. Where its key may have a
// longer name, it has a nonce for the shortest and one for the longest: if a name between
// them is right, equal nonces make the bytes behind the shortest alike, too.
func (n *nonces) add(env *envelope.Envelope, sum uint64) {
	n.addNonce(env, sum)
	if env.MoreName != nil {
		longest := env.Longest()
		n.addNonce(&longest, sum)
	}
}

func (n *nonces) addNonce(env *envelope.Envelope, sum uint64) {
	h, _, ok := n.hash(env)
	if !ok || !n.counts(h) {
		return
	}
	for n.all.used >= n.max && n.bits < maxParts {
		n.halve()
		if !n.counts(h) {
			return
		}
	}
	switch have, known := n.all.put(h, sum); {
	case !known, have == max(sum, 1), n.suspects[h] != nil:
	case len(n.suspects) == maxReused:
		n.more = true
	default:
		n.suspects[h] = []sharing{}
	}
}

// counts reports whether a hash is of the part that is compared in this pass.
func (n *nonces) counts(h uint64) bool { return h&(1<<n.bits-1) == n.part }

// halve leaves half of the nonces for a later pass.
func (n *nonces) halve() {
	n.bits++
	n.all.keep(n.counts)
}

// confirm makes the passes that are left, and looks at the values that share a nonce.
// Its error is that of ctx.
func (n *nonces) confirm(ctx context.Context, surveys []*survey) error {
	for n.part++; n.part < 1<<n.bits; n.part++ {
		n.all = table{}
		// Where this part is halved, the other half is one of the parts that are new at the end.
		if err := n.pass(ctx, surveys, n.addAgain); err != nil {
			return err
		}
	}
	n.all = table{}
	if len(n.suspects) == 0 {
		return nil
	}
	return n.pass(ctx, surveys, n.look)
}

func (n *nonces) pass(ctx context.Context, surveys []*survey, each func(*held, *envelope.Envelope)) error {
	for _, s := range surveys {
		err := s.sealed(ctx, func(v *held) error {
			// As in the sweep, when no other names were known: hashes must be comparable.
			env, err := envelope.ParseNamed(v.value, v.off, s.watch.names[:s.watch.configured])
			if err == nil && v.whole {
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

func (n *nonces) addAgain(v *held, env *envelope.Envelope) {
	n.add(env, v.in.watch.sealedSum(env))
}

// look keeps a value of which a nonce is suspect.
func (n *nonces) look(v *held, env *envelope.Envelope) {
	whole, err := v.in.keys.open(v.value, v.off) // with the name that its key has
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
func (n *nonces) keep(h, nonce uint64, dek bool, v *held, env *envelope.Envelope) {
	have, suspect := n.suspects[h]
	if !suspect || len(have) == maxSharing {
		return
	}
	sum := v.in.watch.sum(v.value)
	for _, other := range have {
		if other.value == sum || other.key == string(v.key) && sameWrite(&other, v, env) {
			return
		}
	}
	n.suspects[h] = append(have, sharing{
		at:  seen{&sighting{key: string(v.key), rev: v.rev, place: v.place, file: v.file, off: v.off, size: int64(len(v.value)), index: v.index}, v.in},
		key: string(v.key), nonce: nonce, value: sum, tail: tailOf(env), body: bodyOf(v, env), dek: dek, how: v.in.keys.stored[v.in.keys.intern(*env)],
	})
}

// sameWrite reports whether two values of one key are copies of the same write, one of
// which is damaged: they have the same revision, or where the WAL tells of none, the same
// length and the same tag.
func sameWrite(other *sharing, v *held, env *envelope.Envelope) bool {
	if v.rev.Main > 0 && other.at.rev.Main > 0 {
		return other.at.rev == v.rev
	}
	if other.at.size != int64(len(v.value)) {
		return false
	}
	body := bodyOf(v, env)
	return other.tail == tailOf(env) || body != 0 && other.body == body
}

// bodyOf is a hash of a value without its tag. Where all else is equal and the tag is not,
// the tag is damaged: under one nonce equal plaintexts have equal tags. The last block of
// AES-CBC is no tag, and 0 stands for its values.
func bodyOf(v *held, env *envelope.Envelope) uint64 {
	if env.Provider == envelope.AESCBC || env.Provider == envelope.KMSv1 {
		return 0
	}
	tail := []byte(tailOf(env))
	at := bytes.LastIndex(v.value, tail)
	if at < 0 {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(v.in.watch.seed)
	_, _ = h.Write(v.value[:at])
	_, _ = h.Write(v.value[at+len(tail):])
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

// addNonceFindings reports the nonces that two different values share.
func (b *builder) addNonceFindings(n *nonces) {
	for _, shared := range n.shared() {
		slices.SortFunc(shared, func(x, y sharing) int {
			return cmp.Or(cmp.Compare(x.key, y.key), compareSeen(x.at, y.at))
		})
		first := &shared[0]
		f := objectFinding(report.RuleNonceReuse, first.at.in.identity(first.key), first.key)
		for i := range shared {
			at := shared[i].at.location()
			if i > 0 {
				at.Key = report.Text(shared[i].key)
			}
			f.At = append(f.At, at)
		}
		f.Message = nonceMessage(&f, first)
		b.find(f)
	}
	if n.more {
		b.report.Coverage.NotExamined = append(b.report.Coverage.NotExamined,
			report.NotExamined{What: fmt.Sprintf("the nonces of more than %d pairs of values, which may be the same", maxReused)})
	}
}

// shared is the values that share a nonce, by nonce, in no order. What is suspect by the
// first colon of a name may share the rest of the name alone.
func (n *nonces) shared() [][]sharing {
	byNonce := map[uint64][]sharing{}
	for _, suspects := range n.suspects {
		for _, s := range suspects {
			// The same values may be suspect by two names.
			if !slices.ContainsFunc(byNonce[s.nonce], func(other sharing) bool { return other.value == s.value && other.key == s.key }) {
				byNonce[s.nonce] = append(byNonce[s.nonce], s)
			}
		}
	}
	var all [][]sharing
	for _, values := range byNonce {
		if len(values) > 1 {
			all = append(all, values)
		}
	}
	return all
}
