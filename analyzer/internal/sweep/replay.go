package sweep

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A replay applies raft entries to the keyspace of a db as etcd would do on its next start,
// because what was written last is in the WAL alone.
type replay struct {
	ev       *seen.Evidence
	revision int64                    // main revision of the last write
	blind    bool                     // what came before is not known, not even the revision
	lost     bool                     // entries are lost: the revision is at least so high
	leases   map[int64][]seen.EntryID // the keys that a lease was given to, maybe more than once; some may have lost it
	ended    map[int64]bool           // leases that the log says have ended: etcd refuses puts under them
	scans    int                      // see maxScans
	sure     wal.Index                // up to it the log says that all is committed; anyIndex until its end is read
}

// A write is an operation of a raft entry that the db may not have yet, without the bytes of
// its value. In a list of them the writes of the branches of a transaction follow it.
type write struct {
	kind     wal.OpKind
	key, end string // of a put or a deletion
	lease    int64  // of a put, and of a lease that is granted or ends

	// Of a put.
	value     seen.Entry      // where its value lies, and how it is stored
	err       error           // what is wrong with that value
	copy      seen.CopyNumber // of it; 0 if none is kept
	keepOld   bool            // it leaves the value that there is
	keepLease bool            // it leaves the lease that there is

	// Of a transaction.
	conditions       []condition
	success, failure int // how many writes each branch has
}

// A condition is a wal.Compare that aliases nothing.
type condition struct {
	target   wal.CompareTarget
	result   wal.CompareResult
	key, end string
	number   int64  // of all targets but wal.CompareValue
	value    []byte // of wal.CompareValue
}

func newCondition(c *wal.Compare) condition {
	return condition{c.Target, c.Result, string(c.Key), string(c.RangeEnd), c.Number, slices.Clone(c.Value)}
}

func newReplay(ev *seen.Evidence) *replay {
	r := &replay{ev: ev, revision: ev.DB.Revision, blind: ev.IsBlind(), leases: map[int64][]seen.EntryID{}, ended: map[int64]bool{}, sure: anyIndex}
	for id, e := range ev.Keys.All() {
		if e.Lease != 0 {
			r.leases[e.Lease] = append(r.leases[e.Lease], id)
		}
	}
	return r
}

// apply applies the writes of the entry at index.
func (r *replay) apply(index wal.Index, ops []write) {
	rev := mvcc.Revision{Main: r.revision + 1}
	if r.blind {
		// No revision is known. The index orders the writes as well. With the main revision
		// 0 they come before any write whose revision is known.
		rev = mvcc.Revision{Sub: int64(index)}
	}
	changed := false
	for len(ops) > 0 {
		n := 1 + ops[0].success + ops[0].failure
		changed = r.applyRequest(&rev, index, ops[:n]) || changed
		ops = ops[n:]
	}
	if changed && !r.blind {
		r.revision++
	}
}

// applyRequest applies the writes of a request, the first at rev, and reports whether anything changed.
// It leaves the next revision in rev. A request of which etcd refuses one put changes nothing.
//
// Source: Txn and checkTxn in go.etcd.io/etcd/server/v3/etcdserver/txn/txn.go.
func (r *replay) applyRequest(rev *mvcc.Revision, index wal.Index, ops []write) (changed bool) {
	taken := r.choose(ops, nil)
	if slices.ContainsFunc(taken, r.refuses) {
		r.void(ops)
		return false
	}
	for _, op := range taken {
		did := false
		switch op.kind {
		case wal.OpPut:
			did = r.put(rev, index, op)
		case wal.OpDelete:
			did = r.remove(rev, index, r.matching(op.key, op.end))
		case wal.OpV2Put:
			did = r.isV2(op.key) && r.put(rev, index, op)
		case wal.OpV2Delete:
			did = r.removeV2(rev, index, op)
		case wal.OpLeaseGrant:
			delete(r.ended, op.lease)
		case wal.OpLeaseRevoke:
			did = r.revoke(rev, index, op.lease)
		}
		changed = changed || did
	}
	return changed
}

