package analyzer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// snapshotHashSize is the size of the SHA-256 that etcd puts behind a snapshot.
// A db is a whole number of pages, so the size of the file tells of it.
//
// Source: the size check in go.etcd.io/etcd/etcdutl/v3/snapshot/v3_snapshot.go.
const snapshotHashSize = sha256.Size

// maxDamage bounds the damage that one report lists for one file.
const maxDamage = 1000

// firstRevision is that of an etcd to which nobody has written yet.
const firstRevision = 1

// A survey is the examination of one piece of evidence: a db and the WAL beside it,
// where it has one, or a WAL alone.
type survey struct {
	Source   // the db; File is nil for a WAL alone
	watch    *watch
	evidence report.Evidence
	db       report.DBFacts
	details  report.Details
	keys     keyspace
	etcd     mvcc.State
	names    *object.Registry
	strays   map[string]object.Identity // Secrets whose keys do not say so, by key
	segments []*segment                 // of the WAL
	commit   wal.Index                  // the highest index that the WAL says is committed

	ledger    *ledger // of all values, whoever watches them
	sightings chunks[sighting]
	// before is how values were stored that only writes replace that may never take effect,
	// by the entry of their key.
	before map[entryID][]storedID

	unheld   map[string]string // keys of sightings that the tree does not have
	contents *contents
	residue
	file *page.File // nil if it is no db
	tree *page.Tree // nil when nothing reads the pages any more
	torn bool // a record of the tree, or an element that may be one, could not be read
	lost bool // something of the tree is missing

	notExamined []report.NotExamined

	damage     []report.Damage
	damageMore int
	bytesRead  int64
	records    int
	buckets    []string // names by the index in page.Tree.Buckets
}

func newSurvey(source Source, w *watch) *survey {
	s := &survey{Source: source, watch: w, strays: map[string]object.Identity{}}
	s.evidence = report.Evidence{
		Path: s.Path, Size: s.Size, Kind: cmp.Or(s.Kind, report.KindDB), SnapshotHash: report.HashAbsent, What: s.What,
	}
	s.reset()
	return s
}

// name is what errors call the survey.
func (s *survey) name() string { return s.Path.ValidUTF8() }

// A fileID is a file of a survey, in which bytes lie; 0 is none.
type fileID int32

// dbFile is the db. The segments of its WAL come after it, in their order.
const dbFile fileID = 1

// segmentFile is the segment of that index in survey.segments.
func segmentFile(i int) fileID { return dbFile + 1 + fileID(i) }

// source is the file of that ID, which is not 0.
func (s *survey) source(id fileID) *Source {
	if id == dbFile {
		return &s.Source
	}
	return &s.segments[id-segmentFile(0)].Source
}

// examine reads the file. Its error is that of the context.
func (s *survey) examine(ctx context.Context, progress progress) error {
	dbSize := s.Size
	if s.Size%512 == snapshotHashSize {
		s.evidence.Kind = report.KindSnapshot
		dbSize -= snapshotHashSize
	}
	f, err := page.Open(io.NewSectionReader(s.File, 0, dbSize), dbSize)
	if err != nil {
		s.addDamage(err)
		return ctx.Err()
	}
	s.db.PageSize = f.PageSize
	s.file = f
	for _, depth := range []page.Depth{page.Branches, page.Thorough} {
		s.reset()
		tree := f.Walk(depth)
		s.tree = tree
		if err := s.sweep(ctx, f, tree, progress); err != nil {
			return err
		}
		if !tree.Deeper {
			if err := s.salvage(ctx, f, tree); err != nil {
				return err
			}
		}
		s.finish(f, tree)
		if !tree.Deeper {
			break
		}
	}
	return nil
}

// reset forgets what a sweep found.
func (s *survey) reset() {
	s.keys, s.etcd = newKeyspace(s.watch), mvcc.State{}
	s.ledger, s.before = newLedger(&s.keys, s.watch), map[entryID][]storedID{}
	s.sightings, s.unheld, s.contents = chunks[sighting]{}, map[string]string{}, newContents(s.watch.seed)
	s.residue = residue{}
	s.damage, s.damageMore, s.bytesRead, s.records, s.torn, s.lost = nil, 0, 0, 0, false, false
	s.buckets, s.details = nil, report.Details{Metas: []report.MetaDetails{}, Buckets: []report.BucketDetails{}, Prefixes: []report.Text{}}
	s.db.FreePages = 0
}

