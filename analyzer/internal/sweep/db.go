package sweep

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// firstRevision is that of an etcd to which nobody has written yet.
const firstRevision = 1

// DB reads the file. Its error is that of the context.
func DB(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	dbSize := ev.Size
	if ev.Size%512 == evidence.SnapshotHashSize {
		ev.Facts.Kind = report.KindSnapshot
		dbSize -= evidence.SnapshotHashSize
	}
	f, err := page.Open(io.NewSectionReader(ev.File, 0, dbSize), dbSize)
	if err != nil {
		ev.AddDamage(err)
		return ctx.Err()
	}
	ev.DB.PageSize = f.PageSize
	ev.Pages = f
	for _, depth := range []page.Depth{page.Branches, page.Thorough} {
		ev.Reset()
		tree := f.Walk(depth)
		ev.Tree = tree
		if err := sweepPages(ctx, ev, f, tree, progress); err != nil {
			return err
		}
		if !tree.Deeper {
			if err := salvageKeys(ctx, ev, f, tree); err != nil {
				return err
			}
		}
		finish(ev, f, tree)
		if !tree.Deeper {
			break
		}
	}
	return nil
}

// sweepPages reads every page, hashes the file in the same pass, and takes the records
// of reachable leaves.
func sweepPages(ctx context.Context, ev *seen.Evidence, f *page.File, tree *page.Tree, progress Progress) error {
	for _, d := range tree.Damage {
		ev.AddDamage(d)
	}
	ev.DamageMore += tree.Dropped
	sum := digest{Hash: sha256.New()}
	for p, err := range f.Sweep(tree, func(off int64, b []byte) {
		sum.add(off, b)
		progress.tell(ev.Path, sum.next, ev.Size)
	}) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			ev.AddDamage(err)
			continue
		}
		switch p.Use {
		case page.Unreachable:
			ev.DB.FreePages += pagesOf(p, f) - uint64(p.Covered/f.PageSize)
			freePage(ev, p)
		case page.Tail:
			freePage(ev, p)
		case page.Leaf:
			leaf(ev, p, f, tree)
		case page.Branch:
			bucketOf(ev, p, tree).Pages += pagesOf(p, f)
			slack(ev, p)
		case page.MetaPage, page.Freelist:
			slack(ev, p)
		}
	}
	ev.BytesRead = sum.read
	hashSnapshot(ev, &sum, f.Size())
	return nil
}

// leaf takes the entries of a leaf page of one of etcd's buckets.
func leaf(ev *seen.Evidence, p page.Page, f *page.File, tree *page.Tree) {
	bucket := bucketOf(ev, p, tree)
	if !p.Inline {
		bucket.Pages += pagesOf(p, f)
	}
	if seen.IsMisplaced(p) {
		misplacedPage(ev, p)
		return
	}
	holds := ev.Holding(p)
	foreign := false // a record of the bucket "key" stands in another one, and what is beside it may be anything
	c := newCover(p)
	defer c.close(ev)
	for e, err := range p.LeafElements() {
		if err != nil {
			ev.Torn = true
			ev.AddDamage(err)
		}
		if !holds.Takes(e, err) {
			continue
		}
		if !e.IsBucket() {
			bucket.Keys++
		}
		known := true
		switch {
		case e.IsBucket():
		case holds == seen.HoldsTree:
			known = record(ev, e, p)
		case isForeign(ev, e, p):
			foreignRecord(ev, e, p)
			foreign = true
		default:
			known = !foreign
			if err := ev.Etcd.Add(ev.Buckets[p.Bucket], e.Key, e.Value, e.ValueOff()); err != nil {
				ev.AddDamage(err)
			}
		}
		if known {
			c.take(ev, e)
		} else if e.Off-p.Off < int64(c.end) {
			carvePage(ev, p, e.Value, e.ValueOff()) // it overlaps what is covered: c does not come back to it
		}
	}
}

// record takes a record of the tree. It is false where e is none: then its bytes are looked
// through together with those around it, because where it ends may be as wrong.
func record(ev *seen.Evidence, e page.LeafElement, p page.Page) bool {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && len(p.Data) > ev.DB.PageSize {
		err = checkSealed(&r, ev.DB.PageSize)
	}
	if err != nil {
		var format *decode.FormatError
		if errors.As(err, &format) {
			format.What = fmt.Sprintf("page %v, leaf element %d, %s", p.ID, e.Index, format.What)
		}
		ev.Torn = true
		ev.AddDamage(err)
	}
	ev.Records++
	if r.Marker {
		ev.Keys.Newest = max(ev.Keys.Newest, r.Revision.Main)
		ev.Keys.Marker = max(ev.Keys.Marker, r.Revision.Main)
	}
	if len(r.Key) == 0 {
		return err == nil
	}
	id := ev.Keys.Add(&r, err)
	entry := ev.Keys.At(id)
	sight(ev, &r, entry.Watched, seen.Copy{Key: entry.Key, Entry: id, File: seen.DbFile, Place: seen.InTree, Off: e.Off, Page: report.PageOf(uint64(p.ID))}, err)
	return true
}

