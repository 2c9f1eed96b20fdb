package analyzer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// maxScans bounds the deletions of ranges that are replayed, each of which looks at
// every key. The API server deletes single keys.
const maxScans = 1000

// A write is an operation of a raft entry that may not be in the db yet, without
// the bytes of its value.
type write struct {
	kind     wal.OpKind
	key, end string
	lease    int64
	value    entry // of a put: where its value lies, and what it is stored as
	err      error // what is wrong with that value
	sighting int   // index in survey.sightings, -1 if it is not watched
	keepOld  bool  // of a put: it keeps the value that there is

	compare          []compare
	success, failure []write
}

// A compare is the condition of a transaction.
type compare struct {
	wal.Compare
	key, end string
	value    []byte
}

// A replay applies raft entries to the keys of a db as etcd would do on its next
// start: what was written last is in the WAL alone.
type replay struct {
	*survey
	revision int64 // main revision of the last write
	blind    bool  // what came before is not known, so no comparison can fail for sure
	leases   map[int64][]entryID
	scans    int
	sure     wal.Index // up to which index the log says that all is committed, at its end
}

func newReplay(s *survey) *replay {
	r := &replay{survey: s, revision: s.db.Revision, blind: s.isBlind(), leases: map[int64][]entryID{}, sure: anyIndex}
	for id, e := range s.keys.all() {
		if e.lease != 0 {
			r.leases[e.lease] = append(r.leases[e.lease], id)
		}
	}
	return r
}

// isBlind reports whether nobody knows what the log comes after: there is no db, or it
// does not tell any more which entries it has.
func (s *survey) isBlind() bool { return s.File == nil || s.lost && s.etcd.ConsistentIndex == 0 }

// apply applies the operations of the entry of that index.
func (r *replay) apply(index wal.Index, ops []write) {
	rev := mvcc.Revision{Main: r.revision + 1}
	if r.blind {
		// Without a db no revision is known. The index orders the writes as well, and
		// none of them comes after a write whose revision is known.
		rev = mvcc.Revision{Sub: int64(index)}
	}
	if r.applyAll(&rev, index, ops) && !r.blind {
		r.revision++
	}
}

// applyAll applies the operations in order, and reports whether anything changed.
func (r *replay) applyAll(rev *mvcc.Revision, index wal.Index, ops []write) (changed bool) {
	for i := range ops {
		op := &ops[i]
		did := false
		switch op.kind {
		case wal.OpPut:
			did = r.put(*rev, index, op)
		case wal.OpDelete:
			did = r.remove(*rev, index, r.matching(op.key, op.end))
		case wal.OpLeaseRevoke:
			did = r.remove(*rev, index, r.leases[op.lease])
		case wal.OpTxn:
			branch, other := op.success, op.failure
			if !r.holds(op.compare) {
				branch, other = other, branch
			}
			r.refuse(other)
			did = r.applyAll(rev, index, branch)
		}
		if did && !r.blind && op.kind != wal.OpTxn {
			rev.Sub++
		}
		changed = changed || did
	}
	return changed
}

// refuse notes that the puts of a branch never happened.
func (r *replay) refuse(ops []write) {
	for i := range ops {
		if n := ops[i].sighting; n >= 0 && !r.blind {
			r.sightings.at(n).replaced = true
		}
		r.refuse(ops[i].success)
		r.refuse(ops[i].failure)
	}
}

func (r *replay) put(rev mvcc.Revision, index wal.Index, op *write) bool {
	id := r.keys.find([]byte(op.key))
	known := id != 0
	if !known {
		id = r.keys.insert([]byte(op.key))
	}
	old := *r.keys.at(id)
	r.keepBefore(id, index)
	if op.keepOld && (!known || old.deleted) {
		return false // etcd refuses it
	}
	to := op.value
	if op.keepOld {
		to = old
	}
	to.rev, to.create, to.version, to.index, to.deleted = rev, rev.Main, 1, index, false
	if known && !old.deleted && !(r.blind && old.index == 0) {
		to.create, to.version = old.create, old.version+1
	}
	to.lease = op.lease
	r.keys.set(id, to, op.err)
	if op.lease != 0 {
		r.leases[op.lease] = append(r.leases[op.lease], id)
	}
	if op.sighting >= 0 {
		at := r.sightings.at(op.sighting)
		at.rev, at.create, at.version = mvcc.Revision{Main: rev.Main, Sub: rev.Sub}, to.create, to.version
		if r.blind {
			at.rev, at.create, at.version = mvcc.Revision{}, 0, 0
		}
	}
	return true
}

