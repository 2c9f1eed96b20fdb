package sweep

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/v2store"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// WAL reads the segments of one log, in the order of their names, and adds them to ev: what
// the db does not have yet goes into the keyspace. The db was read before, if there is one. WAL
// sorts sources. Damage goes to ev; the error is that of ctx.
func WAL(ctx context.Context, ev *seen.Evidence, sources []evidence.Source, progress Progress) error {
	sequence := func(s evidence.Source) uint64 {
		name, _ := wal.ParseName(s.Name)
		return name.Seq
	}
	slices.SortStableFunc(sources, func(a, b evidence.Source) int {
		return cmp.Or(cmp.Compare(sequence(a), sequence(b)), cmp.Compare(a.Path, b.Path))
	})
	l := &logReader{ev: ev, progress: progress, applied: wal.Index(ev.DB.ConsistentIndex), replay: newReplay(ev)}
	for _, source := range sources {
		if err := l.read(ctx, source); err != nil {
			return err
		}
	}
	l.replay.sure = max(l.commit, l.applied)
	l.apply(anyIndex)
	l.checkEnd()
	if n := l.replay.scans - maxScans; n > 0 {
		ev.NotExamined = append(ev.NotExamined, report.NotExamined{Path: sources[0].Path, Unread: true,
			What: fmt.Sprintf("%d deletions of ranges of keys, behind the first %d in this WAL: keys that count as live may be deleted", n, maxScans)})
	}
	ev.Commit = l.commit
	if ev.File == nil {
		ev.Details.LiveKeys = ev.Keys.Entries.Len()
	}
	return nil
}

// A logReader reads a log, segment by segment. Entries to be replayed are pending
// until the log says that they are committed, because until then others can take their place.
// Then, or at the end of the log, they are replayed.
type logReader struct {
	ev       *seen.Evidence
	progress Progress
	replay   *replay
	applied  wal.Index // the db has all entries up to it; 0 without a db

	chain   wal.Chain
	writer  *wal.Metadata // of the first segment that has one; nil before
	last    wal.Index     // index of the last entry; 0 before the first
	snap    wal.Index     // highest index of a snapshot that the log names: it stands for the entries up to it
	commit  wal.Index     // highest index that the log says is committed
	pending []entry       // in the order of their indexes
	lost    bool          // entries that the db does not have are lost: they are not there, or refused

	// Of the segment being read.
	segment *seen.Segment
	file    seen.FileID
	foreign bool  // another member or cluster wrote it
	end     int64 // file offset behind its last frame
}

// anyIndex is no bound of the indexes.
const anyIndex = ^wal.Index(0)

// An entry is a raft entry that is to be replayed. Of one that the db has it is what that says of
// leases alone.
type entry struct {
	index   wal.Index
	applied bool // the db has it
	lost    bool // entries before it that the db does not have are lost
	ops     []write
}

// read reads a segment.
func (l *logReader) read(ctx context.Context, source evidence.Source) error {
	name, _ := wal.ParseName(source.Name)
	seg := &seen.Segment{Source: source, Facts: report.Evidence{
		Path: source.Path, Kind: report.KindWAL, Size: source.Whole(), SnapshotHash: report.HashAbsent, What: source.What,
		WAL: &report.WALFacts{Sequence: name.Seq},
	}}
	l.segment, l.file, l.foreign, l.end = seg, seen.SegmentFile(len(l.ev.Segments)), false, 0
	l.ev.Segments = append(l.ev.Segments, seg)
	sum := newDigest()
	tap := func(off int64, b []byte) {
		sum.add(off, b)
		l.progress.tell(source.Path, sum.next, source.Whole())
	}
	for r, err := range l.chain.Read(source.Data(), source.Size, source.Name, tap) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			l.ev.AddDamageIn(&source, 0, err)
			continue
		}
		l.takeRecord(&r)
	}
	if seg.BytesRead = sum.read; sum.read == source.Size {
		seg.Facts.SHA256 = sum.hex()
	}
	return nil
}

