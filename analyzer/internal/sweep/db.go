package sweep

import (
	"context"
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

// sectorSize divides the size of every db, in bytes: by that etcd tells a snapshot with its hash
// behind it from a db.
//
// Source: hasChecksum in go.etcd.io/etcd/etcdutl/v3/snapshot/v3_snapshot.go.
const sectorSize = 512

// DB reads the bbolt file of ev. Damage goes to ev; the error is that of ctx.
func DB(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	dbSize := ev.Size
	if ev.Size%sectorSize == evidence.SnapshotHashSize {
		ev.Facts.Kind = report.KindSnapshot
		dbSize -= evidence.SnapshotHashSize
	}
	f, err := page.Open(io.NewSectionReader(ev.File, ev.Base, dbSize), dbSize)
	if err != nil {
		ev.AddDamage(err)
		return ctx.Err()
	}
	ev.DB.PageSize = f.PageSize
	ev.Pages = f
	for _, depth := range []page.Depth{page.Branches, page.Thorough} {
		ev.Reset()
		ev.Tree = f.Walk(depth)
		if err := sweepPages(ctx, ev, progress); err != nil {
			return err
		}
		if !ev.Tree.Deeper {
			break
		}
	}
	if len(ev.Damage) > 0 {
		addInserted(ev)
	}
	if err := salvageKeys(ctx, ev); err != nil {
		return err
	}
	finish(ev)
	return nil
}

// addInserted says once what moved the pages of a db, if messages were written among them.
func addInserted(ev *seen.Evidence) {
	if n, off, end, ok := ev.Pages.Inserted(); ok {
		ev.AddDamage(&decode.FormatError{Off: off, Err: decode.ErrValue, What: fmt.Sprintf(
			"%d bytes too many in the %d bytes from here on, perhaps messages that were written among the pages: all pages behind them are out of place", n, end-off)})
	}
}

// sweepPages reads every page of ev.Pages by ev.Tree, and hashes the file in the same pass.
func sweepPages(ctx context.Context, ev *seen.Evidence, progress Progress) error {
	f, tree := ev.Pages, ev.Tree
	for _, d := range tree.Damage {
		ev.AddDamage(d)
	}
	ev.DamageMore += tree.Dropped
	sum, whole := newDigest(), newDigest()
	around := ev.Whole() > ev.Size
	if ev.Facts.Surroundings = nil; around {
		searchAround(ev, &whole, -ev.Before, ev.Before)
	}
	tap := func(off int64, b []byte) {
		sum.add(off, b)
		if around {
			whole.add(off, b)
		}
		progress.tell(ev.Path, ev.Before+sum.next, ev.Whole())
	}
	for p, err := range f.Sweep(tree, tap) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			ev.AddDamage(err)
			continue
		}
		switch p.Use {
		case page.Unreachable:
			ev.DB.FreePages += pageCount(p, f.PageSize) - uint64(p.Covered/f.PageSize)
			takeFreePage(ev, p)
		case page.Tail:
			takeFreePage(ev, p)
		case page.Leaf:
			takeLeaf(ev, p)
		case page.Branch:
			bucketOf(ev, p).Pages += pageCount(p, f.PageSize)
			carveSlack(ev, p)
		case page.MetaPage, page.Freelist:
			carveSlack(ev, p)
		}
	}
	trailer := hashSnapshot(ev, &sum, f.Size())
	carveUnvouched(ev)
	if around {
		whole.add(f.Size(), trailer)
		searchAround(ev, &whole, ev.Size, ev.Behind)
		sum = whole
	}
	if ev.BytesRead = sum.read; sum.read == ev.Whole() {
		ev.Facts.SHA256 = sum.hex()
	}
	return nil
}

// bucketOf is the details of the bucket of p. ev learns here of the buckets that the sweep
// has met meanwhile.
func bucketOf(ev *seen.Evidence, p page.Page) *report.BucketDetails {
	for i := len(ev.Buckets); i < len(ev.Tree.Buckets); i++ {
		name := ev.Tree.BucketPath(i)
		ev.Buckets = append(ev.Buckets, name)
		ev.Details.Buckets = append(ev.Details.Buckets, report.BucketDetails{Name: report.Text(name)})
	}
	return &ev.Details.Buckets[p.Bucket]
}

// pageCount is how many pages p has, with its overflow pages.
func pageCount(p page.Page, pageSize int) uint64 {
	return uint64((len(p.Data) + pageSize - 1) / pageSize)
}

