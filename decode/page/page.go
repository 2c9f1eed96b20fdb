// Package page reads bbolt files, the format of etcd's backend database, without
// trusting them: no mmap, no lock, no unsafe, every offset and length checked.
//
// A bbolt file is an array of pages of one size. Pages 0 and 1 are metas; the
// newest valid one names the root page of a B+tree of buckets, and each bucket
// is a B+tree again. Writing is copy-on-write: a transaction writes changed pages
// to free places and then a meta. Pages that the newest tree does not reach hold
// whatever was there before, so this package reads them too.
//
// Reading takes two steps. Open finds the metas, and File.Walk follows the branch
// pages alone: its Tree knows which pages are reachable and to which bucket each
// belongs. File.Sweep then reads the whole file once, in order, in large reads,
// and yields every page: reachable leaves as records, the others as residue.
// bbolt's own reader maps the file, takes a lock and panics on damage, so it
// serves here as a second witness in tests only.
package page

import "github.com/etcdsift/etcdsift/decode/internal/cursor"

// Order is the byte order of the host that wrote a file.
type Order = cursor.Order

// The two byte orders.
const (
	Little = cursor.Little
	Big    = cursor.Big
)

// Use is what a page is to the newest valid tree.
type Use uint8

const (
	// Unreachable pages lie below the high water mark and are no part of the newest tree:
	// freed, or of an older or a never committed transaction.
	Unreachable Use = iota
	MetaPage        // pages 0 and 1
	Freelist        // the list of free pages, where the file has one
	Branch          // an inner page of a bucket
	Leaf            // a page of keys and values of a bucket
	Tail            // past the high water mark, up to the end of the file
	Unread          // the disk gave an error; Data is empty
)

func (u Use) String() string {
	names := [...]string{"unreachable", "meta", "freelist", "branch", "leaf", "tail", "unread"}
	if int(u) < len(names) {
		return names[u]
	}
	return "unknown"
}

// flags is what the header of a page of this use must say.
func (u Use) flags() Flags {
	switch u {
	case MetaPage:
		return FlagMeta
	case Freelist:
		return FlagFreelist
	case Branch:
		return FlagBranch
	case Leaf:
		return FlagLeaf
	}
	return 0
}

// A Page is a page with its overflow pages, or the inline bucket that lies in
// the value of a leaf element.
type Page struct {
	ID     ID // for an inline bucket that of the leaf around it
	Use    Use
	Off    int64  // file offset of Data
	Data   []byte // valid until the next iteration
	Header Header
	Bucket int  // index in Tree.Buckets; of Leaf and Branch pages only
	Inline bool // the page is an inline bucket
	// Orphan says that Data is one or more pages, side by side, that the tree does not reach
	// and that have no header of their own: the rest of values after bbolt used their first
	// page again. Nobody knows where they begin. Header is then zero, as for pages of zeros.
	Orphan bool
	// Astray says that the tree leads here and means another page: the header has
	// another page ID, or the first key is not the one that led here. An inline bucket
	// is where the leaf around it is.
	Astray bool
	// Covered is how many bytes at the start of Data lie among the overflow pages of another
	// page, which Sweep yielded before. It is 0 for nearly all pages: see inner.go.
	Covered int

	order Order
	inner []extent // pages among the overflow pages that Sweep yields behind this one
}
