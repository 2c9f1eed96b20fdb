package page

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/cursor"
)

// maxRun bounds the bytes of one page with its overflow pages that are held in
// memory at once. etcd refuses requests of more than 1.5 MiB by default, and a
// page holds at most three values that are longer than itself.
const maxRun = 64 << 20

// maxBuckets bounds the buckets of a file; etcd has 10. maxDamage bounds what is
// kept of what is wrong with its tree.
const (
	maxBuckets = 1 << 16
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
	// Deeper is set by Sweep when it meets what branch pages alone could not
	// tell: a bucket inside a bucket, or branches at unequal depth. The pages
	// yielded as Unreachable may then be reachable: do Walk(Thorough) and Sweep
	// again.
	Deeper bool
	// Damage is what Walk could not read or follow, in the order in which it was
	// met. Dropped counts what came after the first 10,000.
	Damage  []*decode.FormatError
	Dropped int

	highWater ID
	pages     []mark
	children  map[childName]int
}

type childName struct {
	parent int
	name   string
}

// A mark says what a page is: its use in the low 3 bits, the bucket above them.
// 0 is an unreachable page.
type mark uint32

func (m mark) use() Use        { return Use(m & 7) }
func (m mark) bucket() int     { return int(m >> 3) }
func markOf(u Use, b int) mark { return mark(b)<<3 | mark(u) }

// Depth is how far Walk looks.
type Depth bool

const (
	// Branches reads branch pages, and the leaves of the root bucket alone: all
	// that etcd's files need.
	Branches Depth = false
	// Thorough reads every leaf too, one by one: it finds nested buckets.
	Thorough Depth = true
)

// Walk follows the newest valid meta's tree. What it can not read or follow is
// recorded in the Tree, and it goes on. Without a valid meta nothing is reachable.
func (f *File) Walk(depth Depth) *Tree {
	t := &Tree{children: map[childName]int{}, highWater: f.Pages()}
	for _, err := range f.MetaErrs {
		if err != nil {
			t.addDamage(err)
		}
	}
	m, metaPage, ok := f.Meta()
	if ok && m.HighWater > f.Pages() {
		t.addDamage(&decode.FormatError{Off: f.size, Err: decode.ErrTruncated,
			What: fmt.Sprintf("file of %d pages, of which %d are in use, end", f.Pages(), m.HighWater)})
	} else if ok {
		t.highWater = m.HighWater
	}
	t.pages = make([]mark, t.highWater)
	t.mark(0, MetaPage, 0)
	t.mark(1, MetaPage, 0)
	if !ok {
		return t
	}
	w := walker{File: f, tree: t, depth: depth}
	off := int64(metaPage)*int64(f.PageSize) + HeaderSize
	if m.HasFreelist() {
		w.claim(visit{id: m.Freelist, from: off + 32}, Freelist)
	}
	w.addBucket(Bucket{Parent: -1, Root: m.Root, Sequence: m.Sequence}, off+16)
	for len(w.todo) > 0 {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.visit(next)
	}
	return t
}

// HighWater is one past the last page in use, or the end of the file where that
// comes first or no meta is valid.
func (t *Tree) HighWater() ID { return t.highWater }

// BucketPath is the names from the root down to bucket i, slash-separated.
func (t *Tree) BucketPath(i int) string {
	var path []byte
	for ; i > 0; i = t.Buckets[i].Parent {
		path = append(append(bytes.Clone(t.Buckets[i].Name), '/'), path...)
	}
	return string(bytes.TrimSuffix(path, []byte{'/'}))
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
	if id < ID(len(t.pages)) {
		t.pages[id] = markOf(use, bucket)
	}
}

func (t *Tree) at(id ID) mark {
	if id < ID(len(t.pages)) {
		return t.pages[id]
	}
	return markOf(Tail, 0)
}

