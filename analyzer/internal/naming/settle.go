package naming

import (
	"bytes"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// Settle sets Reread of each copy: it finds which residue is a record of the tree once more,
// because copy-on-write leaves old copies of live values all the time: key, revision and bytes are
// the same. Before that it gives the copies in the WAL the revisions that other copies tell.
// Resolve and Attribute come before it.
func Settle(ev *seen.Evidence) {
	if len(ev.Segments) > 0 {
		dateLog(ev)
	}
	type write struct {
		key string
		rev mvcc.Revision
	}
	inTree := map[write]seen.CopyNumber{} // of the writes of which there is residue; 0 if the tree has none
	for _, at := range ev.Copies.All() {
		if at.IsResidue() {
			inTree[write{at.Key, at.Rev}] = 0
		}
	}
	for i, at := range ev.Copies.All() {
		if _, ok := inTree[write{at.Key, at.Rev}]; ok && at.Place == seen.InTree {
			inTree[write{at.Key, at.Rev}] = seen.CopyNumber(i + 1)
		}
	}
	for _, at := range ev.Copies.All() {
		if at.IsResidue() && !at.Owned { // of a piece the bytes have told
			at.Reread = isReread(ev, at, inTree[write{at.Key, at.Rev}])
		}
	}
}

// isReread reports whether residue is a write of the tree once more. number is the copy in the
// tree of the same key and revision, 0 if there is none. Key and revision are not enough: where a
// snapshot was restored, and nobody raised the revision, other values are written at revisions of
// which there is residue.
func isReread(ev *seen.Evidence, at *seen.Copy, number seen.CopyNumber) bool {
	if number != 0 {
		return isSame(ev, at, ev.Copy(number))
	}
	e := ev.EntryOf(at) // whose newest value may be in the WAL alone
	if e == nil || e.Deleted || e.Unknown || e.Rev != at.Rev || at.Deletion {
		return false
	}
	if ev.Keys.Storages[e.Storage].Provider != ev.Keys.Storages[at.Storage].Provider {
		return false
	}
	return isSame(ev, at, &seen.Copy{File: e.File, Off: e.Off, Size: int64(e.Size)})
}

// isSame reports whether residue, which may be cut, has the bytes of the value of another copy.
func isSame(ev *seen.Evidence, at, other *seen.Copy) bool {
	switch {
	case at.Deletion || other.Deletion:
		return at.Deletion == other.Deletion
	case at.Complete && other.Complete:
		return at.Sum == other.Sum
	case at.Size > other.Size || at.Complete && at.Size < other.Size:
		return false
	}
	a, errA := ev.ReadCopy(at)
	start := *other
	start.Size = at.Size
	b, errB := ev.ReadCopy(&start)
	return errA == nil && errB == nil && bytes.Equal(a, b) // AddUnread tells of what could not be read
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
