package page

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// maxRun bounds the bytes of one page with its overflow pages that are held in
// memory at once. etcd refuses requests of more than 1.5 MiB by default, and a
// page holds at most three values that are longer than itself.
const maxRun = 64 << 20

// maxBuckets and maxNames bound the buckets of a file, and the bytes of all their
// names; etcd has 10. maxPath bounds the bytes of a path: buckets nest as deep as
// a hostile file likes. maxDamage bounds what is kept of what is wrong.
const (
	maxBuckets = 1 << 16
	maxNames   = 4 << 20
	maxPath    = 1 << 10
	maxDamage  = 10_000
)

// A Bucket is a B+tree of keys and values, named by a key of its parent's tree.
type Bucket struct {
	Name     []byte
	Parent   int // index in Tree.Buckets; -1 for the root
	Root     ID  // 0 for an inline bucket
	Sequence uint64
}

// A Tree is what the newest valid meta reaches.
type Tree struct {
	// Buckets has the root bucket, which has no name, at index 0. Sweep appends
	// the inline buckets inside other buckets than the root.
	Buckets []Bucket
	// Sweep sets Deeper when it meets what branch pages alone do not tell: a bucket inside a
	// bucket, or branches at unequal depth. The pages yielded as Unreachable may then be
	// reachable: do Walk(Thorough) and Sweep again. After Walk(Thorough) it stays false.
	Deeper bool
	// Damage is what Walk could not read or follow, in the order in which Walk met it.
	// Dropped counts what came after the first 10,000.
	Damage  []*decode.FormatError
	Dropped int

	listDamage bool                // Damage has that the meta leads to no freelist
	meta       ID                  // page of the meta that it starts from
	incomplete bool                // see Incomplete
	why        *decode.FormatError // the first thing that kept Walk from a page of it
	claimed    int                 // pages that something leads to

	depth     Depth
	highWater ID
	pages     marks
	children  map[childName]int
	names     int // bytes in the names of Buckets
}

type childName struct {
	parent int
	name   string
}

// Depth is how far Walk looks.
type Depth bool

const (
	// Branches reads branch pages, and the leaves of the root bucket alone: all
	// that etcd's files need.
	Branches Depth = false
	// Thorough reads every leaf too, one by one: it finds nested buckets.
	Thorough Depth = true
)

// walk follows the tree of a meta, which stands in page metaPage. If ok is false there is no
// meta, and nothing is reachable.
func (f *File) walk(depth Depth, m Meta, metaPage ID, ok bool) *Tree {
	t := &Tree{children: map[childName]int{}, depth: depth, highWater: f.Pages(), meta: metaPage, incomplete: !ok}
	for _, err := range f.MetaErrs {
		if err != nil {
			t.addDamage(err)
		}
	}
	if ok && m.HighWater > f.Pages() {
		t.addDamage(&decode.FormatError{Off: f.size, Err: decode.ErrTruncated,
			What: fmt.Sprintf("file of %d pages, of which %d are in use, end", f.Pages(), m.HighWater)})
	} else if ok {
		t.highWater = m.HighWater
	}
	if t.highWater > maxPages {
		t.addDamage(&decode.FormatError{Off: f.size, What: fmt.Sprintf("file of %d pages", t.highWater), Err: decode.ErrLimit})
		t.highWater = maxPages
	}
	t.pages = newMarks(t.highWater)
	t.mark(0, MetaPage, 0)
	t.mark(1, MetaPage, 0)
	if !ok {
		return t
	}
	w := walker{File: f, tree: t, overflow: 2 * f.size, page: make([]byte, f.PageSize)}
	off := int64(metaPage)*int64(f.PageSize) + HeaderSize
	if m.HasFreelist() {
		w.claimFreelist(m.Freelist, off+32)
	}
	before := len(t.Damage)
	t.listDamage = before > 0 && isFreelist(t.Damage[before-1])
	w.addBucket(Bucket{Parent: -1, Root: m.Root, Sequence: m.Sequence}, off+16)
	for len(w.todo) > 0 {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.visit(next)
	}
	if len(t.Damage) > before {
		t.broken(t.Damage[before])
	}
	return t
}

// HighWater is one past the last page in use, or the end of the file where that
// comes first or no meta is valid.
func (t *Tree) HighWater() ID { return t.highWater }

// BucketPath is the names from the root down to bucket i, slash-separated: the
// last 1 KiB of them, behind "...", where there are more.
func (t *Tree) BucketPath(i int) string {
	var names [][]byte
	size := 0
	for ; i > 0 && size <= maxPath; i = t.Buckets[i].Parent {
		names = append(names, t.Buckets[i].Name)
		size += len(t.Buckets[i].Name) + 1
	}
	slices.Reverse(names)
	path := bytes.Join(names, []byte{'/'})
	if len(path) > maxPath {
		return "..." + string(path[len(path)-maxPath:])
	}
	return string(path)
}

