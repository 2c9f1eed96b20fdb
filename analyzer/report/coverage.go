package report

import (
	"slices"
)

// ResidueCounts is what lies outside of the newest trees. Bytes leaves out pages of zeros.
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

// Coverage is what the run read, and what it did not.
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

// Damage is a place with bytes that break their format, or that the run could not read.
type Damage struct {
	Path   Text   `json:"path"`
	Offset int64  `json:"offset"`
	Page   Page   `json:"page,omitzero"`
	What   string `json:"what"`
	// Freelist says that it is in bbolt's list of free pages, or in the reference to it. No key is
	// read by that.
	Freelist bool `json:"freelist,omitempty"`
}

// An Extent is a run of bytes that belongs to no record.
type Extent struct {
	Path      Text  `json:"path"`
	Offset    int64 `json:"offset"`
	Length    int64 `json:"length"`
	LooksLike Looks `json:"looksLike"`
}

// NotExamined is something that could hold values and that the run did not examine.
type NotExamined struct {
	Path Text   `json:"path,omitempty"` // empty if it is true of all evidence
	What string `json:"what"`           // why
	// Unread says that the user asked for it and the run could not read it, so the exit status
	// is ExitIncomplete. If false, a flag left it out, or it is nothing of etcd's.
	Unread bool `json:"unread,omitempty"`
	// Gone says that it went away while the run looked for evidence: a change.
	Gone bool `json:"-"`
}

// FreelistAlone reports whether freelists are all that is wrong: every byte was read, and every key.
func (c *Coverage) FreelistAlone() bool {
	rest := *c
	rest.Damage = slices.DeleteFunc(slices.Clone(c.Damage), func(d Damage) bool { return d.Freelist })
	return len(c.Damage) > 0 && c.DamageMore == 0 && !rest.Unread()
}

// Unread reports whether the run could not read, whole or at all, something that the user asked
// for.
func (c *Coverage) Unread() bool {
	return len(c.Damage) > 0 || c.BytesRead < c.Bytes || slices.ContainsFunc(c.NotExamined, func(n NotExamined) bool { return n.Unread })
}
