package seen

import (
	"context"
	"errors"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/v2store"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// Which records are there, and which of them are the tree's? Every pass over a db goes by the
// same rules:
//
//  1. A leaf is of the newest tree if the tree leads to it and means it: the header has the
//     page's own ID and says that it is a leaf, and its first key is the one that led there.
//     An inline bucket is where the leaf around it is.
//  2. Each element of a leaf of the bucket "key" of that tree is one of its records. It counts
//     with a broken form, too, as far as that can be read: something stood there.
//  3. A record anywhere else is residue: on a leaf that the tree does not lead to, even among the
//     overflow pages of another page; on a leaf that it leads to and does not mean; in another
//     bucket of the tree. It counts if its form is whole, and nothing is wrong with its element
//     but what lies before it. etcd's other buckets have no records.
//  4. Where the tree leads to a page and means another, anything may stand there. It is read as a
//     leaf if its header names the page, or if all of its elements are in order.
//  5. Values that no page holds as a record are found by their bytes (decode/carve).
//  6. A put in the WAL counts in either branch of its transaction: its bytes are there, whether
//     it took effect or not. So does a value in a request of the v2 API.
//  7. A value in the v2 store of a raft snapshot counts, whether a node or an event has it.
//
// The second witness has code of its own for rules 1 and 2.

// A Holding is what a page holds of the bucket "key".
type Holding uint8

const (
	HoldsNone    Holding = iota // nothing: no leaf, or none that can be read as one
	HoldsTree                   // records of the newest tree
	HoldsState                  // another of etcd's buckets, in that tree
	HoldsResidue                // records that the tree does not have there
)

// Holding is rules 1 and 4. It is valid for the pages of a sweep, once that has named the bucket
// of the page in Buckets.
func (ev *Evidence) Holding(p page.Page) Holding {
	switch {
	case p.Use == page.Leaf && !IsMisplaced(p):
		if ev.bucketName(p) == mvcc.BucketKey {
			return HoldsTree
		}
		return HoldsState
	case p.Use == page.Leaf && hasTable(p), (p.Use == page.Unreachable || p.Use == page.Tail) && p.Elements():
		return HoldsResidue
	}
	return HoldsNone
}

// bucketName is the path of the bucket of p, empty if it has none.
func (ev *Evidence) bucketName(p page.Page) string {
	if p.Bucket < len(ev.Buckets) {
		return ev.Buckets[p.Bucket]
	}
	return ""
}

// IsMisplaced reports whether the tree leads to p for a leaf, and p is another leaf or no leaf.
func IsMisplaced(p page.Page) bool {
	return p.Use == page.Leaf && (p.Astray || p.Header.Flags != page.FlagLeaf)
}

// hasTable is the second half of rule 4: whether a misplaced page can be read as a leaf. An inline
// bucket is read with the leaf around it.
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

// Takes is the part of rules 2 and 3 that is about elements. err is what is wrong with e.
func (h Holding) Takes(e page.LeafElement, err error) bool {
	return e.Key != nil && (h != HoldsResidue || err == nil || isGap(err))
}

// isGap reports whether all that is wrong with an element is what lies before it.
func isGap(err error) bool { return errors.Is(err, decode.ErrValue) }

// A pageRecord is a record that a page holds. It is valid until the next one.
type pageRecord struct {
	mvcc.Record
	inTree bool
	err    error // what is wrong with its form; nil outside of the tree
}

// recordsOf yields the records of the bucket "key" on a page, by rules 1 to 4. It leaves out
// records without a key, such as the mark of a restored snapshot.
func (ev *Evidence) recordsOf(p page.Page) iter.Seq[pageRecord] {
	return func(yield func(pageRecord) bool) { eachRecord(p, ev.Holding(p), yield) }
}

// eachRecord yields the records of a page that holds h, and of the inline buckets in residue. It is
// false if yield was.
func eachRecord(p page.Page, h Holding, yield func(pageRecord) bool) bool {
	if h == HoldsNone {
		return true
	}
	for e, err := range p.LeafElements() {
		if inline, ok := p.InlineBucket(e); ok && h == HoldsResidue {
			if !eachRecord(inline, h, yield) {
				return false
			}
			continue
		}
		if !h.Takes(e, err) || e.IsBucket() || h == HoldsState && len(e.Value) == 0 {
			continue
		}
		r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
		if len(r.Key) == 0 || err != nil && h != HoldsTree {
			continue
		}
		if !yield(pageRecord{r, h == HoldsTree, err}) {
			return false
		}
	}
	return true
}

// A Value is a value of a known key, wherever it lies. Key and Value are valid until the next one.
type Value struct {
	In      *Evidence
	Key     []byte
	Value   []byte        // what is there of it
	Rev     mvcc.Revision // 0 if it is not known, as in the WAL
	Create  int64         // main revision; 0 if it is not known, as in the WAL
	Version int64         // likewise
	Place   Place
	File    FileID
	Off     int64     // of the value, in File
	Index   wal.Index // of the raft entry; 0 outside the WAL
	Whole   bool      // all of the value is there
}

// Entry is the entry whose newest value is v, nil if v is not the newest of its key.
func (v *Value) Entry() *Entry {
	id := v.In.Keys.Find(v.Key)
	if id == 0 {
		return nil
	}
	e := v.In.Keys.At(id)
	if e.Deleted || e.File != v.File || e.Off != v.Off {
		return nil
	}
	return e
}

// EachValue calls each for every value whose key is known, in every region of the evidence: in the
// tree, outside of it, carved, and in the WAL. Some carved values come twice. It is valid after the
// sweep, while there is a Tree.
//
// It reads the files again, because to keep all values would take as much memory as they do. What
// the disk does not give this time is left to AddUnread. The error is that of each or of ctx.
func (ev *Evidence) EachValue(ctx context.Context, each func(*Value) error) error {
	if err := ev.pageRecords(ctx, each); err != nil {
		return err
	}
	if err := ev.carvedRecords(each); err != nil {
		return err
	}
	return ev.logRecords(ctx, each)
}

// EachSealed is EachValue for encrypted values.
func (ev *Evidence) EachSealed(ctx context.Context, each func(*Value) error) error {
	return ev.EachValue(ctx, func(v *Value) error {
		if !envelope.IsEncrypted(v.Value) {
			return nil
		}
		return each(v)
	})
}

func (ev *Evidence) pageRecords(ctx context.Context, each func(*Value) error) error {
	if ev.Pages == nil {
		return ctx.Err()
	}
	for p := range ev.Pages.Sweep(ev.Tree, nil) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for r := range ev.recordsOf(p) {
			if r.Tombstone {
				continue
			}
			v := Value{
				In: ev, Key: r.Key, Value: r.Value, Rev: r.Revision, Create: r.CreateRevision, Version: r.Version,
				Place: InTree, File: DBFile, Off: r.ValueOff, Whole: r.err == nil,
			}
			if !r.inTree {
				v.Place = PlaceOf(p)
			}
			if err := each(&v); err != nil {
				return err
			}
		}
	}
	return nil
}

