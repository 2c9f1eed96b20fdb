package report

import (
	"slices"
)

// ResidueCounts is what lies outside of the newest trees. Bytes are those that are
// not zero pages.
type ResidueCounts struct {
	Bytes     int64 `json:"bytes"`     // on pages that no newest tree reaches, and in slack
	Records   int   `json:"records"`   // whole records among them
	Rereads   int   `json:"rereads"`   // copies of watched keys that the tree has too, at the same revision
	Fragments int   `json:"fragments"` // values and pieces of them without a whole record around them
	Random    int64 `json:"random"`    // bytes that look like ciphertext and belong to no known value
	Other     int64 `json:"other"`     // bytes of values of keys that the verdict is not about
}

func (r *ResidueCounts) Add(o ResidueCounts) {
	r.Bytes += o.Bytes
	r.Records += o.Records
	r.Rereads += o.Rereads
	r.Fragments += o.Fragments
	r.Random += o.Random
	r.Other += o.Other
}

// Coverage is what was read, and what was not.
type Coverage struct {
	Bytes        int64    `json:"bytes"`
	BytesRead    int64    `json:"bytesRead"`
	Pages        uint64   `json:"pages"`
	Records      int      `json:"records"` // in the bucket "key" of the newest trees
	WALEntries   int      `json:"walEntries"`
	Damage       []Damage `json:"damage"`
	DamageMore   int      `json:"damageMore"` // how many more there were than the list holds
	Unattributed []Extent `json:"unattributed"`
	// UnattributedMore is how many more extents there were than the list holds.
	UnattributedMore int           `json:"unattributedMore"`
	Residue          ResidueCounts `json:"residue"`
	NotExamined      []NotExamined `json:"notExamined"`
}

// Damage is a place where the bytes break their format, or could not be read.
type Damage struct {
	Path   Text   `json:"path"`
	Offset int64  `json:"offset"`
	Page   Page   `json:"page,omitzero"`
	What   string `json:"what"`
}

// An Extent is a run of bytes that belongs to no record.
type Extent struct {
	Path      Text  `json:"path"`
	Offset    int64 `json:"offset"`
	Length    int64 `json:"length"`
	LooksLike Looks `json:"looksLike"`
}

// NotExamined is something that could hold values and was not looked at.
type NotExamined struct {
	Path Text   `json:"path,omitempty"` // empty where it is true of all evidence
	What string `json:"what"`           // why
	// Unread says that it was asked for and could not be read, so that the exit status is
	// ExitIncomplete. Without it, it was left out: by a flag, or because it is nothing of
	// etcd's.
	Unread bool `json:"unread,omitempty"`
	// Gone says that it went away while the evidence was looked through: a change.
	Gone bool `json:"-"`
}

// Unread reports whether something that was asked for could not be read, whole or at all.
func (c *Coverage) Unread() bool {
	return len(c.Damage) > 0 || c.BytesRead < c.Bytes || slices.ContainsFunc(c.NotExamined, func(n NotExamined) bool { return n.Unread })
}
