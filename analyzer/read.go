package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/internal/sweep"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// examine reads all sources, and tells progress how far it is. The db and the WAL of one
// member are one evidence.
func examine(ctx context.Context, sources []evidence.Source, w *seen.Interest, progress sweep.Progress) ([]*seen.Evidence, error) {
	var evs []*seen.Evidence
	logs := map[string][]evidence.Source{} // by member
	var members []string                   // of logs, in the order of the sources
	for i, source := range sources {
		if source.IsLog() {
			member := cmp.Or(source.Member, fmt.Sprintf("source %d", i))
			if logs[member] == nil {
				members = append(members, member)
			}
			logs[member] = append(logs[member], source)
			continue
		}
		ev := seen.New(source, w)
		evs = append(evs, ev)
		var err error
		if source.IsSearched() {
			err = sweep.Search(ctx, ev, progress)
		} else {
			err = sweep.DB(ctx, ev, progress)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ev.Title(), err)
		}
	}
	for _, member := range members {
		ev := holderOf(member, logs[member], evs)
		if ev == nil {
			ev = seen.New(evidence.Source{Path: logs[member][0].Path}, w)
			evs = append(evs, ev)
		}
		if err := sweep.WAL(ctx, ev, logs[member], progress); err != nil {
			return nil, fmt.Errorf("%s: %w", ev.Title(), err)
		}
	}
	return evs, nil
}

// holderOf finds the evidence of the db that a log belongs to: the one beside it, or the latest
// whose etcd has the member that wrote the log.
func holderOf(member string, log []evidence.Source, evs []*seen.Evidence) *seen.Evidence {
	var holder *seen.Evidence
	id, known := writerOf(log)
	for _, ev := range evs {
		if !ev.HasValues() {
			continue
		}
		members := ev.Members()
		foreign := known && len(members) > 0 && !slices.Contains(members, id)
		if ev.Member == member && ev.Member != "" && !foreign {
			return ev
		}
		if known && slices.Contains(members, id) && log[0].What == "" &&
			(holder == nil || ev.DB.Revision > holder.DB.Revision) && len(ev.Segments) == 0 {
			holder = ev
		}
	}
	return holder
}

// writerOf is the member that wrote a log, by the first metadata in it.
func writerOf(log []evidence.Source) (id mvcc.MemberID, known bool) {
	for _, source := range log {
		for r, err := range wal.Read(source.Data(), min(source.Size, 64<<10), nil, nil) {
			if err == nil && r.Kind == wal.KindMetadata {
				return mvcc.MemberID(r.Metadata.NodeID), true
			}
		}
	}
	return 0, false
}
