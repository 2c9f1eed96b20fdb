package analyzer

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// history is what the surveys saw of Options.Key.
func (b *builder) history(surveys []*survey) *report.History {
	key := string(b.question.Key)
	h := &report.History{Key: b.question.Key, Copies: []report.Occurrence{}, Similar: []report.Text{}, State: report.StateUnknown}
	var all []placed
	for _, s := range surveys {
		if id := s.identity(key); h.Resource == "" {
			h.Resource, h.Namespace, h.Name = report.Text(id.GroupResource.String()), report.Text(id.Namespace), report.Text(id.Name)
		}
		all = append(all, s.placed()...)
		if e := s.keys.entry(key); e != nil && b.holders.isNewest(s, e) {
			h.State = b.stateOf(s, e)
		}
	}
	slices.SortStableFunc(all, comparePlaced)
	held := h.State != report.StateUnknown
	for _, p := range all {
		o := p.occurrence()
		o.Proof = b.copyProofs[p.sighting]
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

// proveCopies decrypts the copies of Options.Key, and notes what came of each. Its error is
// that of ctx, or an *encryption.KMSError.
func (b *builder) proveCopies(ctx context.Context) error {
	if b.question.Encryption == nil || b.question.Key == "" {
		return nil
	}
	b.copyProofs = map[*sighting]report.Proof{}
	for _, s := range b.surveys {
		for _, at := range s.sightings.all() {
			if at.deletion || s.keys.stored[at.stored].provider == envelope.Identity {
				continue
			}
			proof, err := proveCopy(ctx, b.question.Encryption, s, at)
			if err != nil {
				return err
			}
			b.copyProofs[at] = proof
		}
	}
	return ctx.Err()
}

// proveCopy decrypts one copy. A key opens whole values only.
func proveCopy(ctx context.Context, config *encryption.Config, s *survey, at *sighting) (report.Proof, error) {
	if !at.complete {
		return report.Unproven, nil
	}
	value, err := s.readSighting(at)
	if err != nil {
		return report.Unproven, nil // the disk tells (addUnread)
	}
	result, err := proveValue(ctx, config, s, at.key, value)
	return result.Proof(), err
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

func (p placed) occurrence() report.Occurrence {
	o := report.Occurrence{
		Copy: p.copy(), Deletion: p.deletion, WALTerm: uint64(p.term),
		Applied: p.applied, Committed: p.applied || p.index > 0 && p.index <= p.in.commit, Refused: p.replaced, Reread: p.reread,
	}
	if !p.deletion {
		how := p.in.keys.stored[p.stored]
		o.Provider, o.Encoding = how.reported(), report.Encoding(how.encoding.String())
		o.KeyName, o.KMSKeyID = report.Text(how.keyName), report.Text(how.kmsKeyID)
	}
	return o
}

// maxSimilar bounds the keys that are offered in place of one that is not there.
const maxSimilar = 5

// similar is keys that end in what the user gave, such as "payments/db".
func similar(surveys []*survey, key string) []report.Text {
	end := "/" + strings.Trim(key, "/")
	found := []report.Text{}
	for _, s := range surveys {
		for _, e := range s.keys.entries.all() {
			if strings.HasSuffix(e.key, end) {
				found = append(found, report.Text(e.key))
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), maxSimilar)]
}