// minZeros is how many zeros no cipher writes side by side, in bytes.
const minZeros = 16

// checkSealed looks for pages of zeros in an encrypted value, which a copy has in place of
// pages that it lost. In a plaintext value they mean nothing.
func checkSealed(r *mvcc.Record, pageSize int) error {
	if !envelope.IsEncrypted(r.Value) {
		return nil
	}
	for at := pageSize - int(r.ValueOff%int64(pageSize)); at+minZeros <= len(r.Value); at += pageSize {
		if page.IsZero(r.Value[at:min(at+pageSize, len(r.Value))]) {
			return &decode.FormatError{Off: r.ValueOff + int64(at), What: "page of zeros in an encrypted value", Err: decode.ErrValue}
		}
	}
	return nil
}

// bucketOf counts for the bucket of p; Sweep may have met it for the first time.
func bucketOf(ev *seen.Evidence, p page.Page, tree *page.Tree) *report.BucketDetails {
	for i := len(ev.Buckets); i < len(tree.Buckets); i++ {
		name := tree.BucketPath(i)
		ev.Buckets = append(ev.Buckets, name)
		ev.Details.Buckets = append(ev.Details.Buckets, report.BucketDetails{Name: report.Text(name)})
	}
	return &ev.Details.Buckets[p.Bucket]
}

func pagesOf(p page.Page, f *page.File) uint64 {
	return uint64((len(p.Data) + f.PageSize - 1) / f.PageSize)
}

// finish notes the facts on the db that are known after the sweep.
func finish(ev *seen.Evidence, f *page.File, tree *page.Tree) {
	ev.Etcd.Sort()
	db := &ev.DB
	_, newestPage, valid := f.Meta()
	meta, used, _ := tree.Meta(f)
	db.Pages = uint64(tree.HighWater())
	db.TxID = meta.TxID
	db.CompactRevision = ev.Etcd.FinishedCompactRev
	db.Revision = max(ev.Keys.Newest, ev.Etcd.FinishedCompactRev, ev.Etcd.ScheduledCompactRev)
	if valid {
		db.Revision = max(db.Revision, firstRevision)
	}
	db.ConsistentIndex = ev.Etcd.ConsistentIndex
	db.StorageVersion = report.Text(ev.Etcd.StorageVersion)
	ev.Details.ByteOrder = f.Order.String()
	for i, m := range f.Metas {
		ev.Details.Metas = append(ev.Details.Metas, report.MetaDetails{
			Page: i, TxID: m.TxID, Root: uint64(m.Root), HighWater: uint64(m.HighWater),
			Valid: f.MetaErrs[i] == nil, Newest: valid && page.ID(i) == newestPage,
			UsedInstead: valid && page.ID(i) == used && used != newestPage,
		})
	}
	if valid && !slices.Contains(ev.Buckets, mvcc.BucketKey) {
		ev.AddDamage(&decode.FormatError{Off: int64(used) * int64(f.PageSize), Err: decode.ErrMissing,
			What: `root bucket: bucket "key", which every etcd db has`})
	}
	if ev.Keys.Marker > ev.Etcd.ScheduledCompactRev {
		// restore --bump-revision compacts at the revision that it writes without a
		// KeyValue. Any other such record has lost its own.
		ev.AddDamage(&decode.FormatError{Off: 0, Err: decode.ErrTruncated,
			What: fmt.Sprintf("bucket key, KeyValue of revision %d", ev.Keys.Marker)})
	}
	for _, e := range ev.Keys.Entries.All() {
		switch {
		case e.Deleted:
		case e.Unknown:
			ev.Details.UnknownKeys++
		default:
			ev.Details.LiveKeys++
		}
	}
	ev.Details.Etcd = etcdOf(&ev.Etcd)
}

// etcdOf is the state of an etcd as it is reported.
func etcdOf(s *mvcc.State) report.Etcd {
	e := report.Etcd{
		ClusterVersion: report.Text(s.ClusterVersion), Term: s.Term, ScheduledCompactRev: s.ScheduledCompactRev,
		DowngradeTarget: report.Text(s.DowngradeTarget), Members: []report.Member{}, RemovedMembers: []string{},
		AuthEnabled: s.AuthEnabled, AuthRevision: s.AuthRevision, Users: report.Texts(s.Users), Roles: report.Texts(s.Roles),
		Alarms: []report.Alarm{}, Leases: s.Leases,
	}
	for _, m := range s.Members {
		e.Members = append(e.Members, report.Member{ID: m.ID.String(), Name: report.Text(m.Name), PeerURLs: report.Texts(m.PeerURLs), ClientURLs: report.Texts(m.ClientURLs), IsLearner: m.IsLearner})
	}
	for _, id := range s.RemovedMembers {
		e.RemovedMembers = append(e.RemovedMembers, id.String())
	}
	for _, a := range s.Alarms {
		e.Alarms = append(e.Alarms, report.Alarm{Member: a.Member.String(), Kind: a.Kind})
	}
	return e
}