// takeLeaf takes the elements of a leaf that the tree leads to, and carves what lies between
// them.
func takeLeaf(ev *seen.Evidence, p page.Page) {
	bucket := bucketOf(ev, p)
	if !p.Inline {
		bucket.Pages += pageCount(p, ev.DB.PageSize)
	}
	if seen.IsMisplaced(p) {
		takeMisplaced(ev, p)
		return
	}
	holds := ev.Holding(p)
	foreign := false // a record of the bucket "key" stands in another one, and what is beside it may be anything
	gaps := gapCarver{ev: ev, page: p, end: elementsStart(p)}
	defer gaps.close()
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
			known = takeRecord(ev, p, e)
		case isForeign(e):
			takeForeign(ev, p, e)
			foreign = true
		default:
			known = !foreign && mvcc.IsStateOf(ev.Buckets[p.Bucket], e.Key, e.Value)
			if err := ev.Etcd.Add(ev.Buckets[p.Bucket], e.Key, e.Value, e.ValueOff()); err != nil {
				ev.AddDamage(err)
			}
		}
		if known {
			gaps.cover(e)
		} else if e.Off-p.Off < int64(gaps.end) {
			carvePage(ev, p, e.Value, e.ValueOff()) // it overlaps what is covered, where gaps does not look
		}
	}
}

// takeRecord takes e as a record of the tree. It is false if e has no form in which a key can
// be read: then e is carved with the bytes around it, because its bounds may be wrong, too.
func takeRecord(ev *seen.Evidence, p page.Page, e page.LeafElement) bool {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && len(p.Data) > ev.DB.PageSize {
		err = checkSealed(&r, ev.DB.PageSize)
	}
	if err == nil && checkParts(ev, r.Value, r.ValueOff, isWatched(ev, r.Key), seen.InTree) {
		err = &decode.FormatError{Off: r.ValueOff, What: "page that is no ciphertext in an encrypted value", Err: decode.ErrValue}
	}
	if err != nil {
		var format *decode.FormatError
		if errors.As(err, &format) {
			format.What = fmt.Sprintf("page %v, leaf element %d, %s", p.ID, e.Index, format.What)
		}
		ev.Torn = true
		ev.AddDamage(err)
	}
	ev.TreeRecords++
	if r.Marker {
		ev.Keys.Newest = max(ev.Keys.Newest, r.Revision.Main)
		ev.Keys.Marker = max(ev.Keys.Marker, r.Revision.Main)
	}
	if len(r.Key) == 0 {
		return err == nil
	}
	id := ev.Keys.Add(&r, err)
	entry := ev.Keys.At(id)
	noteRecord(ev, &r, err, entry.Watched, seen.Copy{
		Key: entry.Key, Entry: id, File: seen.DBFile, Place: seen.InTree,
		Off: e.Off, Page: report.PageOf(uint64(p.ID)),
	})
	return true
}

// minZeros is how many zeros no cipher writes side by side, in bytes.
const minZeros = 16

// checkSealed looks in an encrypted value for pages of zeros: a copied file has them where
// pages were lost. In a plaintext value they mean nothing.
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

// firstRevision is that of an etcd to which nobody has written yet.
const firstRevision = 1

// finish sets the facts about the db that are known after the sweep.
func finish(ev *seen.Evidence) {
	f, tree, db := ev.Pages, ev.Tree, &ev.DB
	ev.Etcd.Sort()
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
		// restore --bump-revision writes one record without a KeyValue, and compacts at its
		// revision. Any other such record has lost its KeyValue.
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
		ClusterVersion:      report.Text(s.ClusterVersion),
		DowngradeTarget:     report.Text(s.DowngradeTarget),
		Term:                s.Term,
		ScheduledCompactRev: s.ScheduledCompactRev,
		Members:             []report.Member{},
		RemovedMembers:      []string{},
		AuthEnabled:         s.AuthEnabled,
		AuthRevision:        s.AuthRevision,
		Users:               report.Texts(s.Users),
		Roles:               report.Texts(s.Roles),
		Alarms:              []report.Alarm{},
		Leases:              s.Leases,
	}
	for _, m := range s.Members {
		e.Members = append(e.Members, report.Member{
			ID: m.ID.String(), Name: report.Text(m.Name), PeerURLs: report.Texts(m.PeerURLs),
			ClientURLs: report.Texts(m.ClientURLs), IsLearner: m.IsLearner,
		})
	}
	for _, id := range s.RemovedMembers {
		e.RemovedMembers = append(e.RemovedMembers, id.String())
	}
	for _, a := range s.Alarms {
		e.Alarms = append(e.Alarms, report.Alarm{Member: a.Member.String(), Kind: a.Kind})
	}
	return e
}
