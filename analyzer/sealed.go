package analyzer

import (
	"context"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A sealedValue is an encrypted value in any region, and where it lies. Key and Value
// are valid until the next one.
type sealedValue struct {
	in     *survey
	key    []byte
	value  []byte
	rev    mvcc.Revision // 0 in the WAL
	region Region        // RegionLive for all of the tree
	file   int32         // index for survey.source
	off    int64         // of the value
	index  uint64        // of a raft entry
	whole  bool
}

// entry is the entry of which v is the newest value, nil if it is another's.
func (v *sealedValue) entry() *entry {
	i, ok := v.in.keys.find(v.key)
	if !ok {
		return nil
	}
	e := v.in.keys.entries.at(int(i))
	if e.deleted || e.file != v.file || e.off != v.off {
		return nil
	}
	return e
}

// sealed calls each for every encrypted value of which the key is known, in every region
// of the survey's files. It reads them once more: to keep all values would take as much
// memory as they do. Its error is that of each or of ctx.
func (s *survey) sealed(ctx context.Context, each func(*sealedValue) error) error {
	if err := s.sealedPages(ctx, each); err != nil {
		return err
	}
	var buf []byte
	for i := range s.ledger.carved {
		c := &s.ledger.carved[i]
		buf = append(buf[:0], make([]byte, c.size)...)
		if err := s.source(c.file).readAt(buf, c.off); err != nil {
			continue // it could be read before: what changed meanwhile is told elsewhere
		}
		v := sealedValue{in: s, key: []byte(c.key), value: buf, rev: c.rev, region: c.region, file: c.file, off: c.off, whole: c.whole}
		if err := each(&v); err != nil {
			return err
		}
	}
	return s.sealedLog(ctx, each)
}

// sealedPages takes the records of the leaf pages, in the tree and outside of it.
func (s *survey) sealedPages(ctx context.Context, each func(*sealedValue) error) error {
	if s.file == nil {
		return ctx.Err()
	}
	for p := range s.file.Sweep(s.tree, nil) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		stray := isStray(p) && hasTable(p)
		if p.Use == page.Leaf && !isStray(p) && s.bucketName(p) == mvcc.BucketKey {
			err = s.sealedLeaf(p, RegionLive, each)
		} else if stray || p.Elements() && (p.Use == page.Unreachable || p.Use == page.Tail) {
			err = s.sealedLeaf(p, regionOf(p), each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) sealedLeaf(p page.Page, region Region, each func(*sealedValue) error) error {
	for e, err := range p.LeafElements() {
		if inline, ok := p.InlineBucket(e); ok && region != RegionLive {
			if err := s.sealedLeaf(inline, region, each); err != nil {
				return err
			}
		}
		if e.Key == nil || e.IsBucket() || region != RegionLive && err != nil && !isGap(err) {
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if r.Tombstone || len(r.Key) == 0 || !envelope.IsEncrypted(r.Value) || region != RegionLive && err != nil {
			continue
		}
		v := sealedValue{in: s, key: r.Key, value: r.Value, rev: r.Revision, region: region, off: r.ValueOff, whole: err == nil}
		if err := each(&v); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) sealedLog(ctx context.Context, each func(*sealedValue) error) error {
	for i, seg := range s.segments {
		for r, err := range wal.Read(seg.File, seg.Size, nil, nil) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || r.Kind != wal.KindEntry && r.Kind != wal.KindTorn {
				continue
			}
			v := sealedValue{in: s, region: RegionWAL, file: int32(i + 1), index: uint64(r.Entry.Index)}
			if err := v.ops(r.Entry.Ops, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// ops takes the puts of a raft entry.
func (v *sealedValue) ops(ops []wal.Op, each func(*sealedValue) error) error {
	for i := range ops {
		op := &ops[i]
		if op.Kind == wal.OpPut && !op.IgnoreValue && envelope.IsEncrypted(op.Value) {
			v.key, v.value, v.off, v.whole = op.Key, op.Value, op.ValueOff, op.Complete
			if err := each(v); err != nil {
				return err
			}
		}
		if err := v.ops(op.Success, each); err != nil {
			return err
		}
		if err := v.ops(op.Failure, each); err != nil {
			return err
		}
	}
	return nil
}