// addBucket registers a bucket; ok is false where it is known already or there
// are too many.
func (t *Tree) addBucket(b Bucket) (i int, ok bool) {
	name := childName{b.Parent, string(b.Name)}
	if _, known := t.children[name]; known || len(t.Buckets) >= maxBuckets {
		return 0, false
	}
	b.Name = []byte(name.name)
	t.children[name] = len(t.Buckets)
	t.Buckets = append(t.Buckets, b)
	return len(t.Buckets) - 1, true
}

// A visit is a page to look at, in the bucket that led to it.
type visit struct {
	id     ID
	bucket int
	from   int64 // file offset of what named the page, for errors
}

type walker struct {
	*File
	tree  *Tree
	depth Depth
	todo  []visit // pages that are claimed already, so never more than there are
}

func (w *walker) addBucket(b Bucket, from int64) {
	i, ok := w.tree.addBucket(b)
	if !ok {
		w.tree.addDamage(&decode.FormatError{Off: from, What: "bucket", Err: decode.ErrOverlap})
		return
	}
	if b.Root != 0 || b.Parent < 0 {
		w.reach(visit{b.Root, i, from})
	}
}

// reach claims the page as a leaf, until its header tells otherwise, and puts it
// on the list.
func (w *walker) reach(v visit) {
	if w.claim(v, Leaf) {
		w.todo = append(w.todo, v)
	}
}

// claim marks the page as used by the bucket; false where it can not be.
func (w *walker) claim(v visit, use Use) bool {
	var cause error
	switch {
	case v.id < 2 || v.id >= w.tree.highWater:
		cause = decode.ErrBounds
	case w.tree.at(v.id) != 0:
		cause = decode.ErrCycle
	default:
		w.tree.mark(v.id, use, v.bucket)
		return true
	}
	w.tree.addDamage(&decode.FormatError{Off: v.from, Err: cause,
		What: fmt.Sprintf("reference to page %v", v.id)})
	return false
}

// visit reads the page v and reaches for what it leads to.
func (w *walker) visit(v visit) {
	p, ok := w.readRun(v)
	if !ok {
		return
	}
	switch {
	case p.Header.Flags == FlagBranch:
		w.branch(p)
	case p.Header.Flags == FlagLeaf && w.opens(v.bucket):
		w.leaf(p)
	}
	// Any other kind is damage. Sweep reports it, as it meets every page.
}

// opens reports whether leaves of the bucket are looked into for buckets.
func (w *walker) opens(bucket int) bool { return bucket == 0 || w.depth == Thorough }

// readRun reads the page v, and its overflow pages where they are needed here.
// What is wrong with its header is for Sweep to report.
func (w *walker) readRun(v visit) (p Page, ok bool) {
	off := int64(v.id) * int64(w.PageSize)
	data, err := w.readAt(off, w.PageSize)
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
	if run, err := w.readAt(off, int(pages)*w.PageSize); err == nil {
		p.Data = run
	}
	return p, true
}

// branch reaches for the children of p. bbolt's trees have all leaves at one
// depth, so the kind of the first child is that of its siblings, and leaves need
// no visit: Sweep meets them anyway, and notices where this was not so.
func (w *walker) branch(p Page) {
	w.tree.mark(p.ID, Branch, p.Bucket)
	siblingsAreLeaves := false
	for e, err := range p.BranchElements() {
		if errors.Is(err, decode.ErrTruncated) {
			return
		}
		if e.Index == 0 && !w.opens(p.Bucket) {
			siblingsAreLeaves = w.isLeaf(e.Child)
		}
		child := visit{e.Child, p.Bucket, p.Off + int64(HeaderSize+e.Index*elementSize)}
		if siblingsAreLeaves {
			w.claim(child, Leaf)
		} else {
			w.reach(child)
		}
	}
}

func (w *walker) isLeaf(id ID) bool {
	if id >= w.tree.highWater {
		return false
	}
	data, err := w.readAt(int64(id)*int64(w.PageSize), HeaderSize)
	if err != nil {
		return false
	}
	h, err := parseHeader(data, w.Order, 0)
	return err == nil && h.Flags == FlagLeaf
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
