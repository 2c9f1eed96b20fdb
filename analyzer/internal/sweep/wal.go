package sweep

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A logReader reads the WAL of a survey. Entries that the db has not seen are held
// back until the log says that they are committed, since until then others can take
// their place, and then applied.
type logReader struct {
	ev       *seen.Evidence
	progress Progress
	chain    wal.Chain
	file     seen.FileID // of the segment being read
	block    *seen.Segment
	writer   *wal.Metadata // of the first segment that tells
	foreign  bool          // the segment being read is of another member or cluster
	applied  wal.Index     // index up to which the db has seen all; 0 without a db
	last     wal.Index     // index of the last entry
	commit   wal.Index
	pending  []entryOf
	replay   *replay
}

// anyIndex is no bound of the indexes.
const anyIndex = ^wal.Index(0)

// An entryOf is a raft entry that has not been applied.
type entryOf struct {
	index wal.Index
	ops   []write
}

// WAL reads the segments of one log. Its error is that of ctx.
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
		if err := l.segment(ctx, source); err != nil {
			return err
		}
	}
	l.replay.sure = max(l.commit, l.applied)
	l.apply(anyIndex)
	ev.Commit = l.commit
	if ev.File == nil {
		ev.Details.LiveKeys = ev.Keys.Entries.Len()
	}
	return nil
}

// segment reads one file.
func (l *logReader) segment(ctx context.Context, source evidence.Source) error {
	name, _ := wal.ParseName(source.Name)
	seg := &seen.Segment{Source: source, Evidence: report.Evidence{
		Path: source.Path, Kind: report.KindWAL, Size: source.Size, SnapshotHash: report.HashAbsent, What: source.What,
		WAL: &report.WALFacts{Sequence: name.Seq},
	}}
	l.file, l.block, l.foreign = seen.SegmentFile(len(l.ev.Segments)), seg, false
	l.ev.Segments = append(l.ev.Segments, seg)
	sum := digest{Hash: sha256.New()}
	records := l.chain.Read(source.File, source.Size, source.Name, func(off int64, b []byte) {
		sum.add(off, b)
		l.progress.tell(source.Path, sum.next, source.Size)
	})
	for r, err := range records {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			l.ev.AddDamageIn(source.Path, 0, err)
			continue
		}
		l.record(&r)
	}
	if seg.BytesRead = sum.read; sum.read == source.Size {
		seg.Evidence.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

func (l *logReader) record(r *wal.Record) {
	facts := l.block.Evidence.WAL
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
	case wal.KindEntry:
		l.entry(&r.Entry)
	case wal.KindTorn:
		facts.Torn += r.Len
		l.sightOps(r.Entry.Ops, r.Entry.Index, r.Entry.Term, false)
	case wal.KindGap:
		facts.Gaps++
		l.searchGap(r.Off, r.Len)
	case wal.KindZeros:
		facts.Preallocated = r.Len
	}
}

// entry takes a raft entry, in place of those that had its index or a later one.
func (l *logReader) entry(e *wal.Entry) {
	facts, index := l.block.Evidence.WAL, e.Index
	facts.Entries++
	if facts.FirstIndex == 0 {
		facts.FirstIndex = uint64(index)
	}
	facts.LastIndex = max(facts.LastIndex, uint64(index))
	if l.foreign {
		// What another etcd wrote is found, and is nothing that this db has or will have.
		from := l.ev.Copies.Len()
		l.sightOps(e.Ops, index, e.Term, false)
		for i := from; i < l.ev.Copies.Len(); i++ {
			l.ev.Copies.At(i).Replaced = true
		}
		return
	}
	if index <= l.last {
		l.replace(index)
	}
	if next := max(l.applied, l.last) + 1; l.ev.File != nil && index > next {
		l.ev.NotExamined = append(l.ev.NotExamined, report.NotExamined{Path: l.block.Path,
			What: fmt.Sprintf("raft entries %d to %d are in no WAL segment that is here, and the db does not have them", next, index-1)})
	}
	l.last = index
	applied := l.ev.File != nil && index <= l.applied
	ops := l.sightOps(e.Ops, index, e.Term, applied)
	if !applied && len(ops) > 0 {
		l.pending = append(l.pending, entryOf{index, ops})
	}
}