// sweep reads every page, hashes the file in the same pass, and takes the records
// of reachable leaves.
func (s *survey) sweep(ctx context.Context, f *page.File, tree *page.Tree, progress progress) error {
	for _, d := range tree.Damage {
		s.addDamage(d)
	}
	s.damageMore += tree.Dropped
	sum := digest{Hash: sha256.New()}
	for p, err := range f.Sweep(tree, func(off int64, b []byte) {
		sum.add(off, b)
		progress.tell(s.Path, sum.next, s.Size)
	}) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.addDamage(err)
			continue
		}
		switch p.Use {
		case page.Unreachable:
			s.db.FreePages += pagesOf(p, f) - uint64(p.Covered/f.PageSize)
			s.free(p)
		case page.Tail:
			s.free(p)
		case page.Leaf:
			s.leaf(p, f, tree)
		case page.Branch:
			s.bucketOf(p, tree).Pages += pagesOf(p, f)
			s.slack(p)
		case page.MetaPage, page.Freelist:
			s.slack(p)
		}
	}
	s.bytesRead = sum.read
	s.hash(&sum, f.Size())
	return nil
}

// leaf takes the entries of a leaf page of one of etcd's buckets.
func (s *survey) leaf(p page.Page, f *page.File, tree *page.Tree) {
	bucket := s.bucketOf(p, tree)
	if !p.Inline {
		bucket.Pages += pagesOf(p, f)
	}
	if isMisplaced(p) {
		s.misplaced(p)
		return
	}
	holds := s.holding(p)
	foreign := false // a record of the bucket "key" stands in another one, and what is beside it may be anything
	c := newCover(p)
	defer c.close(s)
	for e, err := range p.LeafElements() {
		if err != nil {
			s.torn = true
			s.addDamage(err)
		}
		if !holds.takes(e, err) {
			continue
		}
		if !e.IsBucket() {
			bucket.Keys++
		}
		known := true
		switch {
		case e.IsBucket():
		case holds == holdsTree:
			known = s.record(e, p)
		case s.isForeign(e, p):
			s.foreign(e, p)
			foreign = true
		default:
			known = !foreign
			if err := s.etcd.Add(s.buckets[p.Bucket], e.Key, e.Value, e.ValueOff()); err != nil {
				s.addDamage(err)
			}
		}
		if known {
			c.take(s, e)
		} else if e.Off-p.Off < int64(c.end) {
			s.carve(p, e.Value, e.ValueOff()) // it overlaps what is covered: c does not come back to it
		}
	}
}