// checkEnd notes damage if the log ends before what the db has. etcd syncs the log to the disk
// before it applies an entry, and never removes the newest segment, so a log that is shorter than
// its db has lost its end: a copy of it was cut, or segments are gone. The missing entries may hold
// any value, so nobody can call that clean. The same holds for a frame that is torn at the end:
// where the db is ahead of it, no crash explains it.
//
// A member that got a snapshot from its leader has no entries before it, and the log names the
// snapshot instead. A snapshot file may be younger than the log, and of another member: it says
// nothing of the log's end.
//
// Source: raftNode.start in etcdserver/raft.go, which saves before it applies.
func (l *logReader) checkEnd() {
	end := max(l.last, l.snap)
	if l.ev.File == nil || l.ev.Facts.Kind == report.KindSnapshot || end >= l.applied {
		return
	}
	entries := "raft entries"
	if l.applied-end == 1 {
		entries = "raft entry"
	}
	l.ev.AddDamageIn(&l.segment.Source, 0, &decode.FormatError{Off: l.end, Err: decode.ErrMissing,
		What: fmt.Sprintf("end of the WAL (it ends at raft entry %d, and the db has applied %d; copy the data dir again "+
			"with etcd stopped, or add the segments that follow), %d %s", end, l.applied, l.applied-end, entries)})
}

func (l *logReader) takeRecord(r *wal.Record) {
	facts := l.segment.Facts.WAL
	if r.Kind <= wal.KindSnapshot {
		l.end = r.Off + r.Len
	}
	if r.IsRefused() {
		l.takeRefused(r)
		return
	}
	switch r.Kind {
	case wal.KindMetadata:
		facts.NodeID, facts.ClusterID = r.Metadata.NodeID.String(), r.Metadata.ClusterID.String()
		if l.writer == nil {
			m := r.Metadata
			l.writer = &m
		}
		l.foreign = *l.writer != r.Metadata
	case wal.KindState:
		if l.foreign {
			return
		}
		l.commit = max(l.commit, r.State.Commit)
		facts.Commit = max(facts.Commit, uint64(r.State.Commit))
		l.apply(l.commit)
	case wal.KindSnapshot:
		if !l.foreign {
			l.snap = max(l.snap, r.Snapshot.Index)
		}
	case wal.KindEntry:
		l.takeEntry(&r.Entry)
	case wal.KindTorn:
		facts.Torn += r.Len
		l.noteOps(&r.Entry, false)
	case wal.KindGap:
		facts.Gaps++
		searchGap(l.ev, l.file, r.Off, r.Len)
	case wal.KindZeros:
		facts.Preallocated = r.Len
	}
}

// takeRefused takes a frame at which etcd would refuse the log. Its bytes may hold plaintext, so what it
// puts is copied, but none of it is replayed: its key may be as wrong as its value.
func (l *logReader) takeRefused(r *wal.Record) {
	if r.Kind != wal.KindEntry {
		return
	}
	l.segment.Facts.WAL.Entries++
	e := r.Entry
	l.lost = l.lost || l.last+1 > l.applied
	if e.Index == l.last+1 {
		l.last = e.Index // what stands before it and behind it bears that out
		l.noteIndex(e.Index)
	} else {
		e.Index = 0
	}
	l.noteOps(&e, false)
}

// noteIndex takes the index of an entry into the facts of the segment.
func (l *logReader) noteIndex(index wal.Index) {
	facts := l.segment.Facts.WAL
	if facts.FirstIndex == 0 {
		facts.FirstIndex = uint64(index)
	}
	facts.LastIndex = max(facts.LastIndex, uint64(index))
}

// takeEntry takes a raft entry. It replaces the entries from its index on.
func (l *logReader) takeEntry(e *wal.Entry) {
	index := e.Index
	l.segment.Facts.WAL.Entries++
	l.noteIndex(index)
	if l.foreign {
		// Copies of what another etcd wrote are kept, but this db never has the writes.
		from := l.ev.Copies.Len()
		l.noteOps(e, false)
		for i := from; i < l.ev.Copies.Len(); i++ {
			l.ev.Copies.At(i).Void = true
		}
		return
	}
	if index <= l.last {
		l.dropFrom(index)
	}
	if next := max(l.applied, l.last) + 1; l.ev.File != nil && index > next {
		l.lost = true
		l.ev.NotExamined = append(l.ev.NotExamined, report.NotExamined{
			Path: l.segment.Path,
			What: fmt.Sprintf("raft entries %d to %d are in no WAL segment that is here, and the db does not have them", next, index-1), Unread: true,
		})
	}
	l.last = index
	applied := l.ev.File != nil && index <= l.applied
	ops := l.noteOps(e, applied)
	if applied {
		ops = slices.DeleteFunc(ops, func(op write) bool { return op.kind != wal.OpLeaseGrant && op.kind != wal.OpLeaseRevoke })
	}
	if len(ops) > 0 {
		l.pending = append(l.pending, entry{index, applied, l.lost, ops})
	}
}