func (t *Tree) addDamage(err error) {
	var format *decode.FormatError
	if !errors.As(err, &format) {
		return
	}
	if len(t.Damage) == maxDamage {
		t.Dropped++
		return
	}
	t.Damage = append(t.Damage, format)
}

func (t *Tree) mark(id ID, use Use, bucket int) {
	m := t.pages.at(id)
	m.mark = markOf(use, bucket)
	t.pages.set(id, m)
}

func (t *Tree) at(id ID) mark { return t.pages.at(id).mark }

// addBucket registers a bucket. The error is decode.ErrOverlap where it is known
// already, and decode.ErrLimit where there are too many.
func (t *Tree) addBucket(b Bucket) (i int, err error) {
	if i, known := t.bucket(b.Parent, b.Name); known {
		return i, decode.ErrOverlap
	}
	if len(t.Buckets) >= maxBuckets || len(b.Name) > maxNames-t.names {
		return 0, decode.ErrLimit
	}
	name := childName{b.Parent, string(b.Name)}
	b.Name = []byte(name.name)
	t.names += len(b.Name)
	t.children[name] = len(t.Buckets)
	t.Buckets = append(t.Buckets, b)
	return len(t.Buckets) - 1, nil
}

// bucket finds the bucket of that name in another.
func (t *Tree) bucket(parent int, name []byte) (i int, known bool) {
	i, known = t.children[childName{parent, string(name)}]
	return i, known
}

// A visit is a page to look at, in the bucket that led to it.
type visit struct {
	id     ID
	bucket int
	from   int64  // file offset of what named the page, for errors
	beside Flags  // kind of the page's first sibling; 0 if that is not known
	first  uint32 // keySum of the branch element that named the page; 0 if none did
	bound  bound
	next   keyExtent // the key that bound shortens
}

type walker struct {
	*File
	tree     *Tree
	todo     []visit         // pages that are claimed already, so never more than there are
	overflow int64           // bytes of overflow pages that may still be read
	page     []byte          // used again for each page
	elements []BranchElement // of a branch page, for nexts
}

func (w *walker) addBucket(b Bucket, from int64) {
	i, err := w.tree.addBucket(b)
	if err != nil {
		w.tree.addDamage(&decode.FormatError{Off: from, What: "bucket", Err: err})
	}
	if errors.Is(err, decode.ErrLimit) {
		return
	}
	// A second bucket of one name counts as part of the first.
	if b.Root != 0 || b.Parent < 0 {
		w.reach(visit{id: b.Root, bucket: i, from: from})
	}
}

// reach claims the page as a leaf, until its header tells otherwise, and puts it
// on the list.
func (w *walker) reach(v visit) {
	if w.claim(v, Leaf) {
		w.todo = append(w.todo, v)
	}
}

// claim marks the page as used by the bucket; false where it cannot.
func (w *walker) claim(v visit, use Use) bool {
	var cause error
	switch {
	case v.id < 2 || v.id >= w.tree.highWater:
		cause = decode.ErrBounds
	case w.tree.at(v.id) != 0:
		cause = decode.ErrCycle
	default:
		w.tree.pages.set(v.id, pageMark{markOf(use, v.bucket), v.first, v.bound})
		w.tree.claimed++
		return true
	}
	w.tree.addDamage(&decode.FormatError{Off: v.from, Err: cause,
		What: fmt.Sprintf("reference to page %v", v.id)})
	return false
}

// claimFreelist marks the page that the meta names for a freelist, if it is one by its header, or
// cannot be read. Any other page is left to the tree, or to residue: no key is read by the freelist,
// so a wrong reference to it must not take a page away from what does hold keys.
func (w *walker) claimFreelist(id ID, from int64) {
	damage := func(what string, cause error) {
		w.tree.addDamage(&decode.FormatError{Off: from, Err: freelistError{cause},
			What: fmt.Sprintf("freelist, reference to page %v%s", id, what)})
	}
	if id < 2 || id >= w.tree.highWater {
		damage("", decode.ErrBounds)
		return
	}
	if head, err := w.readAt(int64(id)*int64(w.PageSize), HeaderSize); err == nil {
		h, short := parseHeader(head, w.Order, 0)
		if short == nil && h.Flags != FlagFreelist {
			damage(fmt.Sprintf(", which is a %v page", h.Flags), decode.ErrValue)
			return
		}
	}
	w.claim(visit{id: id, from: from}, Freelist)
}

