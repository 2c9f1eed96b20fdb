package seen

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A Copy is one place where a stored value of a watched key was seen, or its deletion. Its fields
// are set when it is met, and stay, unless they say more.
type Copy struct {
	Key  string      // as in etcd; empty of an Unkeyed until naming finds it
	Off  int64       // in File: of the value, or of the bytes of it that were found; of a deletion, of its record
	Size int64       // of these bytes, with the escapes of JSON InV2Store; 0 of a deletion
	Page report.Page // that Off is on; none in the WAL, and in files without pages

	// These three are 0 where they are not known. The log does not tell them: the sweep sets them
	// when it applies an entry, and naming where another copy has the same bytes.
	Rev     mvcc.Revision // of the write
	Create  int64         // main revision
	Version int64         // number of the write since then, from 1

	Index wal.Index // of the raft entry; 0 outside the WAL, and where it is not known
	Term  wal.Term  // likewise

	Storage StorageID // 0 of a deletion
	File    FileID
	Entry   EntryID   // of the key; 0 if it had none when the copy was met: see EntryOf
	Holds   ContentID // in Evidence.Contents, what a plaintext Secret holds; 0 if it has none
	Place   Place

	Deletion bool // of the key; there is no value
	Object   bool // the bytes start where the value starts
	Complete bool // they are all of the value, and its form is whole
	Owned    bool // a piece whose key is known by its bytes alone: naming made the copy
	Reread   bool // the tree has the same write; valid after naming
	Applied  bool // of a raft entry: the db beside it has it
	Embedded bool // a whole Secret in the value of another object: see Evidence.Carriers
	Void     bool // of a raft entry: it never took effect. The sweep sets it when it knows

	Sum uint64 // the same for equal values: Interest.Sum, or SealedSum if it is encrypted; 0 of a deletion and a piece
}

// Keep adds a copy. Equal keys share their memory.
func (ev *Evidence) Keep(at Copy) {
	if at.Entry != 0 {
		ev.Copies.Add(at)
		return
	}
	if id := ev.Keys.Find([]byte(at.Key)); id != 0 {
		at.Key, at.Entry = ev.Keys.At(id).Key, id
	} else if key, ok := ev.OtherKeys[at.Key]; ok {
		at.Key = key
	} else {
		ev.OtherKeys[at.Key] = at.Key
	}
	ev.Copies.Add(at)
}

// KeyName is the key as a string, in the memory of its entry if it has one.
func (ev *Evidence) KeyName(key []byte) string {
	if id := ev.Keys.Find(key); id != 0 {
		return ev.Keys.At(id).Key
	}
	return string(key)
}

// EntryOf is the entry of the key of a copy, nil if there is none. The key may have got one
// after the copy was met.
func (ev *Evidence) EntryOf(at *Copy) *Entry {
	if at.Entry != 0 {
		return ev.Keys.At(at.Entry)
	}
	return ev.Keys.Entry(at.Key)
}

// IsPlaintext reports whether a copy is of a value that was stored without encryption, and has
// bytes of it.
func (ev *Evidence) IsPlaintext(at *Copy) bool {
	return !at.Deletion && ev.Keys.Storages[at.Storage].IsPlaintext() && (at.Size > 0 || at.Complete)
}

// IsResidue reports whether a copy lies outside of the tree and the WAL, and its revision is known.
func (at *Copy) IsResidue() bool {
	return at.Place != InTree && !at.Place.IsLog() && at.Rev.Main != 0
}

// A CopyNumber is a copy of an evidence, by the order in which they were met; 0 is none.
type CopyNumber uint32

// Copy is the copy of that number, which is not 0.
func (ev *Evidence) Copy(n CopyNumber) *Copy { return ev.Copies.At(int(n - 1)) }

// A CopyID is a copy in a list of evidence that the caller knows. The zero CopyID is none.
type CopyID struct {
	Evidence int32 // index in the list
	Copy     CopyNumber
}

// In finds the copy in the list.
func (id CopyID) In(evs []*Evidence) CopyIn {
	ev := evs[id.Evidence]
	return CopyIn{ev.Copy(id.Copy), ev}
}

// A CopyIn is a copy with the evidence that it was seen in.
type CopyIn struct {
	*Copy
	In *Evidence
}

// carrier is what holds the copy, the zero Carrier if it lies in no other object.
func (c CopyIn) carrier() Carrier {
	if !c.Embedded {
		return Carrier{}
	}
	return c.In.Carriers[PlaceInFile{c.File, c.Off}]
}

// Path is the file that the copy lies in.
func (c CopyIn) Path() report.Text { return c.In.SourceOf(c.File).Path }

// offset is where the copy lies in the file that the user named.
func (c CopyIn) offset() int64 { return c.In.SourceOf(c.File).Base + c.Off }

// Location is where the copy lies, for a finding.
func (c CopyIn) Location() report.Location {
	return report.Location{
		Path: c.Path(), Offset: c.offset(), Length: c.Size, Page: c.In.PageAt(c.File, c.Off),
		ModRevision: c.Rev.Main, WALIndex: uint64(c.Index), Key: report.Text(c.carrier().Key),
	}
}

// Reported is the copy as the report has it.
func (c CopyIn) Reported() report.Copy {
	return report.Copy{
		Path: c.Path(), Region: c.Region(), Offset: c.offset(), Length: c.Size, Page: c.Page,
		ModRevision: c.Rev.Main, CreateRevision: c.Create, Version: c.Version, WALIndex: uint64(c.Index), Complete: c.Complete,
		Escaped: c.Place == InV2Store || c.carrier().Escaped, Carrier: report.Text(c.carrier().Key),
	}
}

// AppendKeys appends those keys that are not in the list yet.
func AppendKeys(list []report.Text, keys []string) []report.Text {
	for _, key := range keys {
		if text := report.Text(key); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