// record takes a record of the tree. It is false where e is none: then its bytes are looked
// through together with those around it, because where it ends may be as wrong.
func (s *survey) record(e page.LeafElement, p page.Page) bool {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if err == nil && len(p.Data) > s.db.PageSize {
		err = checkSealed(&r, s.db.PageSize)
	}
	if err != nil {
		var format *decode.FormatError
		if errors.As(err, &format) {
			format.What = fmt.Sprintf("page %v, leaf element %d, %s", p.ID, e.Index, format.What)
		}
		s.torn = true
		s.addDamage(err)
	}
	s.records++
	if r.Marker {
		s.keys.newest = max(s.keys.newest, r.Revision.Main)
		s.keys.marker = max(s.keys.marker, r.Revision.Main)
	}
	if len(r.Key) == 0 {
		return err == nil
	}
	id := s.keys.add(&r, err)
	entry := s.keys.at(id)
	s.sight(&r, entry.watched, sighting{key: entry.key, entry: id, file: dbFile, place: inTree, off: e.Off, page: report.PageOf(uint64(p.ID))}, err)
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

// bucketName is the name of the bucket of p.
func (s *survey) bucketName(p page.Page) string {
	if p.Bucket < len(s.buckets) {
		return s.buckets[p.Bucket]
	}
	return ""
}

// bucketOf counts for the bucket of p; Sweep may have met it for the first time.
func (s *survey) bucketOf(p page.Page, tree *page.Tree) *report.BucketDetails {
	for i := len(s.buckets); i < len(tree.Buckets); i++ {
		name := tree.BucketPath(i)
		s.buckets = append(s.buckets, name)
		s.details.Buckets = append(s.details.Buckets, report.BucketDetails{Name: report.Text(name)})
	}
	return &s.details.Buckets[p.Bucket]
}

func pagesOf(p page.Page, f *page.File) uint64 {
	return uint64((len(p.Data) + f.PageSize - 1) / f.PageSize)
}

// finish notes the facts on the db that are known after the sweep.
func (s *survey) finish(f *page.File, tree *page.Tree) {
	s.etcd.Sort()
	ev := &s.db
	_, newestPage, valid := f.Meta()
	meta, used, _ := tree.Meta(f)
	ev.Pages = uint64(tree.HighWater())
	ev.TxID = meta.TxID
	ev.CompactRevision = s.etcd.FinishedCompactRev
	ev.Revision = max(s.keys.newest, s.etcd.FinishedCompactRev, s.etcd.ScheduledCompactRev)
	if valid {
		ev.Revision = max(ev.Revision, firstRevision)
	}
	ev.ConsistentIndex = s.etcd.ConsistentIndex
	ev.StorageVersion = report.Text(s.etcd.StorageVersion)
	s.details.ByteOrder = f.Order.String()
	for i, m := range f.Metas {
		s.details.Metas = append(s.details.Metas, report.MetaDetails{
			Page: i, TxID: m.TxID, Root: uint64(m.Root), HighWater: uint64(m.HighWater),
			Valid: f.MetaErrs[i] == nil, Newest: valid && page.ID(i) == newestPage,
			UsedInstead: valid && page.ID(i) == used && used != newestPage,
		})
	}
	if valid && !slices.Contains(s.buckets, mvcc.BucketKey) {
		s.addDamage(&decode.FormatError{Off: int64(used) * int64(f.PageSize), Err: decode.ErrMissing,
			What: `root bucket: bucket "key", which every etcd db has`})
	}
	if s.keys.marker > s.etcd.ScheduledCompactRev {
		// restore --bump-revision compacts at the revision that it writes without a
		// KeyValue. Any other such record has lost its own.
		s.addDamage(&decode.FormatError{Off: 0, Err: decode.ErrTruncated,
			What: fmt.Sprintf("bucket key, KeyValue of revision %d", s.keys.marker)})
	}
	for _, e := range s.keys.entries.all() {
		switch {
		case e.deleted:
		case e.unknown:
			s.details.UnknownKeys++
		default:
			s.details.LiveKeys++
		}
	}
	s.details.Etcd = etcdOf(&s.etcd)
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

func (s *survey) addDamage(err error) { s.addDamageIn(s.Path, s.db.PageSize, err) }

// addDamageIn notes damage in a file with pages of that size, 0 for none.
func (s *survey) addDamageIn(path report.Text, pageSize int, err error) {
	d := report.Damage{Path: path, What: err.Error()}
	var format *decode.FormatError
	if errors.As(err, &format) {
		d.Offset = format.Off
		d.What = fmt.Sprintf("%s: %v", format.What, format.Err)
		d.Page = report.PageAt(format.Off, pageSize)
	}
	if len(s.damage) == maxDamage {
		s.damageMore++
		return
	}
	s.damage = append(s.damage, d)
}

// hash ends the digest with the hash behind a snapshot, and compares the two.
func (s *survey) hash(sum *digest, dbSize int64) {
	if s.evidence.Kind == report.KindSnapshot {
		s.evidence.SnapshotHash = report.HashUnverified
		trailer := make([]byte, snapshotHashSize)
		if err := s.readAt(trailer, dbSize); err != nil {
			s.addDamage(&decode.FormatError{Off: dbSize, What: "snapshot hash", Err: err})
		} else {
			if sum.read == dbSize {
				s.evidence.SnapshotHash = report.HashMismatch
			}
			if string(sum.Sum(nil)) == string(trailer) {
				s.evidence.SnapshotHash = report.HashValid
			}
			sum.add(dbSize, trailer)
			s.bytesRead += snapshotHashSize
		}
	}
	if sum.next == s.Size && sum.read == s.Size {
		s.evidence.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
}

// read reads the value of e again.
func (s *survey) read(e *entry) ([]byte, error) {
	b := make([]byte, e.size)
	return b, s.source(e.file).readAt(b, e.off)
}

// readAt fills b; a file that ends before has shrunk.
func (s *Source) readAt(b []byte, off int64) error {
	n, err := s.File.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A digest hashes bytes that come in file order, and counts them. Where a part of
// the file is missing the hash means nothing, and read shows it.
type digest struct {
	hash.Hash
	next int64 // offset behind the last byte
	read int64
}

func (d *digest) add(off int64, b []byte) {
	d.Write(b)
	d.next = off + int64(len(b))
	d.read += int64(len(b))
}
