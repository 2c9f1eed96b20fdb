// Package history tells of every copy of one key, in the order in which they were written.
package history

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/cluster"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// Of is what all evidence tells of a key. proofs is that of Prove.
func Of(evs []*seen.Evidence, clusters *cluster.Clusters, name report.Text, proofs map[*seen.Copy]report.Proof) report.History {
	key := string(name)
	h := report.History{Key: name, Copies: []report.Occurrence{}, Similar: []report.Text{}, State: report.StateUnknown}
	var all []timedCopy
	for _, ev := range evs {
		if id := ev.Identity(key); h.Resource == "" {
			h.Resource, h.Namespace, h.Name = report.Text(id.GroupResource.String()), report.Text(id.Namespace), report.Text(id.Name)
			h.LogicalCluster = report.Text(id.LogicalCluster)
		}
		all = append(all, timedCopies(ev)...)
		if e := ev.Keys.Entry(key); e != nil && clusters.IsNewest(ev, e) {
			h.State = clusters.StateOf(ev, e)
		}
	}
	slices.SortStableFunc(all, compareTimes)
	known := h.State != report.StateUnknown
	for _, at := range all {
		o := at.occurrence()
		if at.Owned {
			h.AlsoIn = seen.AppendKeys(h.AlsoIn, at.In.AlsoIn[key])
		}
		o.Proof = proofs[at.Copy]
		h.Copies = append(h.Copies, o)
		if !known {
			h.State = clusters.StateOfCopy(at.In, at.Copy) // by the newest copy, which is the last one
		}
	}
	slices.Sort(h.AlsoIn)
	if len(h.Copies) == 0 {
		h.Similar = similar(evs, key)
	}
	return h
}

// Prove decrypts the copies that evs keep, and tells what came of each. Its error is that of ctx, or
// an *encryption.KMSError.
func Prove(ctx context.Context, evs []*seen.Evidence, config *encryption.Config) (map[*seen.Copy]report.Proof, error) {
	proofs := map[*seen.Copy]report.Proof{}
	for _, ev := range evs {
		for _, at := range ev.Copies.All() {
			if at.Deletion || ev.Keys.Storages[at.Storage].Provider == envelope.Identity {
				continue
			}
			proof, err := keys.ProveCopy(ctx, config, ev, at)
			if err != nil {
				return nil, err
			}
			proofs[at] = proof
		}
	}
	return proofs, ctx.Err()
}

// A timedCopy is a copy with its place in time.
type timedCopy struct {
	seen.CopyIn
	after int64 // the main revision of the copy, or the last one before it; 0 if none is known
}

// timedCopies finds the place in time of each copy: by its revision, or for a raft entry without
// one by the last entry before it that has one.
func timedCopies(ev *seen.Evidence) []timedCopy {
	var known []*seen.Copy // in the WAL
	for _, at := range ev.Copies.All() {
		if at.Index > 0 && at.Rev.Main > 0 {
			known = append(known, at)
		}
	}
	slices.SortFunc(known, func(x, y *seen.Copy) int { return cmp.Compare(x.Index, y.Index) })
	all := make([]timedCopy, ev.Copies.Len())
	for i, at := range ev.Copies.All() {
		all[i] = timedCopy{seen.CopyIn{Copy: at, In: ev}, at.Rev.Main}
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

// compareTimes orders copies by time, one that has a revision before those that only follow it, and
// copies of the same time by where they lie.
func compareTimes(x, y timedCopy) int {
	return cmp.Or(cmp.Compare(x.after, y.after), seen.CompareBool(x.Rev.Main <= 0, y.Rev.Main <= 0), x.Rev.Compare(y.Rev),
		cmp.Compare(x.Index, y.Index), cmp.Compare(x.Path(), y.Path()), cmp.Compare(x.Off, y.Off))
}

// occurrence is the copy as a History has it, without its proof.
func (at timedCopy) occurrence() report.Occurrence {
	o := report.Occurrence{
		Copy: at.Reported(), Deletion: at.Deletion, WALTerm: uint64(at.Term),
		Applied: at.Applied, Committed: at.Applied || at.Index > 0 && at.Index <= at.In.Commit, Refused: at.Void, Reread: at.Reread,
	}
	if !at.Deletion {
		how := at.In.Keys.Storages[at.Storage]
		o.Provider, o.Encoding = how.Reported(), report.Encoding(how.Encoding.String())
		o.KeyName, o.KMSKeyID = report.Text(how.KeyName), report.Text(how.KMSKeyID)
	}
	return o
}

// maxSimilar bounds the keys that are offered in place of one that is not there.
const maxSimilar = 5

// similar lists keys that end in what the user gave, such as "payments/db".
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
