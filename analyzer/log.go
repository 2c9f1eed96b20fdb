package analyzer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A segment is a file of the WAL.
type segment struct {
	Source
	evidence  report.Evidence
	bytesRead int64
}

// A logReader reads the WAL of a survey. Entries that the db has not seen are held
// back until the log says that they are committed, since until then others can take
// their place, and then applied.
type logReader struct {
	*survey
	progress progress
	chain    wal.Chain
	file     fileID // of the segment being read
	block    *segment
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

// holderOf finds the survey of the db that a log belongs to: the one that lies
// beside it, or the latest whose etcd has the member that wrote the log.
func holderOf(member string, log []Source, surveys []*survey) *survey {
	var holder *survey
	id, known := writerOf(log)
	for _, s := range surveys {
		if s.Kind == report.KindOther || s.What != "" {
			continue
		}
		members := membersOf(s)
		foreign := known && len(members) > 0 && !slices.Contains(members, id)
		if s.Member == member && s.Member != "" && !foreign {
			return s
		}
		if known && slices.Contains(members, id) && log[0].What == "" &&
			(holder == nil || s.db.Revision > holder.db.Revision) && len(s.segments) == 0 {
			holder = s
		}
	}
	return holder
}

// writerOf is the member that wrote a log, by the first metadata in it.
func writerOf(log []Source) (id mvcc.MemberID, known bool) {
	for _, source := range log {
		for r, err := range wal.Read(source.File, min(source.Size, 64<<10), nil, nil) {
			if err == nil && r.Kind == wal.KindMetadata {
				return mvcc.MemberID(r.Metadata.NodeID), true
			}
		}
	}
	return 0, false
}

// readLog reads the segments of one log. Its error is that of ctx.
func (s *survey) readLog(ctx context.Context, sources []Source, progress progress) error {
	sequence := func(s Source) uint64 {
		name, _ := wal.ParseName(s.Name)
		return name.Seq
	}
	slices.SortStableFunc(sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(sequence(a), sequence(b)), cmp.Compare(a.Path, b.Path))
	})
	l := &logReader{survey: s, progress: progress, applied: wal.Index(s.db.ConsistentIndex), replay: newReplay(s)}
	for _, source := range sources {
		if err := l.segment(ctx, source); err != nil {
			return err
		}
	}
	l.replay.sure = max(l.commit, l.applied)
	l.apply(anyIndex)
	s.commit = l.commit
	if s.File == nil {
		s.details.LiveKeys = s.keys.entries.len()
	}
	return nil
}

// segment reads one file.
func (l *logReader) segment(ctx context.Context, source Source) error {
	name, _ := wal.ParseName(source.Name)
	seg := &segment{Source: source, evidence: report.Evidence{
		Path: source.Path, Kind: report.KindWAL, Size: source.Size, SnapshotHash: report.HashAbsent, What: source.What,
		WAL: &report.WALFacts{Sequence: name.Seq},
	}}
	l.file, l.block, l.foreign = segmentFile(len(l.segments)), seg, false
	l.segments = append(l.segments, seg)
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
			l.addDamageIn(source.Path, 0, err)
			continue
		}
		l.record(&r)
	}
	if seg.bytesRead = sum.read; sum.read == source.Size {
		seg.evidence.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

func (l *logReader) record(r *wal.Record) {
	facts := l.block.evidence.WAL
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
	facts, index := l.block.evidence.WAL, e.Index
	facts.Entries++
	if facts.FirstIndex == 0 {
		facts.FirstIndex = uint64(index)
	}
	facts.LastIndex = max(facts.LastIndex, uint64(index))
	if l.foreign {
		// What another etcd wrote is found, and is nothing that this db has or will have.
		from := l.sightings.len()
		l.sightOps(e.Ops, index, e.Term, false)
		for i := from; i < l.sightings.len(); i++ {
			l.sightings.at(i).replaced = true
		}
		return
	}
	if index <= l.last {
		l.replace(index)
	}
	if next := max(l.applied, l.last) + 1; l.File != nil && index > next {
		l.notExamined = append(l.notExamined, report.NotExamined{Path: l.block.Path,
			What: fmt.Sprintf("raft entries %d to %d are in no WAL segment that is here, and the db does not have them", next, index-1)})
	}
	l.last = index
	applied := l.File != nil && index <= l.applied
	ops := l.sightOps(e.Ops, index, e.Term, applied)
	if !applied && len(ops) > 0 {
		l.pending = append(l.pending, entryOf{index, ops})
	}
}

// replace drops the entries from index on: they were never committed.
func (l *logReader) replace(index wal.Index) {
	n, _ := slices.BinarySearchFunc(l.pending, index, func(e entryOf, index wal.Index) int { return cmp.Compare(e.index, index) })
	l.pending = l.pending[:n]
	for i := l.sightings.len() - 1; i >= 0; i-- {
		at := l.sightings.at(i)
		if at.place != inWAL || at.replaced {
			continue
		}
		if at.index < index {
			break // so are all before it that still count
		}
		at.replaced = !at.applied
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
// values.
func (l *logReader) sightOps(ops []wal.Op, index wal.Index, term wal.Term, applied bool) []write {
	var writes []write
	for i := range ops {
		op := &ops[i]
		w := write{kind: op.Kind, lease: op.Lease, sighting: -1}
		if !applied {
			w.key, w.end = string(op.Key), string(op.RangeEnd)
		}
		at := sighting{
			file: l.file, place: inWAL, index: index, term: term, applied: applied,
			object: true, complete: op.Complete, off: op.ValueOff, size: int64(len(op.Value)),
		}
		switch op.Kind {
		case wal.OpPut:
			l.put(op, &w, at)
		case wal.OpDelete:
			if l.watch.only != "" && inRange(l.watch.only, string(op.Key), string(op.RangeEnd)) {
				at.key, at.deletion = l.watch.only, true
				l.keep(at)
			}
		case wal.OpTxn:
			w.success = l.sightOps(op.Success, index, term, applied)
			w.failure = l.sightOps(op.Failure, index, term, applied)
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

// put keeps a put.
func (l *logReader) put(op *wal.Op, w *write, at sighting) {
	before := l.sightings.len()
	if !op.IgnoreValue {
		at.key = string(op.Key)
		l.sightValue(op.Value, l.watch.key(op.Key), at)
	}
	if l.sightings.len() > before {
		w.sighting = before
	}
	w.keepOld = op.IgnoreValue
	w.value = entry{file: l.file, off: op.ValueOff, size: uint32(len(op.Value)), lease: op.Lease}
	w.value.stored, w.err = l.keys.parse(op.Value, op.ValueOff)
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
		if err := seg.readAt(b, off); err != nil {
			continue // reading it has failed before, and that was told
		}
		if !page.IsZero(b) {
			l.carveIn(l.file, inPieces, b, off, searchBlock, off+searchStep)
		}
	}
}
