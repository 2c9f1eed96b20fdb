package seen

import (
	"cmp"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/wal"
)

func MembersOf(s *Evidence) []mvcc.MemberID {
	ids := slices.Clone(s.Etcd.RemovedMembers)
	for _, m := range s.Etcd.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// PageAt is the page of an offset in a file, none in a WAL segment.
func (s *Evidence) PageAt(file FileID, off int64) report.Page {
	return report.PageAt(off, s.pageSizeOf(s.SourceOf(file)))
}

// ReadSighting reads the bytes of a sighting again.
func (s *Evidence) ReadSighting(at *Copy) ([]byte, error) {
	b := make([]byte, at.Size)
	if err := s.SourceOf(at.File).ReadFull(b, at.Off); err != nil {
		return nil, readError(at.Page, at.Off, err)
	}
	return b, nil
}

// Identity is which object a key stands for; the zero Identity for none.
func (s *Evidence) Identity(key string) object.Identity {
	if id, ok := s.Disguised[key]; ok {
		return id
	}
	id, _ := s.Names.Identify(key)
	return id
}

// HasValues reports whether the survey is of what an etcd works with: what it left
// behind holds no newest values of its own.
func (s *Evidence) HasValues() bool { return s.What == "" && s.Kind != report.KindOther }

// IsBlind reports whether nobody knows what the log comes after: there is no db, or it
// does not tell any more which entries it has.
func (s *Evidence) IsBlind() bool { return s.File == nil || s.Lost && s.Etcd.ConsistentIndex == 0 }

// An Evidence is the examination of one piece of evidence: a db and the WAL beside it,
// where it has one, or a WAL alone.
type Evidence struct {
	evidence.Source // the db; File is nil for a WAL alone
	Interest        *Interest
	Facts           report.Evidence
	DB              report.DBFacts
	Details         report.Details
	Keys            Keyspace
	Etcd            mvcc.State
	Names           *object.Registry
	Disguised       map[string]object.Identity // Secrets whose keys do not say so, by key
	Segments        []*Segment                 // of the WAL
	Commit          wal.Index                  // the highest index that the WAL says is committed

	Ledger *ledger // of all values, whoever watches them
	Copies mem.List[Copy]
	// before is how values were stored that only writes replace that may never take effect,
	// by the entry of their key.
	Before map[EntryID][]StorageID

	Unheld   map[string]string // keys of sightings that the tree does not have
	Contents *contents
	residue
	Pages *page.File // nil if it is no db
	Tree  *page.Tree // nil when nothing reads the pages any more
	Torn  bool       // a record of the tree, or an element that may be one, could not be read
	Lost  bool       // something of the tree is missing

	NotExamined []report.NotExamined

	Damage     []report.Damage
	DamageMore int
	BytesRead  int64
	Records    int
	Buckets    []string // names by the index in page.Tree.Buckets
}

func NewSurvey(source evidence.Source, w *Interest) *Evidence {
	s := &Evidence{Source: source, Interest: w, Disguised: map[string]object.Identity{}}
	s.Facts = report.Evidence{
		Path: s.Path, Size: s.Size, Kind: cmp.Or(s.Kind, report.KindDB), SnapshotHash: report.HashAbsent, What: s.What,
	}
	s.Reset()
	return s
}

// Title is what errors call the survey.
func (s *Evidence) Title() string { return s.Path.ValidUTF8() }

// A FileID is a file of a survey, in which bytes lie; 0 is none.
type FileID int32

// DbFile is the db. The segments of its WAL come after it, in their order.
const DbFile FileID = 1

// SegmentFile is the segment of that index in survey.segments.
func SegmentFile(i int) FileID { return DbFile + 1 + FileID(i) }

// SourceOf is the file of that ID, which is not 0.
func (s *Evidence) SourceOf(id FileID) *evidence.Source {
	if id == DbFile {
		return &s.Source
	}
	return &s.Segments[id-SegmentFile(0)].Source
}

// Reset forgets what a sweep found.
func (s *Evidence) Reset() {
	s.Keys, s.Etcd = newKeyspace(s.Interest), mvcc.State{}
	s.Ledger, s.Before = newLedger(&s.Keys, s.Interest), map[EntryID][]StorageID{}
	s.Copies, s.Unheld, s.Contents = mem.List[Copy]{}, map[string]string{}, newContents(s.Interest.Seed)
	s.residue = residue{}
	s.Damage, s.DamageMore, s.BytesRead, s.Records, s.Torn, s.Lost = nil, 0, 0, 0, false, false
	s.Buckets, s.Details = nil, report.Details{Metas: []report.MetaDetails{}, Buckets: []report.BucketDetails{}, Prefixes: []report.Text{}}
	s.DB.FreePages = 0
}

// bucketName is the name of the bucket of p.
func (s *Evidence) bucketName(p page.Page) string {
	if p.Bucket < len(s.Buckets) {
		return s.Buckets[p.Bucket]
	}
	return ""
}

// Read reads the value of e again.
func (s *Evidence) Read(e *Entry) ([]byte, error) {
	b := make([]byte, e.Size)
	return b, s.SourceOf(e.File).ReadFull(b, e.Off)
}
