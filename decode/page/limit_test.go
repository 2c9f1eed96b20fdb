package page

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// zeros is a file of size bytes that starts with head.
type zeros struct {
	head []byte
	size int64
}

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), z.size-off))
	clear(p[:n])
	if off < int64(len(z.head)) {
		copy(p[:n], z.head[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// A page with its overflow pages is held in memory up to 64 MiB; the rest of it
// is yielded as pages of their own.
func TestRunLimit(t *testing.T) {
	const pageSize, pages = 65536, 1100
	head := craft(t, pageSize, pages, craftPage(2, FlagLeaf, pages-3, forged.Element{Key: []byte("k"), Value: []byte("v")}))[:3*pageSize]
	f, err := Open(zeros{head, pages * pageSize}, pages*pageSize)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	var flaws []flaw
	for p, err := range f.Sweep(f.Walk(Branches), nil) {
		var format *decode.FormatError
		if errors.As(err, &format) {
			flaws = append(flaws, flawOf(format))
		} else if p.Use == Leaf {
			sizes = append(sizes, len(p.Data))
		}
	}
	if diff := cmp.Diff([]int{maxRun}, sizes); diff != "" {
		t.Errorf("size of the leaf (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]flaw{{2*pageSize + 12, decode.ErrLimit}}, flaws, byCause); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
}

// What is wrong with a tree is kept up to a number, and counted beyond it.
func TestDamageLimit(t *testing.T) {
	const n = maxDamage + 2000
	children := make([]forged.Element, n)
	for i := range children {
		children[i] = forged.Element{Key: fmt.Appendf(nil, "%06d", i), Child: 1 << 40}
	}
	b := craft(t, 65536, 10, craftPage(2, FlagBranch, 7, children...))
	rd := read(t, b)
	if len(rd.Tree.Damage) != maxDamage || rd.Tree.Dropped != n-maxDamage {
		t.Errorf("%d damages and %d dropped, want %d and %d", len(rd.Tree.Damage), rd.Tree.Dropped, maxDamage, n-maxDamage)
	}
	for _, d := range rd.Tree.Damage {
		if d.Err != decode.ErrBounds {
			t.Fatalf("damage %v", d)
		}
	}
}

func TestBucketLimit(t *testing.T) {
	leaf := func(id ID, first, n int) []byte {
		elements := make([]forged.Element, n)
		for i := range elements {
			inline := append(forged.Bucket(0), craftPage(0, FlagLeaf, 0)...)
			elements[i] = forged.Element{Flags: forged.ElementBucket, Key: fmt.Appendf(nil, "%06d", first+i), Value: inline}
		}
		return craftPage(id, FlagLeaf, 59, elements...)
	}
	root := craftPage(2, FlagBranch, 0, forged.Element{Key: []byte("000000"), Child: 3}, forged.Element{Key: []byte("060000"), Child: 63})
	rd := read(t, craft(t, 65536, 123, root, leaf(3, 0, 60_000), leaf(63, 60_000, 6000)))
	if len(rd.Tree.Buckets) != maxBuckets {
		t.Errorf("%d buckets, want %d", len(rd.Tree.Buckets), maxBuckets)
	}
	// Walk tells of each, and Sweep once more.
	if want := 2 * (66_001 - maxBuckets); len(rd.Flaws) != want {
		t.Errorf("%d flaws, want %d", len(rd.Flaws), want)
	}
	if i := slices.IndexFunc(rd.Flaws, func(f flaw) bool { return f.Err != decode.ErrLimit }); i >= 0 {
		t.Errorf("damage %v, want %v", rd.Flaws[i], decode.ErrLimit)
	}
}

// Two buckets of one name are damage, and both are read.
func TestBucketNamedTwice(t *testing.T) {
	bucket := forged.Element{Flags: forged.ElementBucket, Key: []byte("b"), Value: forged.Bucket(3)}
	again := forged.Element{Flags: forged.ElementBucket, Key: []byte("b"), Value: forged.Bucket(4)}
	root := craftPage(2, FlagLeaf, 0, bucket, again)
	b := craft(t, 1024, 5, root, craftPage(3, FlagLeaf, 0, forged.Element{Key: []byte("k3")}), craftPage(4, FlagLeaf, 0, forged.Element{Key: []byte("k4")}))
	rd := read(t, b)
	value := int64(2*1024 + 16 + 2*16 + 17 + 1)
	want := []flaw{{value, decode.ErrOverlap}, {2*1024 + 16 + 16, decode.ErrOrder}}
	if diff := cmp.Diff(want, rd.Flaws, byCause); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]record{{"b", "k3", ""}, {"b", "k4", ""}}, rd.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A branch that claims more children than it has room for leads to those it has.
func TestBranchCount(t *testing.T) {
	root := craftPage(2, FlagBranch, 0, forged.Element{Key: []byte("k"), Child: 3})
	put(root, 10, uint16(100))
	rd := read(t, craft(t, 1024, 4, root, craftPage(3, FlagLeaf, 0, forged.Element{Key: []byte("k"), Value: []byte("v")})))
	if diff := cmp.Diff([]record{{"", "k", "v"}}, rd.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if !slices.Contains(rd.Flaws, flaw{2*1024 + 16 + 63*16, decode.ErrTruncated}) {
		t.Errorf("damage %v, want %v", rd.Flaws, decode.ErrTruncated)
	}
}

// A meta of another page size than that of the first is not valid.
func TestMetasOfTwoPageSizes(t *testing.T) {
	b := craft(t, 4096, 3, craftPage(2, FlagLeaf, 0))
	second := b[4096+HeaderSize:][:metaSize]
	put(second, 8, uint32(8192))
	signMeta(second, false)
	rd := read(t, b)
	if m, id, ok := rd.File.Meta(); !ok || id != 0 || m.PageSize != 4096 {
		t.Errorf("meta %v with pages of %d, valid %t", id, m.PageSize, ok)
	}
	if diff := cmp.Diff([]flaw{{4096 + HeaderSize + 8, decode.ErrValue}}, rd.Flaws, byCause); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	got := fmt.Sprint(ID(1<<64-1), FlagBranch, FlagLeaf, FlagMeta, FlagFreelist, Flags(0x12),
		Unreachable, MetaPage, Freelist, Branch, Leaf, Tail, Unread, Use(7), Little, Big)
	const want = "18446744073709551615 branch leaf meta freelist unknown " +
		"unreachable meta freelist branch leaf tail unread unknown little-endian big-endian"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The bytes of an element can not be grown into those of the next.
func TestElementsHaveNoRoom(t *testing.T) {
	b := craftPage(2, FlagLeaf, 0, forged.Element{Key: []byte("a"), Value: []byte("1")}, forged.Element{Key: []byte("b"), Value: []byte("2")})
	want := bytes.Clone(b)
	p := Page{Data: b, Header: Header{Flags: FlagLeaf, Count: 2}}
	for e, err := range p.LeafElements() {
		if err != nil {
			t.Fatal(err)
		}
		_, _ = append(e.Key, 'X'), append(e.Value, 'X')
		break
	}
	for e := range p.BranchElements() {
		_ = append(e.Key, 'X')
		break
	}
	if !bytes.Equal(b, want) {
		t.Errorf("page %x, was %x", b, want)
	}
}
