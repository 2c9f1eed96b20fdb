package analyzer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A History is all that was seen of one key, the oldest write first.
type History struct {
	Key       Text         `json:"key"`
	Resource  Text         `json:"resource"`
	Namespace Text         `json:"namespace"`
	Name      Text         `json:"name"`
	State     State        `json:"state"`
	Copies    []Occurrence `json:"copies"`
	// Similar is keys that the user may have meant; only where Copies is empty.
	Similar []Text `json:"similar"`
}

// An Occurrence is one place where one write of a key was seen: a value, or the
// deletion of the key. Its place is that of Copy. Revisions are 0 where nothing
// tells them: a raft entry of which the db has no copy any more has its index alone.
type Occurrence struct {
	Copy
	Deletion bool   `json:"deletion"`
	Provider string `json:"provider"` // empty for a deletion
	KeyName  Text   `json:"keyName"`
	KMSKeyID Text   `json:"kmsKeyID,omitempty"`
	Encoding string `json:"encoding"`
	Proof    Proof  `json:"proof,omitempty"` // of an encrypted value, with a configuration
	WALTerm  uint64 `json:"walTerm,omitempty"`
	// Applied says of a raft entry that the db has seen it; Committed that the log says
	// so of it, or the db has it; Refused that it never took effect: another entry took
	// its place in the log, or the condition of its transaction did not hold.
	Applied   bool `json:"applied"`
	Committed bool `json:"committed"`
	Refused   bool `json:"refused"`
	// Reread says that a reachable record has the same revision: this is it once more.
	Reread bool `json:"reread"`
}

// Plaintext reports whether the value was stored as it was.
func (o Occurrence) Plaintext() bool { return !o.Deletion && o.Provider == envelope.Identity.String() }

// LastPlaintext is the newest plaintext copy, nil if there is none.
func (h *History) LastPlaintext() *Occurrence {
	for i := range slices.Backward(h.Copies) {
		if h.Copies[i].Plaintext() {
			return &h.Copies[i]
		}
	}
	return nil
}

// history is what the surveys saw of Options.Key.
func (b *builder) history(surveys []*survey) *History {
	key := string(b.options.Key)
	h := &History{Key: b.options.Key, Copies: []Occurrence{}, Similar: []Text{}, State: StateUnknown}
	var all []placed
	for _, s := range surveys {
		if id := s.identity(key); h.Resource == "" {
			h.Resource, h.Namespace, h.Name = Text(id.GroupResource.String()), Text(id.Namespace), Text(id.Name)
		}
		all = append(all, s.placed()...)
		if e := s.keys.entry(key); e != nil && b.holders.isNewest(s, e) {
			h.State = b.stateOf(s, e)
		}
	}
	slices.SortStableFunc(all, comparePlaced)
	held := h.State != StateUnknown
	for _, p := range all {
		o := p.occurrence()
		if b.options.Encryption != nil && o.Provider != "" && !o.Plaintext() {
			o.Proof = b.prove(p)
		}
		h.Copies = append(h.Copies, o)
		if !held {
			h.State = b.holders.stateOf(p.in, p.sighting) // that of the newest
		}
	}
	if len(h.Copies) == 0 {
		h.Similar = similar(surveys, key)
	}
	return h
}

// prove decrypts one copy.
func (b *builder) prove(p placed) Proof {
	if !p.complete {
		return Unproven
	}
	value, err := p.in.readSighting(p.sighting)
	if err != nil {
		return Unproven
	}
	result, err := proveValue(b.ctx, b.options.Encryption, p.in, p.key, value)
	b.err = cmp.Or(b.err, err)
	return result.Proof()
}

// A placed is a sighting and the revision after which its write was made.
type placed struct {
	seen
	after int64
}

// placed places the sightings of a survey in time: by revision, and raft entries of
// which none is known behind the last entry before them that has one.
func (s *survey) placed() []placed {
	var known []*sighting // in the WAL
	for _, at := range s.sightings.all() {
		if at.index > 0 && at.rev.Main > 0 {
			known = append(known, at)
		}
	}
	slices.SortFunc(known, func(a, b *sighting) int { return cmp.Compare(a.index, b.index) })
	all := make([]placed, s.sightings.len())
	for i, at := range s.sightings.all() {
		all[i] = placed{seen{at, s}, at.rev.Main}
		if at.index == 0 || at.rev.Main > 0 {
			continue
		}
		n, _ := slices.BinarySearchFunc(known, at.index, func(k *sighting, index wal.Index) int { return cmp.Compare(k.index, index) })
		if n > 0 {
			all[i].after = known[n-1].rev.Main
		}
	}
	return all
}

func comparePlaced(a, b placed) int {
	exact := func(p placed) int {
		if p.rev.Main > 0 {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(exact(a), exact(b)), a.rev.Compare(b.rev),
		cmp.Compare(a.index, b.index), cmp.Compare(a.path(), b.path()), cmp.Compare(a.off, b.off))
}

func (p placed) occurrence() Occurrence {
	o := Occurrence{
		Copy: p.copy(), Deletion: p.deletion, WALTerm: uint64(p.term),
		Applied: p.applied, Committed: p.applied || p.index > 0 && p.index <= p.in.commit, Refused: p.replaced, Reread: p.reread,
	}
	if !p.deletion {
		how := p.in.keys.stored[p.stored]
		o.Provider, o.Encoding = how.provider.String(), how.encoding.String()
		o.KeyName, o.KMSKeyID = Text(how.keyName), Text(how.kmsKeyID)
	}
	return o
}

// maxSimilar bounds the keys that are offered in place of one that is not there.
const maxSimilar = 5

// similar is keys that end in what the user gave, such as "payments/db".
func similar(surveys []*survey, key string) []Text {
	end := "/" + strings.Trim(key, "/")
	found := []Text{}
	for _, s := range surveys {
		for _, e := range s.keys.entries.all() {
			if strings.HasSuffix(e.key, end) {
				found = append(found, Text(e.key))
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), maxSimilar)]
}
