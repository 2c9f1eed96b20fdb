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

func MembersOf(ev *Evidence) []mvcc.MemberID {
	ids := slices.Clone(ev.Etcd.RemovedMembers)
	for _, m := range ev.Etcd.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// PageAt is the page of an offset in a file, none in a WAL segment.
func (ev *Evidence) PageAt(file FileID, off int64) report.Page {
	return report.PageAt(off, ev.pageSizeOf(ev.SourceOf(file)))
}

// ReadSighting reads the bytes of a sighting again.
func (ev *Evidence) ReadSighting(at *Copy) ([]byte, error) {
	b := make([]byte, at.Size)
	if err := ev.SourceOf(at.File).ReadFull(b, at.Off); err != nil {
		return nil, readError(at.Page, at.Off, err)
	}
	return b, nil
}

// Identity is which object a key stands for; the zero Identity for none.
func (ev *Evidence) Identity(key string) object.Identity {
	if id, ok := ev.Disguised[key]; ok {
		return id
	}
	id, _ := ev.Names.Identify(key)
	return id
}

// HasValues reports whether the survey is of what an etcd works with: what it left
// behind holds no newest values of its own.
func (ev *Evidence) HasValues() bool { return ev.What == "" && ev.Kind != report.KindOther }

// IsBlind reports whether nobody knows what the log comes after: there is no db, or it
// does not tell any more which entries it has.
func (ev *Evidence) IsBlind() bool { return ev.File == nil || ev.Lost && ev.Etcd.ConsistentIndex == 0 }

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
	ev := &Evidence{Source: source, Interest: w, Disguised: map[string]object.Identity{}}
	ev.Facts = report.Evidence{
		Path: ev.Path, Size: ev.Size, Kind: cmp.Or(ev.Kind, report.KindDB), SnapshotHash: report.HashAbsent, What: ev.What,
	}
	ev.Reset()
	return ev
}

// Title is what errors call the survey.
func (ev *Evidence) Title() string { return ev.Path.ValidUTF8() }

// A FileID is a file of a survey, in which bytes lie; 0 is none.
type FileID int32

// DbFile is the db. The segments of its WAL come after it, in their order.
const DbFile FileID = 1

// SegmentFile is the segment of that index in survey.segments.
func SegmentFile(i int) FileID { return DbFile + 1 + FileID(i) }

// SourceOf is the file of that ID, which is not 0.
func (ev *Evidence) SourceOf(id FileID) *evidence.Source {
	if id == DbFile {
		return &ev.Source
	}
	return &ev.Segments[id-SegmentFile(0)].Source
}

// Reset forgets what a sweep found.
func (ev *Evidence) Reset() {
	ev.Keys, ev.Etcd = newKeyspace(ev.Interest), mvcc.State{}
	ev.Ledger, ev.Before = newLedger(&ev.Keys, ev.Interest), map[EntryID][]StorageID{}
	ev.Copies, ev.Unheld, ev.Contents = mem.List[Copy]{}, map[string]string{}, newContents(ev.Interest.Seed)
	ev.residue = residue{}
	ev.Damage, ev.DamageMore, ev.BytesRead, ev.Records, ev.Torn, ev.Lost = nil, 0, 0, 0, false, false
	ev.Buckets, ev.Details = nil, report.Details{Metas: []report.MetaDetails{}, Buckets: []report.BucketDetails{}, Prefixes: []report.Text{}}
	ev.DB.FreePages = 0
}

// bucketName is the name of the bucket of p.
func (ev *Evidence) bucketName(p page.Page) string {
	if p.Bucket < len(ev.Buckets) {
		return ev.Buckets[p.Bucket]
	}
	return ""
}

// Read reads the value of e again.
func (ev *Evidence) Read(e *Entry) ([]byte, error) {
	b := make([]byte, e.Size)
	return b, ev.SourceOf(e.File).ReadFull(b, e.Off)
}
