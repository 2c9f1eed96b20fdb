package sweep

import (
	"cmp"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// maxScans bounds the deletions of ranges that are replayed, each of which looks at
// every key. The API server deletes single keys.
const maxScans = 1000

// A write is an operation of a raft entry that may not be in the db yet, without
// the bytes of its value. In a list of them those of the branches of a transaction follow it.
type write struct {
	kind     wal.OpKind
	key, end string
	lease    int64
	value    seen.Entry // of a put: where its value lies, and what it is stored as
	err      error      // what is wrong with that value
	copy     int        // number of the copy that was kept of it, -1 if none was
	keepOld  bool       // of a put: it keeps the value that there is

	compare          []compare
	success, failure int // of a transaction: how many writes each branch has
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
	ev       *seen.Evidence
	revision int64 // main revision of the last write
	blind    bool  // what came before is not known, so no comparison can fail for sure
	leases   map[int64][]seen.EntryID
	scans    int
	sure     wal.Index // up to which index the log says that all is committed, at its end
}

func newReplay(ev *seen.Evidence) *replay {
	r := &replay{ev: ev, revision: ev.DB.Revision, blind: ev.IsBlind(), leases: map[int64][]seen.EntryID{}, sure: anyIndex}
	for id, e := range ev.Keys.All() {
		if e.Lease != 0 {
			r.leases[e.Lease] = append(r.leases[e.Lease], id)
		}
	}
	return r
}

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
	for len(ops) > 0 {
		op, did := &ops[0], false
		success, rest := ops[1:1+op.success], ops[1+op.success:]
		failure, rest := rest[:op.failure], rest[op.failure:]
		switch op.kind {
		case wal.OpPut:
			did = r.put(*rev, index, op)
		case wal.OpDelete:
			did = r.remove(*rev, index, r.matching(op.key, op.end))
		case wal.OpLeaseRevoke:
			did = r.remove(*rev, index, r.leases[op.lease])
		case wal.OpTxn:
			branch, other := success, failure
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
		ops = rest
	}
	return changed
}

// refuse notes that the puts of a branch never happened.
func (r *replay) refuse(ops []write) {
	for i := range ops {
		if n := ops[i].copy; n >= 0 && !r.blind {
			r.ev.Copies.At(n).Replaced = true
		}
	}
}

func (r *replay) put(rev mvcc.Revision, index wal.Index, op *write) bool {
	id := r.ev.Keys.Find([]byte(op.key))
	known := id != 0
	if !known {
		id = r.ev.Keys.Insert([]byte(op.key))
	}
	old := *r.ev.Keys.At(id)
	r.keepBefore(id, index)
	if op.keepOld && (!known || old.Deleted) {
		return false // etcd refuses it
	}
	to := op.value
	if op.keepOld {
		to = old
	}
	to.Rev, to.Create, to.Version, to.Index, to.Deleted = rev, rev.Main, 1, index, false
	if known && !old.Deleted && !(r.blind && old.Index == 0) {
		to.Create, to.Version = old.Create, old.Version+1
	}
	to.Lease = op.lease
	r.ev.Keys.Set(id, to, op.err)
	if op.lease != 0 {
		r.leases[op.lease] = append(r.leases[op.lease], id)
	}
	if op.copy >= 0 {
		at := r.ev.Copies.At(op.copy)
		at.Rev, at.Create, at.Version = mvcc.Revision{Main: rev.Main, Sub: rev.Sub}, to.Create, to.Version
		if r.blind {
			at.Rev, at.Create, at.Version = mvcc.Revision{}, 0, 0
		}
	}
	return true
}

// keepBefore notes how the value was stored that a write replaces of which the log does
// not say that it is committed: it may never take effect, and of several such writes any
// may turn out to be the last.
func (r *replay) keepBefore(id seen.EntryID, index wal.Index) {
	e := r.ev.Keys.At(id)
	if index <= r.sure || e.Deleted || e.Rev == (mvcc.Revision{}) || slices.Contains(r.ev.Before[id], e.Storage) {
		return
	}
	r.ev.Before[id] = append(r.ev.Before[id], e.Storage)
}

// remove deletes the keys of those entries.
func (r *replay) remove(rev mvcc.Revision, index wal.Index, entries []seen.EntryID) (changed bool) {
	for _, id := range entries {
		e := r.ev.Keys.At(id)
		if e.Deleted {
			continue
		}
		r.keepBefore(id, index)
		r.ev.Keys.Set(id, seen.Entry{Rev: rev, Index: index, Deleted: true}, nil)
		changed = true
	}
	return changed
}

// matching is the entries of the keys from key up to end: key alone if end is
// empty, all behind it if end is a zero byte. A key that is deleted without having
// been seen before is known from then on.
func (r *replay) matching(key, end string) []seen.EntryID {
	if end == "" {
		id := r.ev.Keys.Find([]byte(key))
		if id == 0 && r.blind {
			id = r.ev.Keys.Insert([]byte(key))
		}
		if id == 0 {
			return nil
		}
		return []seen.EntryID{id}
	}
	if r.scans++; r.scans > maxScans {
		return nil
	}
	var found []seen.EntryID
	for id, e := range r.ev.Keys.All() {
		if inRange(e.Key, key, end) {
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
			if e := r.ev.Keys.At(id); !e.Deleted && !r.compare(c, e) {
				return false
			}
		}
		return true
	}
	e := r.ev.Keys.Entry(c.key)
	if e == nil || e.Deleted {
		if c.Target == wal.CompareValue {
			return false // nil can not be compared with anything
		}
		e = &seen.Entry{}
	}
	return r.compare(c, e)
}

func (r *replay) compare(c compare, e *seen.Entry) bool {
	order := 0
	switch c.Target {
	case wal.CompareVersion:
		order = cmp.Compare(e.Version, c.Number)
	case wal.CompareCreate:
		order = cmp.Compare(e.Create, c.Number)
	case wal.CompareMod:
		order = cmp.Compare(e.Rev.Main, c.Number)
	case wal.CompareLease:
		order = cmp.Compare(e.Lease, c.Number)
	case wal.CompareValue:
		value, _ := r.ev.Read(e) // the disk tells (addUnread) if that fails
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
