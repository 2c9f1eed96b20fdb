package judge

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// history is what the surveys saw of Options.Key.
func (b *Judge) history(evs []*seen.Evidence) *report.History {
	key := string(b.question.Key)
	h := &report.History{Key: b.question.Key, Copies: []report.Occurrence{}, Similar: []report.Text{}, State: report.StateUnknown}
	var all []placed
	for _, ev := range evs {
		if id := ev.Identity(key); h.Resource == "" {
			h.Resource, h.Namespace, h.Name = report.Text(id.GroupResource.String()), report.Text(id.Namespace), report.Text(id.Name)
		}
		all = append(all, placedCopies(ev)...)
		if e := ev.Keys.Entry(key); e != nil && b.holders.isNewest(ev, e) {
			h.State = b.stateOf(ev, e)
		}
	}
	slices.SortStableFunc(all, comparePlaced)
	held := h.State != report.StateUnknown
	for _, p := range all {
		o := p.occurrence()
		o.Proof = b.copyProofs[p.Copy]
		h.Copies = append(h.Copies, o)
		if !held {
			h.State = b.holders.stateOf(p.In, p.Copy) // that of the newest
		}
	}
	if len(h.Copies) == 0 {
		h.Similar = similar(evs, key)
	}
	return h
}

// ProveCopies decrypts the copies of Options.Key, and notes what came of each. Its error is
// that of ctx, or an *encryption.KMSError.
func (b *Judge) ProveCopies(ctx context.Context) error {
	if b.question.Encryption == nil || b.question.Key == "" {
		return nil
	}
	b.copyProofs = map[*seen.Copy]report.Proof{}
	for _, ev := range b.surveys {
		for _, at := range ev.Copies.All() {
			if at.Deletion || ev.Keys.Storages[at.Storage].Provider == envelope.Identity {
				continue
			}
			proof, err := keys.ProveCopy(ctx, b.question.Encryption, ev, at)
			if err != nil {
				return err
			}
			b.copyProofs[at] = proof
		}
	}
	return ctx.Err()
}

// A placed is a sighting and the revision after which its write was made.
type placed struct {
	seen.CopyIn
	after int64
}

// placedCopies places the sightings of a survey in time: by revision, and raft entries of
// which none is known behind the last entry before them that has one.
func placedCopies(ev *seen.Evidence) []placed {
	var known []*seen.Copy // in the WAL
	for _, at := range ev.Copies.All() {
		if at.Index > 0 && at.Rev.Main > 0 {
			known = append(known, at)
		}
	}
	slices.SortFunc(known, func(a, b *seen.Copy) int { return cmp.Compare(a.Index, b.Index) })
	all := make([]placed, ev.Copies.Len())
	for i, at := range ev.Copies.All() {
		all[i] = placed{seen.CopyIn{Copy: at, In: ev}, at.Rev.Main}
		if at.Index == 0 || at.Rev.Main > 0 {
			continue
		}
		n, _ := slices.BinarySearchFunc(known, at.Index, func(k *seen.Copy, index wal.Index) int { return cmp.Compare(k.Index, index) })
		if n > 0 {
			all[i].after = known[n-1].Rev.Main
		}
	}
	return all
}

func comparePlaced(a, b placed) int {
	exact := func(p placed) int {
		if p.Rev.Main > 0 {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(exact(a), exact(b)), a.Rev.Compare(b.Rev),
		cmp.Compare(a.Index, b.Index), cmp.Compare(a.Path(), b.Path()), cmp.Compare(a.Off, b.Off))
}

func (p placed) occurrence() report.Occurrence {
	o := report.Occurrence{
		Copy: p.Reported(), Deletion: p.Deletion, WALTerm: uint64(p.Term),
		Applied: p.Applied, Committed: p.Applied || p.Index > 0 && p.Index <= p.In.Commit, Refused: p.Replaced, Reread: p.Reread,
	}
	if !p.Deletion {
		how := p.In.Keys.Storages[p.Storage]
		o.Provider, o.Encoding = how.Reported(), report.Encoding(how.Encoding.String())
		o.KeyName, o.KMSKeyID = report.Text(how.KeyName), report.Text(how.KmsKeyID)
	}
	return o
}

// maxSimilar bounds the keys that are offered in place of one that is not there.
const maxSimilar = 5

// similar is keys that end in what the user gave, such as "payments/db".
func similar(evs []*seen.Evidence, key string) []report.Text {
	end := "/" + strings.Trim(key, "/")
	found := []report.Text{}
	for _, ev := range evs {
		for _, e := range ev.Keys.Entries.All() {
			if strings.HasSuffix(e.Key, end) {
				found = append(found, report.Text(e.Key))
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), maxSimilar)]
}
