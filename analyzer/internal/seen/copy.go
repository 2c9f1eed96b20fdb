package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A CopyIn is a sighting and the survey that it is of.
type CopyIn struct {
	*Copy
	In *Evidence
}

// A CopyID is a sighting, by its number in a survey, and the number of that.
type CopyID struct {
	Evidence, Copy int32
}

func (k CopyID) In(evs []*Evidence) CopyIn {
	ev := evs[k.Evidence]
	return CopyIn{ev.Copies.At(int(k.Copy)), ev}
}

// Reported is the copy as it is reported.
func (c CopyIn) Reported() report.Copy {
	return report.Copy{
		Path: c.Path(), Region: c.Region(), Offset: c.Off, Length: c.Size, Page: c.Page,
		ModRevision: c.Rev.Main, CreateRevision: c.Create, Version: c.Version, WALIndex: uint64(c.Index), Complete: c.Complete,
	}
}

func (c CopyIn) Path() report.Text { return c.In.SourceOf(c.File).Path }

// Location is where a copy lies.
func (c CopyIn) Location() report.Location {
	return report.Location{Path: c.Path(), Offset: c.Off, Length: c.Size, Page: c.In.PageAt(c.File, c.Off), ModRevision: c.Rev.Main, WALIndex: uint64(c.Index)}
}

// A Copy is one place where a stored value of a watched key was seen, or its
// deletion.
type Copy struct {
	Key  string
	Off  int64 // of the value, or of the bytes of it that were found
	Size int64
	Page report.Page

	Rev     mvcc.Revision // 0 where it is not known
	Create  int64
	Version int64
	Index   wal.Index // of the raft entry; 0 outside the WAL
	Term    wal.Term

	Storage  StorageID
	File     FileID
	Entry    EntryID // of its key; 0 if it had none when it was seen
	Holds    int32   // of a plaintext Secret: its number in survey.contents, 0 if it has none
	Place    Place
	Deletion bool
	Object   bool // the bytes start as the value does
	Complete bool // and they are all of it
	Owned    bool // a piece, of which the key is known by its bytes alone
	Reread   bool // a reachable record has the same key and revision
	Applied  bool // of a raft entry: the db has seen it
	Replaced bool // of a raft entry: another entry took its index, so it never counted
	Sum      uint64
}

// KeyName is the key as a string, in the memory of the entry where it has one.
func (ev *Evidence) KeyName(key []byte) string {
	if id := ev.Keys.Find(key); id != 0 {
		return ev.Keys.At(id).Key
	}
	return string(key)
}

// Keep notes a sighting. Equal keys share their memory.
func (ev *Evidence) Keep(at Copy) {
	if at.Entry != 0 {
		ev.Copies.Add(at)
		return
	}
	if id := ev.Keys.Find([]byte(at.Key)); id != 0 {
		at.Key, at.Entry = ev.Keys.At(id).Key, id
	} else if key, ok := ev.Unheld[at.Key]; ok {
		at.Key = key
	} else {
		ev.Unheld[at.Key] = at.Key
	}
	ev.Copies.Add(at)
}

// IsPlaintext reports whether the value was stored as it was.
func (ev *Evidence) IsPlaintext(at *Copy) bool {
	return !at.Deletion && ev.Keys.Storages[at.Storage].Provider == envelope.Identity && (at.Size > 0 || at.Complete)
}

// IsResidue reports whether a copy lies outside of the tree, and its revision is known.
func (at *Copy) IsResidue() bool {
	return at.Place != InTree && at.Place != InWAL && at.Rev.Main != 0
}

// EntryOf is the entry of the key of a copy, nil if there is none.
func (ev *Evidence) EntryOf(at *Copy) *Entry {
	if at.Entry != 0 {
		return ev.Keys.At(at.Entry)
	}
	return ev.Keys.Entry(at.Key)
}
