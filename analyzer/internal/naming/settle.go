package naming

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// Settle sets Reread of each copy: it finds which residue is a record of the tree once more,
// because copy-on-write leaves old copies of live values all the time. Before that it gives the
// copies in the WAL the revisions that other copies tell. Resolve and Attribute come before it.
func Settle(ev *seen.Evidence) {
	if len(ev.Segments) > 0 {
		dateLog(ev)
	}
	type write struct {
		key string
		rev mvcc.Revision
	}
	reachable := map[write]bool{} // of the writes of which there is residue
	for _, at := range ev.Copies.All() {
		if at.IsResidue() {
			reachable[write{at.Key, at.Rev}] = false
		}
	}
	for _, at := range ev.Copies.All() {
		if _, ok := reachable[write{at.Key, at.Rev}]; ok && at.Place == seen.InTree {
			reachable[write{at.Key, at.Rev}] = true
		}
	}
	for _, at := range ev.Copies.All() {
		if at.IsResidue() {
			e := ev.EntryOf(at) // whose newest value may be in the WAL alone
			at.Reread = at.Reread || reachable[write{at.Key, at.Rev}] || e != nil && !e.Deleted && !e.Unknown && e.Rev == at.Rev
		}
	}
}

// dateLog gives the copies in applied raft entries the revisions of the records that these
// became.
func dateLog(ev *seen.Evidence) {
	records := map[string][]int{} // copies outside of the WAL, by key
	for i, at := range ev.Copies.All() {
		if at.Place != seen.InWAL {
			records[at.Key] = append(records[at.Key], i)
		}
	}
	for _, at := range ev.Copies.All() {
		if at.Place == seen.InWAL && at.Applied && !at.Deletion {
			date(ev, at, records[at.Key])
		}
	}
}

// date gives at the revision of the copies with the same bytes, if all of those have the same.
// numbers are those of the copies of its key in ev.Copies.
func date(ev *seen.Evidence, at *seen.Copy, numbers []int) {
	for _, i := range numbers {
		other := ev.Copies.At(i)
		if other.Sum != at.Sum || other.Rev.Main == 0 || !other.Complete || other.Deletion || other.Owned {
			continue
		}
		if at.Rev.Main != 0 && at.Rev != other.Rev {
			at.Rev, at.Create, at.Version = mvcc.Revision{}, 0, 0
			return
		}
		at.Rev, at.Create, at.Version = other.Rev, other.Create, other.Version
	}
}