// replace drops the entries from index on: they were never committed.
func (l *logReader) replace(index wal.Index) {
	n, _ := slices.BinarySearchFunc(l.pending, index, func(e entryOf, index wal.Index) int { return cmp.Compare(e.index, index) })
	l.pending = l.pending[:n]
	for i := l.ev.Copies.Len() - 1; i >= 0; i-- {
		at := l.ev.Copies.At(i)
		if at.Place != seen.InWAL || at.Replaced {
			continue
		}
		if at.Index < index {
			break // so are all before it that still count
		}
		at.Replaced = !at.Applied
	}
}

// apply applies the pending entries up to index.
func (l *logReader) apply(index wal.Index) {
	n := 0
	for n < len(l.pending) && l.pending[n].index <= index {
		l.replay.apply(l.pending[n].index, l.pending[n].ops)
		n++
	}
	l.pending = slices.Delete(l.pending, 0, n)
}

// sightOps keeps the writes to watched keys, and all operations without their
// values, each transaction before its branches.
func (l *logReader) sightOps(ops []wal.Op, index wal.Index, term wal.Term, applied bool) []write {
	var writes []write
	for op := range wal.All(ops) {
		w := write{kind: op.Kind, lease: op.Lease, copy: -1}
		if !applied {
			w.key, w.end = string(op.Key), string(op.RangeEnd)
		}
		at := seen.Copy{
			File: l.file, Place: seen.InWAL, Index: index, Term: term, Applied: applied,
			Object: true, Complete: op.Complete, Off: op.ValueOff, Size: int64(len(op.Value)),
		}
		switch op.Kind {
		case wal.OpPut:
			l.put(op, &w, at)
		case wal.OpDelete:
			if only := l.ev.Interest.Only; only != "" && inRange(only, string(op.Key), string(op.RangeEnd)) {
				at.Key, at.Deletion = only, true
				l.ev.Keep(at)
			}
		case wal.OpTxn:
			w.success, w.failure = count(op.Success), count(op.Failure)
			for _, c := range op.Compare {
				kept := compare{Compare: c, key: string(c.Key), end: string(c.RangeEnd), value: slices.Clone(c.Value)}
				kept.Key, kept.RangeEnd, kept.Value = nil, nil, nil // they alias the record
				w.compare = append(w.compare, kept)
			}
		}
		writes = append(writes, w)
	}
	return writes
}

// count is how many operations there are, with those of the branches of transactions.
func count(ops []wal.Op) (n int) {
	for range wal.All(ops) {
		n++
	}
	return n
}

// put keeps a put.
func (l *logReader) put(op *wal.Op, w *write, at seen.Copy) {
	before := l.ev.Copies.Len()
	if !op.IgnoreValue {
		at.Key = string(op.Key)
		sightValue(l.ev, op.Value, l.ev.Interest.KeepsKey(op.Key), at)
	}
	if l.ev.Copies.Len() > before {
		w.copy = before
	}
	w.keepOld = op.IgnoreValue
	w.value = seen.Entry{File: l.file, Off: op.ValueOff, Size: uint32(len(op.Value)), Lease: op.Lease}
	w.value.Storage, w.err = l.ev.Keys.Parse(op.Value, op.ValueOff)
	if !op.Complete && w.err == nil {
		w.err = &decode.FormatError{Off: op.ValueOff, What: "value in the WAL", Err: decode.ErrTruncated}
	}
}

// searchGap looks for objects in bytes that are no frames.
func (l *logReader) searchGap(off, n int64) {
	seg := l.block
	buf := make([]byte, min(n, searchStep+searchAhead))
	for end := off + n; off < end; off += searchStep {
		b := buf[:min(int64(len(buf)), end-off)]
		if err := seg.ReadFull(b, off); err != nil {
			continue // reading it has failed before, and that was told
		}
		if !page.IsZero(b) {
			carveIn(l.ev, l.file, seen.InPieces, b, off, searchBlock, off+searchStep)
		}
	}
}