// choose appends to taken the writes that etcd does of ops, without the transactions around them.
// etcd evaluates the conditions of all transactions in a request before it writes anything.
func (r *replay) choose(ops []write, taken []*write) []*write {
	for len(ops) > 0 {
		op := &ops[0]
		success, rest := ops[1:1+op.success], ops[1+op.success:]
		failure, rest := rest[:op.failure], rest[op.failure:]
		ops = rest
		if op.kind != wal.OpTxn {
			taken = append(taken, op)
			continue
		}
		branch, other := success, failure
		if !r.holds(op.conditions) {
			branch, other = other, branch
		}
		if r.isSure() {
			r.void(other)
		}
		taken = r.choose(branch, taken)
	}
	return taken
}

// isSure reports whether replay knows all that was written before. Where it does not, no condition can
// fail for sure, and all of them are taken to hold.
func (r *replay) isSure() bool { return !r.blind && !r.lost }

// refuses reports whether etcd is known to refuse a write: a put under a lease that has ended, or one
// that leaves what a key has where there is no key.
//
// Source: checkPut in go.etcd.io/etcd/server/v3/etcdserver/txn/put.go.
func (r *replay) refuses(op *write) bool {
	if op.kind != wal.OpPut || !r.isSure() {
		return false
	}
	e := r.ev.Keys.Entry(op.key)
	return r.ended[op.lease] || (op.keepOld || op.keepLease) && (e == nil || e.Deleted)
}

// void marks the copies of the puts in ops: they never took effect.
func (r *replay) void(ops []write) {
	for i := range ops {
		if n := ops[i].copy; n != 0 {
			r.ev.Copy(n).Void = true
		}
	}
}

// put sets a key at rev, and leaves the next revision there. It is false if nobody knows the value
// that the put leaves.
func (r *replay) put(rev *mvcc.Revision, index wal.Index, op *write) bool {
	id := r.ev.Keys.Find([]byte(op.key))
	known := id != 0
	if op.keepOld && (!known || r.ev.Keys.At(id).Deleted) {
		return false
	}
	if !known {
		id = r.ev.Keys.Insert([]byte(op.key))
	}
	old := *r.ev.Keys.At(id)
	r.keepBefore(id, index)
	to, err := op.value, op.err
	if op.keepOld {
		to, err = old, r.ev.Keys.Broken[id]
	}
	to.Rev, to.Create, to.Version, to.Index, to.Deleted = *rev, rev.Main, 1, index, false
	if known && !old.Deleted && !(r.blind && old.Index == 0) {
		to.Create, to.Version = old.Create, old.Version+1
	}
	if to.Lease = op.lease; op.keepLease {
		to.Lease = old.Lease
	}
	r.ev.Keys.Set(id, to, err)
	if to.Lease != old.Lease {
		r.leases[to.Lease] = append(r.leases[to.Lease], id)
	}
	if op.copy != 0 {
		at := r.ev.Copy(op.copy)
		at.Rev, at.Create, at.Version = *rev, to.Create, to.Version
		if r.blind {
			at.Rev, at.Create, at.Version = mvcc.Revision{}, 0, 0
		}
	}
	r.next(rev)
	return true
}

// next leaves in rev the revision of the write that follows in the same request.
func (r *replay) next(rev *mvcc.Revision) {
	if !r.blind {
		rev.Sub++
	}
}

// keepBefore notes how the newest value of a key is stored before the write at index replaces
// it, unless the log says that this write is committed. A write that is not may never take
// effect, and any of several such writes may turn out to be the last.
func (r *replay) keepBefore(id seen.EntryID, index wal.Index) {
	e := r.ev.Keys.At(id)
	if index <= r.sure || e.Deleted || e.Rev == (mvcc.Revision{}) || slices.Contains(r.ev.ReplacedStorages[id], e.Storage) {
		return
	}
	r.ev.ReplacedStorages[id] = append(r.ev.ReplacedStorages[id], e.Storage)
}

// remove deletes the keys of entries, in the order of the keys, and reports whether any was there. The
// first deletion is at rev, and the next revision is left there.
func (r *replay) remove(rev *mvcc.Revision, index wal.Index, entries []seen.EntryID) (changed bool) {
	entries = slices.DeleteFunc(entries, func(id seen.EntryID) bool { return r.ev.Keys.At(id).Deleted })
	slices.SortFunc(entries, func(a, b seen.EntryID) int { return cmp.Compare(r.ev.Keys.At(a).Key, r.ev.Keys.At(b).Key) })
	for _, id := range entries {
		r.keepBefore(id, index)
		r.ev.Keys.Set(id, seen.Entry{Rev: *rev, Index: index, Deleted: true}, nil)
		r.next(rev)
	}
	return len(entries) > 0
}