// dropFrom drops the entries from index on, because they were never committed.
func (l *logReader) dropFrom(index wal.Index) {
	n, _ := slices.BinarySearchFunc(l.pending, index, func(e entry, index wal.Index) int { return cmp.Compare(e.index, index) })
	l.pending = l.pending[:n]
	for i := l.ev.Copies.Len() - 1; i >= 0; i-- {
		at := l.ev.Copies.At(i)
		if !at.Place.IsLog() || at.Void || at.Index == 0 {
			continue
		}
		if at.Index < index {
			break // all copies before it are of earlier entries, too, or replaced already
		}
		at.Void = !at.Applied
	}
}

// apply replays the pending entries up to index.
func (l *logReader) apply(index wal.Index) {
	n := 0
	for n < len(l.pending) && l.pending[n].index <= index {
		if e := l.pending[n]; e.applied {
			l.replay.noteLeases(e.ops)
		} else {
			l.replay.lost = l.replay.lost || e.lost
			l.replay.apply(e.index, e.ops)
		}
		n++
	}
	l.pending = slices.Delete(l.pending, 0, n)
}

// noteOps keeps copies of what the entry writes to watched keys. It returns all operations of
// the entry without their values, each transaction before its branches. applied says that the
// db has the entry: then the operations lack their keys, because nobody replays them.
func (l *logReader) noteOps(e *wal.Entry, applied bool) []write {
	var writes []write
	for op := range wal.All(e.Ops) {
		w := write{kind: op.Kind, lease: op.Lease}
		if !applied {
			w.key, w.end = string(op.Key), string(op.RangeEnd)
		}
		at := seen.Copy{
			File: l.file, Place: seen.InWAL, Index: e.Index, Term: e.Term, Applied: applied,
			Off: op.ValueOff, Size: int64(len(op.Value)), Object: true, Complete: op.Complete,
		}
		if op.IsV2() {
			at.Place = seen.InV2Request
		}
		switch op.Kind {
		case wal.OpPut, wal.OpV2Put, wal.OpV2Prev:
			l.notePut(op, &w, at)
		case wal.OpDelete, wal.OpV2Delete:
			if only := l.ev.Interest.OnlyKey; only != "" && inRange(only, string(op.Key), string(op.RangeEnd)) {
				at.Key, at.Deletion = only, true
				l.ev.Keep(at)
			}
		case wal.OpTxn:
			w.success, w.failure = countOps(op.Success), countOps(op.Failure)
			for i := range op.Compare {
				w.conditions = append(w.conditions, newCondition(&op.Compare[i]))
			}
		}
		writes = append(writes, w)
	}
	return writes
}

// countOps is how many operations there are, with those in the branches of transactions.
func countOps(ops []wal.Op) (n int) {
	for range wal.All(ops) {
		n++
	}
	return n
}

// notePut keeps a copy of the value of a put, if its key is watched, and sets in w what replay
// needs to know of the value.
func (l *logReader) notePut(op *wal.Op, w *write, at seen.Copy) {
	before := l.ev.Copies.Len()
	value := op.Value
	if op.IsV2() {
		value = v2store.Plain(value)
	}
	if op.HasValue() {
		at.Key = string(op.Key)
		noteValue(l.ev, value, l.ev.Interest.KeepsKey(op.Key), at)
	}
	if l.ev.Copies.Len() > before {
		w.copy = seen.CopyNumber(l.ev.Copies.Len())
	}
	w.keepOld, w.keepLease = op.IgnoreValue, op.IgnoreLease
	w.value = seen.Entry{File: l.file, Off: op.ValueOff, Size: uint32(len(op.Value)), Lease: op.Lease, V2: op.IsV2()}
	if op.Complete {
		w.value.Storage, w.err = l.ev.Keys.ParseWhole(op.Key, value, op.ValueOff)
	} else {
		w.value.Storage, w.err = l.ev.Keys.ParseStorage(value, op.ValueOff)
	}
	if !op.Complete && w.err == nil {
		w.err = &decode.FormatError{Off: op.ValueOff, What: "value in the WAL", Err: decode.ErrTruncated}
	}
}

// searchGap looks for objects in the n bytes at off of a file, which are not of its format. Who
// reads the file tells of bytes that the disk does not give.
func searchGap(ev *seen.Evidence, file seen.FileID, off, n int64) {
	buf := make([]byte, min(n, searchStep+searchAhead))
	for end := off + n; off < end; off += searchStep {
		b := buf[:min(int64(len(buf)), end-off)]
		if err := ev.SourceOf(file).ReadFull(b, off); err != nil {
			continue
		}
		searchBytes(ev, file, b, off)
	}
}
