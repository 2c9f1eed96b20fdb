package naming

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// dateLog gives raft entries the revisions of the records that they became.
func dateLog(ev *seen.Evidence) {
	byKey := map[string][]int{}
	for i, at := range ev.Copies.All() {
		if at.Place != seen.InWAL {
			byKey[at.Key] = append(byKey[at.Key], i)
		}
	}
	for _, at := range ev.Copies.All() {
		if at.Place == seen.InWAL && at.Applied && !at.Deletion {
			date(ev, at, byKey[at.Key])
		}
	}
}

// Settle finds which residue is a reachable record once more: copy-on-write leaves old copies
// of live values all the time.
func Settle(ev *seen.Evidence) {
	if len(ev.Segments) > 0 {
		dateLog(ev)
	}
	type write struct {
		key string
		rev mvcc.Revision
	}
	reachable := map[write]bool{} // of the writes that residue has
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