// keepBefore notes how the value was stored that a write replaces of which the log does
// not say that it is committed: it may never take effect, and of several such writes any
// may turn out to be the last.
func (r *replay) keepBefore(id entryID, index wal.Index) {
	e := r.keys.at(id)
	if index <= r.sure || e.deleted || e.rev == (mvcc.Revision{}) || slices.Contains(r.before[id], e.stored) {
		return
	}
	r.before[id] = append(r.before[id], e.stored)
}

// remove deletes the keys of those entries.
func (r *replay) remove(rev mvcc.Revision, index wal.Index, entries []entryID) (changed bool) {
	for _, id := range entries {
		e := r.keys.at(id)
		if e.deleted {
			continue
		}
		r.keepBefore(id, index)
		r.keys.set(id, entry{rev: rev, index: index, deleted: true}, nil)
		changed = true
	}
	return changed
}

// matching is the entries of the keys from key up to end: key alone if end is
// empty, all behind it if end is a zero byte. A key that is deleted without having
// been seen before is known from then on.
func (r *replay) matching(key, end string) []entryID {
	if end == "" {
		id := r.keys.find([]byte(key))
		if id == 0 && r.blind {
			id = r.keys.insert([]byte(key))
		}
		if id == 0 {
			return nil
		}
		return []entryID{id}
	}
	if r.scans++; r.scans > maxScans {
		return nil
	}
	var found []entryID
	for id, e := range r.keys.all() {
		if inRange(e.key, key, end) {
			found = append(found, id)
		}
	}
	return found
}

// inRange reports whether etcd takes k for one of the keys from key to end.
func inRange(k, key, end string) bool {
	return k == key || end != "" && k >= key && (end == "\x00" || k < end)
}

// holds reports whether all conditions of a transaction hold.
func (r *replay) holds(conditions []compare) bool {
	return r.blind || !slices.ContainsFunc(conditions, func(c compare) bool { return !r.holdsOne(c) })
}

// holdsOne reports whether one condition holds. Over a range it must hold for each
// key; over a single key that does not exist, all numbers are 0.
//
// Source: applyCompare in go.etcd.io/etcd/server/v3/etcdserver/txn/txn.go.
func (r *replay) holdsOne(c compare) bool {
	if c.end != "" {
		for _, id := range r.matching(c.key, c.end) {
			if e := r.keys.at(id); !e.deleted && !r.compare(c, e) {
				return false
			}
		}
		return true
	}
	e := r.keys.entry(c.key)
	if e == nil || e.deleted {
		if c.Target == wal.CompareValue {
			return false // nil can not be compared with anything
		}
		e = &entry{}
	}
	return r.compare(c, e)
}

func (r *replay) compare(c compare, e *entry) bool {
	order := 0
	switch c.Target {
	case wal.CompareVersion:
		order = cmp.Compare(e.version, c.Number)
	case wal.CompareCreate:
		order = cmp.Compare(e.create, c.Number)
	case wal.CompareMod:
		order = cmp.Compare(e.rev.Main, c.Number)
	case wal.CompareLease:
		order = cmp.Compare(e.lease, c.Number)
	case wal.CompareValue:
		value, _ := r.read(e) // the disk tells (addUnread) if that fails
		order = strings.Compare(string(value), string(c.value))
	}
	switch c.Result {
	case wal.Equal:
		return order == 0
	case wal.NotEqual:
		return order != 0
	case wal.Greater:
		return order > 0
	case wal.Less:
		return order < 0
	}
	return true
}
