package page

import (
	"bytes"
	"encoding/binary"
	"github.com/etcdsift/etcdsift/fixtures/forged"
	"math"
	"runtime"
	"testing"
)

// Lengths that a file claims cost nothing: what is allocated is bounded by what
// the file has, and the windows.
func TestClaimedLengthsAreNotAllocated(t *testing.T) {
	small, w := makeDB(t, boltOptions(1024), putKeys("key", 20, 30), putKeys("large", 2, 2000), putKeys("meta", 2, 5))
	small = small[:w.HighSize]
	ones := func(field int64, size int64) func([]byte) {
		return func(b []byte) {
			for off := int64(0); off < int64(len(b)); off += 1024 {
				copy(b[off+field:off+field+size], bytes.Repeat([]byte{0xFF}, 8))
			}
			signMetas(b)
		}
	}
	cases := []struct {
		name  string
		apply func([]byte)
	}{
		{"healthy", func([]byte) {}},
		{"overflow", ones(12, 4)},
		{"count", ones(10, 2)},
		{"count and overflow", ones(10, 6)},
		{"first element's pos", ones(16+4, 4)},
		{"first element's sizes", ones(16+8, 8)},
		{"first freelist entry", ones(16, 8)},
		{"high water mark", func(b []byte) { setMeta(b, 40, math.MaxInt64) }},
		{"freelist", func(b []byte) { setMeta(b, 32, uint64(w.HighSize/1024-1)) }},
	}
	for _, c := range cases {
		b := bytes.Clone(small)
		c.apply(b)
		if got := allocated(func() { consume(t, b, Thorough) }); got > 1<<20 {
			t.Errorf("%s: a file of %d bytes took %d bytes of memory", c.name, len(b), got)
		}
	}
}

// Leaves that each claim all that follows are not read again and again.
func TestOverflowOfEachPage(t *testing.T) {
	const leaves = 2000
	var children []forged.Element
	pages := [][]byte{nil, nil}
	for i := range leaves {
		id := ID(40 + i)
		children = append(children, forged.Element{Key: binary.BigEndian.AppendUint32(nil, uint32(i)), Child: uint64(id)})
	}
	pages[0] = craftPage(2, FlagLeaf, 0, forged.Element{Flags: forged.ElementBucket, Key: []byte("b"), Value: forged.Bucket(3)})
	pages[1] = craftPage(3, FlagBranch, 36, children...)
	for i := range leaves {
		pages = append(pages, craftPage(ID(40+i), FlagLeaf, math.MaxUint32, forged.Element{Key: []byte("k")}))
	}
	b := craft(t, 1024, 40+leaves, pages...)
	if got := allocated(func() { consume(t, b, Thorough) }); got > uint64(8*len(b)) {
		t.Errorf("a file of %d bytes took %d bytes of memory", len(b), got)
	}
}

// Keys that all lie over each other do not multiply.
func TestOverlappingNames(t *testing.T) {
	const n, size = 1800, 30_000
	elements := make([]forged.Element, n)
	elements[0] = forged.Element{Flags: forged.ElementBucket, Key: make([]byte, size), Value: make([]byte, 64)}
	p := craftPage(2, FlagLeaf, 0, elements...)
	for i := range n {
		forged.PutElement(p, i, forged.ElementBucket, uint32(16*(n-i)), uint32(size-i), 64)
	}
	b := craft(t, 65536, 3, p)
	var yielded int
	if got := allocated(func() { yielded = consume(t, b, Thorough) }); got > 8<<20 {
		t.Errorf("a file of %d bytes took %d bytes of memory", len(b), got)
	}
	if yielded > 16*len(b) {
		t.Errorf("a file of %d bytes gave elements of %d bytes", len(b), yielded)
	}
}

// A chain of buckets as long as the file has paths that are not.
func TestDeepNesting(t *testing.T) {
	const n = 3000
	var pages [][]byte
	for i := range ID(n) {
		name := bytes.Repeat([]byte{'a' + byte(i%26)}, 900)
		pages = append(pages, craftPage(2+i, FlagLeaf, 0, forged.Element{Flags: forged.ElementBucket, Key: name, Value: forged.Bucket(uint64(3 + i))}))
	}
	b := craft(t, 1024, 2+n, pages...)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(Thorough)
	if len(tree.Buckets) != n+1 {
		t.Fatalf("%d buckets, want %d", len(tree.Buckets), n+1)
	}
	got := allocated(func() {
		for i := range tree.Buckets {
			if path := tree.BucketPath(i); len(path) > maxPath+3 {
				t.Fatalf("bucket %d has a path of %d bytes", i, len(path))
			}
		}
	})
	if got > 8*maxPath*n {
		t.Errorf("%d paths took %d bytes of memory", n, got)
	}
}

// consume reads all of b as a consumer does, and counts the bytes of all elements.
func consume(t *testing.T, b []byte, depth Depth) (n int) {
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Error(err)
		return 0
	}
	for p := range f.Sweep(f.Walk(depth), func(int64, []byte) {}) {
		for e := range p.LeafElements() {
			n += len(e.Key) + len(e.Value)
		}
		for e := range p.BranchElements() {
			n += len(e.Key)
		}
	}
	return n
}

// allocated is how many bytes do allocates in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// craftPage is a page that is right in itself.
func craftPage(id ID, kind Flags, overflow uint32, elements ...forged.Element) []byte {
	return forged.Page{ID: uint64(id), Flags: uint16(kind), Overflow: overflow, Elements: elements}.Bytes()
}

// craft is a file of the pages, whose metas are right.
func craft(t *testing.T, pageSize int, high ID, pages ...[]byte) []byte {
	t.Helper()
	b := forged.File(pageSize, uint64(high), pages...)
	if f, err := Open(bytes.NewReader(b), int64(len(b))); err != nil || f.MetaErrs != [2]error{} {
		t.Fatalf("crafted file: %v", err)
	}
	return b
}