// carvedRecords yields the values that no record of a page holds: plaintext ones are among
// Copies, encrypted ones in the Ledger.
func (ev *Evidence) carvedRecords(each func(*Value) error) error {
	var buf []byte
	read := func(v Value, size int64) error {
		buf = append(buf[:0], make([]byte, size)...)
		if err := ev.SourceOf(v.File).ReadFull(buf, v.Off); err != nil {
			return nil // it could be read before: AddUnread tells
		}
		v.In, v.Value = ev, v.Place.stored(buf)
		return each(&v)
	}
	for _, at := range ev.Copies.All() {
		if at.Place != InPieces && at.Place != InTail && at.Place != InV2Store || at.Deletion {
			continue
		}
		err := read(Value{
			Key: []byte(at.Key), Rev: at.Rev, Create: at.Create, Version: at.Version,
			Place: at.Place, File: at.File, Off: at.Off, Whole: at.Complete,
		}, at.Size)
		if err != nil {
			return err
		}
	}
	for i := range ev.Ledger.carved {
		c := &ev.Ledger.carved[i]
		err := read(Value{Key: []byte(c.key), Rev: c.rev, Place: c.place, File: c.file, Off: c.off, Whole: c.whole}, int64(c.size))
		if err != nil {
			return err
		}
	}
	return nil
}

func (ev *Evidence) logRecords(ctx context.Context, each func(*Value) error) error {
	for i, seg := range ev.Segments {
		for r, err := range wal.Read(seg.Data(), seg.Size, nil, nil) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || r.Kind != wal.KindEntry && r.Kind != wal.KindTorn {
				continue
			}
			for op := range wal.All(r.Entry.Ops) {
				if !op.HasValue() {
					continue
				}
				v := Value{
					In: ev, Key: op.Key, Value: op.Value, Place: InWAL, File: SegmentFile(i), Off: op.ValueOff,
					Index: r.Entry.Index, Whole: op.Complete,
				}
				if op.IsV2() {
					v.Place, v.Value = InV2Request, v2store.Plain(op.Value)
				}
				if err := each(&v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
