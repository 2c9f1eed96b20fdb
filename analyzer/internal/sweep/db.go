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
func DB(s *seen.Evidence, ctx context.Context, progress Progress) error {
	dbSize := s.Size
	if s.Size%512 == evidence.SnapshotHashSize {
		s.Facts.Kind = report.KindSnapshot
		dbSize -= evidence.SnapshotHashSize
	}
	f, err := page.Open(io.NewSectionReader(s.File, 0, dbSize), dbSize)
	if err != nil {
		s.AddDamage(err)
		return ctx.Err()
	}
	s.DB.PageSize = f.PageSize
	s.Pages = f
	for _, depth := range []page.Depth{page.Branches, page.Thorough} {
		s.Reset()
		tree := f.Walk(depth)
		s.Tree = tree
		if err := sweepPages(s, ctx, f, tree, progress); err != nil {
			return err
		}
		if !tree.Deeper {
			if err := salvageKeys(s, ctx, f, tree); err != nil {
				return err
			}
		}
		finish(s, f, tree)
		if !tree.Deeper {
			break
		}
	}
	return nil
}

// sweepPages reads every page, hashes the file in the same pass, and takes the records
// of reachable leaves.
func sweepPages(s *seen.Evidence, ctx context.Context, f *page.File, tree *page.Tree, progress Progress) error {
	for _, d := range tree.Damage {
		s.AddDamage(d)
	}
	s.DamageMore += tree.Dropped
	sum := digest{Hash: sha256.New()}
	for p, err := range f.Sweep(tree, func(off int64, b []byte) {
		sum.add(off, b)
		progress.tell(s.Path, sum.next, s.Size)
	}) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.AddDamage(err)
			continue
		}
		switch p.Use {
		case page.Unreachable:
			s.DB.FreePages += pagesOf(p, f) - uint64(p.Covered/f.PageSize)
			freePage(s, p)
		case page.Tail:
			freePage(s, p)
		case page.Leaf:
			leaf(s, p, f, tree)
		case page.Branch:
			bucketOf(s, p, tree).Pages += pagesOf(p, f)
			slack(s, p)
		case page.MetaPage, page.Freelist:
			slack(s, p)
		}
	}
	s.BytesRead = sum.read
	hashSnapshot(s, &sum, f.Size())
	return nil
}

// leaf takes the entries of a leaf page of one of etcd's buckets.
func leaf(s *seen.Evidence, p page.Page, f *page.File, tree *page.Tree) {
	bucket := bucketOf(s, p, tree)
	if !p.Inline {
		bucket.Pages += pagesOf(p, f)
	}
	if seen.IsMisplaced(p) {
		misplacedPage(s, p)
		return
	}
	holds := s.Holding(p)
	foreign := false // a record of the bucket "key" stands in another one, and what is beside it may be anything
	c := newCover(p)
	defer c.close(s)
	for e, err := range p.LeafElements() {
		if err != nil {
			s.Torn = true
			s.AddDamage(err)
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
			known = record(s, e, p)
		case isForeign(s, e, p):
			foreignRecord(s, e, p)
			foreign = true
		default:
			known = !foreign
			if err := s.Etcd.Add(s.Buckets[p.Bucket], e.Key, e.Value, e.ValueOff()); err != nil {
				s.AddDamage(err)
			}
		}
		if known {
			c.take(s, e)
		} else if e.Off-p.Off < int64(c.end) {
			carvePage(s, p, e.Value, e.ValueOff()) // it overlaps what is covered: c does not come back to it
		}
	}
}

// record takes a record of the tree. It is false where e is none: then its bytes are looked
// through together with those around it, because where it ends may be as wrong.
func record(s *seen.Evidence, e page.LeafElement, p page.Page) bool {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && len(p.Data) > s.DB.PageSize {
		err = checkSealed(&r, s.DB.PageSize)
	}
	if err != nil {
		var format *decode.FormatError
		if errors.As(err, &format) {
			format.What = fmt.Sprintf("page %v, leaf element %d, %s", p.ID, e.Index, format.What)
		}
		s.Torn = true
		s.AddDamage(err)
	}
	s.Records++
	if r.Marker {
		s.Keys.Newest = max(s.Keys.Newest, r.Revision.Main)
		s.Keys.Marker = max(s.Keys.Marker, r.Revision.Main)
	}
	if len(r.Key) == 0 {
		return err == nil
	}
	id := s.Keys.Add(&r, err)
	entry := s.Keys.At(id)
	sight(s, &r, entry.Watched, seen.Copy{Key: entry.Key, Entry: id, File: seen.DbFile, Place: seen.InTree, Off: e.Off, Page: report.PageOf(uint64(p.ID))}, err)
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
func bucketOf(s *seen.Evidence, p page.Page, tree *page.Tree) *report.BucketDetails {
	for i := len(s.Buckets); i < len(tree.Buckets); i++ {
		name := tree.BucketPath(i)
		s.Buckets = append(s.Buckets, name)
		s.Details.Buckets = append(s.Details.Buckets, report.BucketDetails{Name: report.Text(name)})
	}
	return &s.Details.Buckets[p.Bucket]
}

func pagesOf(p page.Page, f *page.File) uint64 {
	return uint64((len(p.Data) + f.PageSize - 1) / f.PageSize)
}

// finish notes the facts on the db that are known after the sweep.
func finish(s *seen.Evidence, f *page.File, tree *page.Tree) {
	s.Etcd.Sort()
	ev := &s.DB
	_, newestPage, valid := f.Meta()
	meta, used, _ := tree.Meta(f)
	ev.Pages = uint64(tree.HighWater())
	ev.TxID = meta.TxID
	ev.CompactRevision = s.Etcd.FinishedCompactRev
	ev.Revision = max(s.Keys.Newest, s.Etcd.FinishedCompactRev, s.Etcd.ScheduledCompactRev)
	if valid {
		ev.Revision = max(ev.Revision, firstRevision)
	}
	ev.ConsistentIndex = s.Etcd.ConsistentIndex
	ev.StorageVersion = report.Text(s.Etcd.StorageVersion)
	s.Details.ByteOrder = f.Order.String()
	for i, m := range f.Metas {
		s.Details.Metas = append(s.Details.Metas, report.MetaDetails{
			Page: i, TxID: m.TxID, Root: uint64(m.Root), HighWater: uint64(m.HighWater),
			Valid: f.MetaErrs[i] == nil, Newest: valid && page.ID(i) == newestPage,
			UsedInstead: valid && page.ID(i) == used && used != newestPage,
		})
	}
	if valid && !slices.Contains(s.Buckets, mvcc.BucketKey) {
		s.AddDamage(&decode.FormatError{Off: int64(used) * int64(f.PageSize), Err: decode.ErrMissing,
			What: `root bucket: bucket "key", which every etcd db has`})
	}
	if s.Keys.Marker > s.Etcd.ScheduledCompactRev {
		// restore --bump-revision compacts at the revision that it writes without a
		// KeyValue. Any other such record has lost its own.
		s.AddDamage(&decode.FormatError{Off: 0, Err: decode.ErrTruncated,
			What: fmt.Sprintf("bucket key, KeyValue of revision %d", s.Keys.Marker)})
	}
	for _, e := range s.Keys.Entries.All() {
		switch {
		case e.Deleted:
		case e.Unknown:
			s.Details.UnknownKeys++
		default:
			s.Details.LiveKeys++
		}
	}
	s.Details.Etcd = etcdOf(&s.Etcd)
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