// visit reads the page v and reaches for what it leads to.
func (w *walker) visit(v visit) {
	p, ok := w.readRun(v)
	if !ok {
		return
	}
	kind := p.Header.Flags
	if v.beside == FlagLeaf && kind == FlagBranch || v.beside == FlagBranch && kind == FlagLeaf {
		w.tree.addDamage(&decode.FormatError{Off: v.from, Err: decode.ErrValue,
			What: fmt.Sprintf("reference to page %v, a %v page beside a %v page", v.id, kind, v.beside)})
	}
	switch {
	case kind == FlagBranch:
		w.branch(p, v)
	case kind == FlagLeaf && w.opens(v.bucket):
		w.leaf(p)
	}
	if kind != FlagBranch && kind != FlagLeaf || p.Header.ID != v.id {
		// This is damage. Sweep reports it, because it meets every page.
		w.tree.broken(&decode.FormatError{Off: p.Off, What: fmt.Sprintf("page %v, header", v.id), Err: decode.ErrValue})
	}
}

// opens reports whether to look for buckets in leaves of the bucket.
func (w *walker) opens(bucket int) bool { return bucket == 0 || w.tree.depth == Thorough }

// readRun reads the page v, and its overflow pages where they are needed here. The page
// is valid until the next call.
// What is wrong with its header is for Sweep to report.
func (w *walker) readRun(v visit) (p Page, ok bool) {
	off := int64(v.id) * int64(w.PageSize)
	data, err := w.readInto(w.page, off)
	if err != nil {
		w.tree.addDamage(&decode.FormatError{Off: off, What: fmt.Sprintf("page %v", v.id), Err: err})
		return Page{}, false
	}
	h, err := parseHeader(data, w.Order, off)
	if err != nil {
		return Page{}, false
	}
	p = Page{ID: v.id, Off: off, Data: data, Header: h, Bucket: v.bucket, order: w.Order}
	needed := h.Flags == FlagBranch || h.Flags == FlagLeaf && w.opens(v.bucket)
	if h.Overflow == 0 || !needed {
		return p, true
	}
	pages := min(uint64(h.Overflow)+1, uint64(w.tree.highWater-v.id), uint64(maxRun/w.PageSize))
	size := int64(pages) * int64(w.PageSize)
	if size > w.overflow {
		// Pages that each claim the rest of the file would be read again and again.
		w.tree.addDamage(&decode.FormatError{Off: off + 12, Err: decode.ErrLimit,
			What: fmt.Sprintf("page %v, number of overflow pages", v.id)})
		return p, true
	}
	w.overflow -= size
	if run, err := w.readAt(off, int(size)); err == nil {
		p.Data = run
	}
	return p, true
}

// branch reaches for the children of p. bbolt's trees have all leaves at one
// depth, so the kind of the first child is that of its siblings, and leaves need
// no visit: Sweep meets them anyway, and notices where this was not so.
func (w *walker) branch(p Page, v visit) {
	w.tree.mark(p.ID, Branch, p.Bucket)
	var siblings Flags
	next := w.nexts(p, v, w.upper(p, v))
	for e, err := range p.BranchElements() {
		if err != nil {
			w.tree.addDamage(err)
		}
		if errors.Is(err, decode.ErrTruncated) {
			return
		}
		if e.Index == 0 {
			siblings = w.kind(e.Child)
		}
		child := visit{id: e.Child, bucket: p.Bucket, from: p.Off + int64(HeaderSize+e.Index*ElementSize), beside: siblings}
		if err == nil {
			child.first = keySum(e.Key)
			key, at := next(e.Index)
			child.bound, child.next = boundOf(e.Key, key), at
		}
		if siblings == FlagLeaf && !w.opens(p.Bucket) {
			w.claim(child, Leaf)
		} else {
			w.reach(child)
		}
	}
}

// kind is what the header of a page says that it is; 0 where it cannot be read.
func (w *walker) kind(id ID) Flags {
	if id >= w.tree.highWater {
		return 0
	}
	data, err := w.readAt(int64(id)*int64(w.PageSize), HeaderSize)
	if err != nil {
		return 0
	}
	h, err := parseHeader(data, w.Order, 0)
	if err != nil {
		return 0
	}
	return h.Flags
}

// leaf looks for buckets in p. Damage in it is for Sweep to report.
func (w *walker) leaf(p Page) {
	for e := range p.LeafElements() {
		if e.IsBucket() && len(e.Value) >= bucketHeader {
			root, sequence := bucketOf(e.Value, w.Order)
			w.addBucket(Bucket{Name: e.Key, Parent: p.Bucket, Root: root, Sequence: sequence}, e.ValueOff())
		}
	}
}

// bucketHeader is the size of the bucket in a leaf element's value, in bytes:
// root page ID and sequence. An inline bucket's page follows.
//
// Source: InBucket in go.etcd.io/bbolt/internal/common/bucket.go.
const bucketHeader = 16

func bucketOf(value []byte, order Order) (root ID, sequence uint64) {
	c := cursor.Cursor{B: value, Order: order}
	return ID(c.Uint64()), c.Uint64()
}