// revoke ends a lease. It deletes the keys that have it by now, and reports whether there were any.
func (r *replay) revoke(rev *mvcc.Revision, index wal.Index, lease int64) bool {
	if lease == 0 {
		return false
	}
	entries := slices.DeleteFunc(r.leases[lease], func(id seen.EntryID) bool { return r.ev.Keys.At(id).Lease != lease })
	slices.Sort(entries)
	delete(r.leases, lease) // or each revocation in a hostile log would go through all of them
	r.ended[lease] = true
	return r.remove(rev, index, slices.Compact(entries))
}

// noteLeases takes what an entry that the db has says of leases: its keys have the others by now.
func (r *replay) noteLeases(ops []write) {
	for i := range ops {
		if ops[i].kind == wal.OpLeaseRevoke {
			r.ended[ops[i].lease] = true
		} else {
			delete(r.ended, ops[i].lease)
		}
	}
}

// isV2 reports whether a v2 request tells what the newest value of a key is. Where there is a db, it
// never does: the v2 store is another one. In a log without one it does unless the key is in the db,
// too, because then an API server has moved there.
func (r *replay) isV2(key string) bool {
	e := r.ev.Keys.Entry(key)
	return r.ev.File == nil && (e == nil || e.V2)
}

// removeV2 is remove for a v2 request.
func (r *replay) removeV2(rev *mvcc.Revision, index wal.Index, op *write) bool {
	if r.ev.File != nil || op.end == "" && !r.isV2(op.key) {
		return false
	}
	matching := slices.DeleteFunc(r.matching(op.key, op.end), func(id seen.EntryID) bool {
		e := r.ev.Keys.At(id)
		return !e.V2 && e.Rev != (mvcc.Revision{})
	})
	changed := r.remove(rev, index, slices.Clone(matching))
	for _, id := range matching {
		r.ev.Keys.At(id).V2 = true
	}
	return changed
}

// maxScans bounds the ranges that are replayed, because for each of them replay looks at every
// key. The API server deletes single keys.
const maxScans = 1000

// matching is the entries of the keys from key up to end: of key alone if end is empty, of all
// from key on if end is a zero byte. A blind replay adds an entry for a single key that has
// none: the log tells that there was one. After maxScans ranges none matches anything,
// and WAL says so.
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
		r.lost = true
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
	if end == "" {
		return k == key
	}
	return k >= key && (end == "\x00" || k < end)
}

// holds reports whether all conditions of a transaction hold.
func (r *replay) holds(conditions []condition) bool {
	fails := func(c condition) bool { return !r.holdsOne(&c) }
	return r.blind || !slices.ContainsFunc(conditions, fails) || r.lost
}

// holdsOne reports whether one condition holds. Over a range it must hold for each key. Where there
// is none, all numbers are 0.
//
// Source: applyCompare in go.etcd.io/etcd/server/v3/etcdserver/txn/txn.go.
func (r *replay) holdsOne(c *condition) bool {
	found := false
	for _, id := range r.existing(c.key, c.end) {
		if found = true; !r.holdsFor(r.ev.Keys.At(id), c) {
			return false
		}
	}
	// etcd does not compare a value with nil.
	return found || c.target != wal.CompareValue && r.holdsFor(&seen.Entry{}, c)
}

// existing is the entries of the keys from key to end that are not deleted. See matching.
func (r *replay) existing(key, end string) []seen.EntryID {
	return slices.DeleteFunc(r.matching(key, end), func(id seen.EntryID) bool { return r.ev.Keys.At(id).Deleted })
}

func (r *replay) holdsFor(e *seen.Entry, c *condition) bool {
	order := 0
	switch c.target {
	case wal.CompareVersion:
		order = cmp.Compare(e.Version, c.number)
	case wal.CompareCreate:
		order = cmp.Compare(e.Create, c.number)
	case wal.CompareMod:
		order = cmp.Compare(e.Rev.Main, c.number)
	case wal.CompareLease:
		order = cmp.Compare(e.Lease, c.number)
	case wal.CompareValue:
		value, _ := r.ev.ReadValue(e) // AddUnread tells if that fails
		order = bytes.Compare(value, c.value)
	}
	switch c.result {
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
