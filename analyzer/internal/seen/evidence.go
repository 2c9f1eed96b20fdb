package seen

import (
	"cmp"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// An Evidence is what a run has seen of one piece of evidence: a db and the WAL beside it, where
// it has one; a WAL alone; or a file without a structure, which is searched for objects.
//
// Its fields stand in the order of the phases that set them, and are valid once their phase is
// over. Before that they are zero or empty, and they stay so if there is nothing to tell: without
// a WAL there are no Segments. A comment says where a later phase changes a field.
type Evidence struct {
	// Opening, by NewSurvey.

	// Source is the db, or the file that is searched. Of a WAL alone it has the Path of a segment
	// and nothing else; File is nil.
	evidence.Source
	// Interest says which copies the passes keep. All evidence of a run shares it.
	Interest *Interest
	// Facts are what the report says of Source; they mean nothing of a WAL alone. The sweep
	// adds kind and hashes. At the end the analyzer adds what the second witness read, and what
	// became of the file.
	Facts report.Evidence

	// The sweep of the db. A file that is searched has BytesRead alone; a WAL alone has none of
	// these but Details.LiveKeys.

	Pages   *page.File // nil if Source is no db
	Tree    *page.Tree // valid during the sweep, too; nil again when no phase needs it: its marks take memory
	Buckets []string   // paths, by the index in page.Tree.Buckets
	DB      report.DBFacts
	Etcd    mvcc.State
	// Torn says that a record of the tree, or an element that may be one, could not be read, or
	// that a record stands where none belongs.
	Torn bool
	// Lost says that something of the tree is missing. Its keys were then looked for on all other
	// pages, and an Entry may be Unknown.
	Lost        bool
	BytesRead   int64          // of Source; less than Size if something could not be read
	TreeRecords int            // of the tree, broken ones too
	Details     report.Details // naming adds the prefixes

	// The sweep of the WAL.

	Segments []*Segment // in the order of the log
	Commit   wal.Index  // the highest index that the log says is committed; 0 if it says none
	// Before is how values were stored that a later write in the log replaces, where the log does
	// not say that the write is committed: it may never take effect. It goes by the entry of the key.
	ReplacedStorages map[EntryID][]StorageID

	// The sweep of all files: the values in them.

	Keys   Keyspace // the newest revision of each key, as the db would have it with the log applied
	Ledger *Ledger  // counts all values, whether Interest keeps copies of them or not
	// Copies are the places of the values that Interest keeps, in the order in which they were met.
	// Naming adds those whose keys it finds, gives others their revisions, and sets Reread.
	Copies    mem.List[Copy]
	OtherKeys map[string]string // keys of Copies that had no entry in Keys, each by itself
	// Carriers are the objects whose values hold the Embedded copies, by where these lie. Naming sets
	// the keys of those that were found without one.
	Carriers map[PlaceInFile]Carrier
	Contents *Contents // what the plaintext Secrets among Copies and Unkeyed hold
	// Pieces are bytes outside of records that say nothing of themselves. Naming compares them with
	// the values of all files, and empties the list.
	Pieces            []Piece
	SkippedPieceBytes int64 // bytes of pieces beyond MaxPieces, which are not compared
	// Unvouched are parts of values, of which the sweep makes pieces when it knows the hash of the
	// file. It is empty after the sweep.
	Unvouched mem.List[Unvouched]
	// Unkeyed are objects that were found without their keys. Naming finds those, and empties the
	// list.
	Unkeyed []Unkeyed
	// Counts are of all that lies outside of the tree. Naming adds the pieces; Rereads are the judge's.
	Residue report.ResidueCounts

	// Naming: the objects that keys stand for, and the values that pieces belong to.

	Names        *resource.Registry           // how this etcd names its objects
	Disguised    map[string]resource.Identity // Secrets whose keys do not say so, by key
	AlsoIn       map[string][]string          // keys of other objects that have bytes of pieces of a key in scope, too, by that key
	Owned        []Copy                       // pieces that belong to a known value; empty once they are among Copies
	Unattributed []Piece                      // pieces that belong to nothing known, in file order

	// All phases: what could not be read, or was not looked at.

	Damage      []report.Damage // AddDamage bounds it
	DamageMore  int             // damage that was not listed there
	NotExamined []report.NotExamined
}

// New is an evidence of which nothing was seen yet. Of a WAL alone source has a Path and
// nothing else.
func New(source evidence.Source, interest *Interest) *Evidence {
	ev := &Evidence{Source: source, Interest: interest}
	ev.Facts = report.Evidence{
		Path: ev.Path, Size: ev.Whole(), Base: ev.Base, Kind: cmp.Or(ev.Kind, report.KindDB), SnapshotHash: report.HashAbsent, What: ev.What,
	}
	ev.Reset()
	return ev
}

// Reset forgets all but what is known without the tree, so that the db can be swept once more.
func (ev *Evidence) Reset() {
	*ev = Evidence{
		Source: ev.Source, Interest: ev.Interest, Facts: ev.Facts,
		Pages: ev.Pages, DB: report.DBFacts{PageSize: ev.DB.PageSize},
		Details:          report.Details{Metas: []report.MetaDetails{}, Buckets: []report.BucketDetails{}, Prefixes: []report.Text{}},
		ReplacedStorages: map[EntryID][]StorageID{},
		Keys:             newKeyspace(ev.Interest),
		Ledger:           newLedger(&ev.Keys, ev.Interest),
		OtherKeys:        map[string]string{},
		Carriers:         map[PlaceInFile]Carrier{},
		Contents:         newContents(ev.Interest.Seed),
		Disguised:        map[string]resource.Identity{},
		AlsoIn:           map[string][]string{},
	}
}

// Title is what errors call the evidence.
func (ev *Evidence) Title() string { return ev.Path.ValidUTF8() }

// HasValues reports whether the evidence is what an etcd works with: what an etcd left behind
// holds no newest values of its own.
func (ev *Evidence) HasValues() bool { return ev.What == "" && !ev.IsSearched() }

// IsBlind reports whether nobody knows what the log comes after: there is no db, or it does not
// tell any more which entries it has. It is valid after the sweep of the db.
func (ev *Evidence) IsBlind() bool { return ev.File == nil || ev.Lost && ev.Etcd.ConsistentIndex == 0 }

// Members is the members of the etcd, by what its db says: the removed ones, then the others.
func (ev *Evidence) Members() []mvcc.MemberID {
	ids := slices.Clone(ev.Etcd.RemovedMembers)
	for _, m := range ev.Etcd.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// Identity is the object that a key stands for, the zero Identity if it stands for none. It is
// valid after naming.
func (ev *Evidence) Identity(key string) resource.Identity {
	if id, ok := ev.Disguised[key]; ok {
		return id
	}
	id, _ := ev.Names.Identify(key)
	return id
}
