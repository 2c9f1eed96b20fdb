package analyzer

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// holderOf finds the survey of the db that a log belongs to: the one that lies
// beside it, or the latest whose etcd has the member that wrote the log.
func holderOf(member string, log []evidence.Source, evs []*seen.Evidence) *seen.Evidence {
	var holder *seen.Evidence
	id, known := writerOf(log)
	for _, ev := range evs {
		if ev.Kind == report.KindOther || ev.What != "" {
			continue
		}
		members := seen.MembersOf(ev)
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
		for r, err := range wal.Read(source.File, min(source.Size, 64<<10), nil, nil) {
			if err == nil && r.Kind == wal.KindMetadata {
				return mvcc.MemberID(r.Metadata.NodeID), true
			}
		}
	}
	return 0, false
}
