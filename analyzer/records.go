package analyzer

import (
	"context"
	"iter"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// Which records are there, and which of them are the tree's? Every pass over a db goes by
// the same rule:
//
//  1. A leaf is of the newest tree if the tree leads to it and means it: the header has the
//     page's own ID and says that it is a leaf, and its first key is the one that led there.
//     An inline bucket is where the leaf around it is.
//  2. Each element of a leaf of the bucket "key" of that tree is one of its records. It counts
//     with a broken form, too, as far as that can be read: something stood there.
//  3. A record anywhere else is residue: on a leaf that the tree does not lead to, also if it
//     lies among the overflow pages of another page, or leads to and means another, and in
//     another bucket of the tree. It counts if its form is whole, and at most what lies before
//     its element is wrong. etcd's other buckets have no records.
//  4. Where the tree leads to a page and means another, what stands there may be anything. It
//     is read as a leaf if its header names the page, or if all of its elements are in order.
//  5. Values that no page holds as a record are found by their bytes (decode/carve).
//  6. A put in the WAL counts in either branch of its transaction: its bytes are there,
//     whether it took effect or not.
//
// The second witness has code of its own for rules 1 and 2.

// A holding is what a page holds of the bucket "key".
type holding uint8

const (
	holdsNone    holding = iota // nothing: no leaf, or none that can be read as one
	holdsTree                   // records of the newest tree
	holdsState                  // another of etcd's buckets, in that tree
	holdsResidue                // records that the tree does not have there
)

// holding applies rules 1 and 4 to a page.
func (s *survey) holding(p page.Page) holding {
	switch {
	case p.Use == page.Leaf && !isMisplaced(p):
		if s.bucketName(p) == mvcc.BucketKey {
			return holdsTree
		}
		return holdsState
	case p.Use == page.Leaf && hasTable(p), (p.Use == page.Unreachable || p.Use == page.Tail) && p.Elements():
		return holdsResidue
	}
	return holdsNone
}

// isMisplaced reports whether the tree leads to p for a leaf, and p is none or another one.
func isMisplaced(p page.Page) bool {
	return p.Use == page.Leaf && (p.Astray || p.Header.Flags != page.FlagLeaf)
}

// hasTable is rule 4: whether a misplaced page can be read as a leaf. One inside of another
// is read with the leaf around it.
func hasTable(p page.Page) bool {
	if p.Inline {
		return false
	}
	if p.Header.ID == p.ID {
		return p.Header.Flags == page.FlagLeaf
	}
	for _, err := range p.LeafElements() {
		if err != nil {
			return false
		}
	}
	return p.Header.Flags == page.FlagLeaf && p.Header.Count > 0
}

// takes is the part of rules 2 and 3 that is about elements. err is what is wrong with e.
func (h holding) takes(e page.LeafElement, err error) bool {
	return e.Key != nil && (h != holdsResidue || err == nil || isGap(err))
}

// A pageRecord is a record that a page holds. It is valid until the next.
type pageRecord struct {
	mvcc.Record
	inTree bool
	err    error // what is wrong with the form of a record of the tree
}

// recordsOf yields the records of the bucket "key" on a page, by rules 1 to 4. Records that
// hold no key, such as the mark of a restored snapshot, are none.
func (s *survey) recordsOf(p page.Page) iter.Seq[pageRecord] {
	return func(yield func(pageRecord) bool) { eachRecord(p, s.holding(p), yield) }
}

func eachRecord(p page.Page, h holding, yield func(pageRecord) bool) bool {
	if h == holdsNone {
		return true
	}
	for e, err := range p.LeafElements() {
		if inline, ok := p.InlineBucket(e); ok && h == holdsResidue {
			if !eachRecord(inline, h, yield) {
				return false
			}
			continue
		}
		if !h.takes(e, err) || e.IsBucket() || h == holdsState && len(e.Value) == 0 {
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if len(r.Key) == 0 || err != nil && h != holdsTree {
			continue
		}
		if !yield(pageRecord{r, h == holdsTree, err}) {
			return false
		}
	}
	return true
}

// A held is a value of a known key, wherever it lies. Key and value are
// valid until the next one.
type held struct {
	in      *survey
	key     []byte
	value   []byte
	rev     mvcc.Revision // 0 in the WAL
	create  int64
	version int64
	place   place
	file    fileID
	off     int64     // of the value
	index   wal.Index // of a raft entry
	whole   bool
}

// entry is the entry of which v is the newest value, nil if it is another's.
func (v *held) entry() *entry {
	id := v.in.keys.find(v.key)
	if id == 0 {
		return nil
	}
	e := v.in.keys.at(id)
	if e.deleted || e.file != v.file || e.off != v.off {
		return nil
	}
	return e
}

// eachValue calls each for every value of which the key is known, in every region of the
// survey's files: in the tree, outside of it, carved, and in the WAL. It reads the files once
// more, because to keep all values would take as much memory as they do. Some carved values
// come twice. The error is that of each or of ctx; what the disk does not give again is told
// by addUnread.
func (s *survey) eachValue(ctx context.Context, each func(*held) error) error {
	if err := s.pageRecords(ctx, each); err != nil {
		return err
	}
	if err := s.carvedRecords(each); err != nil {
		return err
	}
	return s.logRecords(ctx, each)
}

func (s *survey) pageRecords(ctx context.Context, each func(*held) error) error {
	if s.file == nil {
		return ctx.Err()
	}
	for p := range s.file.Sweep(s.tree, nil) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for r := range s.recordsOf(p) {
			if r.Tombstone {
				continue
			}
			v := held{in: s, key: r.Key, value: r.Value, rev: r.Revision, create: r.CreateRevision, version: r.Version,
				place: inTree, file: dbFile, off: r.ValueOff, whole: r.err == nil}
			if !r.inTree {
				v.place = placeOf(p)
			}
			if err := each(&v); err != nil {
				return err
			}
		}
	}
	return nil
}

// carvedRecords takes the values that no record of a page holds: plaintext ones are among
// the sightings, encrypted ones in the ledger.
func (s *survey) carvedRecords(each func(*held) error) error {
	var buf []byte
	read := func(v held, size int64) error {
		buf = append(buf[:0], make([]byte, size)...)
		if err := s.source(v.file).readAt(buf, v.off); err != nil {
			return nil // it could be read before: what changed meanwhile is told elsewhere
		}
		v.in, v.value = s, buf
		return each(&v)
	}
	for _, at := range s.sightings.all() {
		if at.place != inPieces && at.place != inTail || at.deletion {
			continue
		}
		err := read(held{key: []byte(at.key), rev: at.rev, create: at.create, version: at.version, place: at.place,
			file: at.file, off: at.off, whole: at.complete}, at.size)
		if err != nil {
			return err
		}
	}
	for i := range s.ledger.carved {
		c := &s.ledger.carved[i]
		err := read(held{key: []byte(c.key), rev: c.rev, place: c.place, file: c.file, off: c.off, whole: c.whole}, int64(c.size))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) logRecords(ctx context.Context, each func(*held) error) error {
	for i, seg := range s.segments {
		for r, err := range wal.Read(seg.File, seg.Size, nil, nil) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || r.Kind != wal.KindEntry && r.Kind != wal.KindTorn {
				continue
			}
			for op := range wal.All(r.Entry.Ops) {
				if op.Kind != wal.OpPut || op.IgnoreValue {
					continue
				}
				v := held{in: s, key: op.Key, value: op.Value, place: inWAL, file: segmentFile(i), off: op.ValueOff,
					index: r.Entry.Index, whole: op.Complete}
				if err := each(&v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sealed is eachValue for encrypted values.
func (s *survey) sealed(ctx context.Context, each func(*held) error) error {
	return s.eachValue(ctx, func(v *held) error {
		if !envelope.IsEncrypted(v.value) {
			return nil
		}
		return each(v)
	})
}
