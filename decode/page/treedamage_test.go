package page

import (
	"bytes"
	"cmp"
	"math"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
)

func TestHeaderDamage(t *testing.T) {
	img := makeImage(t)
	leaf, branch := img.leaves["key"][3], img.tops["key"][2]
	large := img.leaves["large"][1]
	largeRef := img.tops["large"][0] + 16 + 16
	root := img.leaves[""][0]
	count := int64(img.u32(leaf+8) >> 16)
	cases := []damageCase{
		{"page ID of a leaf", func(b []byte) { put(b, leaf, uint64(9999)) },
			[]flaw{{leaf, decode.ErrValue}}, nil},
		{"page ID of a branch", func(b []byte) { put(b, branch, uint64(math.MaxUint64)) },
			[]flaw{{branch, decode.ErrValue}}, nil},
		{"flags of a leaf", func(b []byte) { put(b, leaf+8, uint16(0)) },
			[]flaw{{leaf + 8, decode.ErrValue}}, img.in(leaf)},
		{"two flags on a leaf", func(b []byte) { put(b, leaf+8, uint16(3)) },
			[]flaw{{leaf + 8, decode.ErrValue}}, img.in(leaf)},
		{"flags of a branch", func(b []byte) { put(b, branch+8, uint16(0)) },
			[]flaw{{branch + 8, decode.ErrValue}}, img.in(img.below(branch)...)},
		{"flags of the root", func(b []byte) { put(b, root+8, uint16(FlagMeta)) },
			[]flaw{{root + 8, decode.ErrValue}}, everyRecord},
		{"leaf with the flag of a branch", func(b []byte) { put(b, large+8, uint16(FlagBranch)) },
			[]flaw{{largeRef, decode.ErrValue}, {large, decode.ErrValue}, {large + 16, decode.ErrOverlap}, {large + 16, decode.ErrBounds},
				{large + 32, decode.ErrOverlap}, {large + 32, decode.ErrBounds}}, img.in(large)},
		{"one element too many", func(b []byte) { put(b, leaf+10, uint16(count+1)) },
			[]flaw{{leaf + 16, decode.ErrOverlap}, {leaf + 16 + 16*count, decode.ErrBounds}}, nil},
		{"overflow into a reachable page", func(b []byte) { put(b, img.neighbour()+12, uint32(1)) },
			[]flaw{{img.neighbour() + 12, decode.ErrOverlap}}, nil},
		{"overflow past the high water mark", func(b []byte) { put(b, img.last()+12, uint32(math.MaxUint32)) },
			append(img.listedBehind(img.last()), flaw{img.last() + 12, decode.ErrBounds}), nil},
		{"overflow of 0 in front of a long value", func(b []byte) { put(b, large+12, uint32(0)) },
			[]flaw{{large + 16, decode.ErrBounds}, {large + 32, decode.ErrBounds}, {img.list, decode.ErrMissing}}, img.in(large)},
		{"flags of the freelist", func(b []byte) { put(b, img.list+8, uint16(FlagLeaf)) },
			[]flaw{{img.meta + 32, decode.ErrValue}}, nil},
		{"page ID of a meta", func(b []byte) { put(b, 0, uint64(1)) },
			[]flaw{{0, decode.ErrValue}}, nil},
		{"flags of a meta", func(b []byte) { put(b, damagedPageSize+8, uint16(FlagLeaf)) },
			[]flaw{{damagedPageSize + 8, decode.ErrValue}}, nil},
		{"zeroed leaf", func(b []byte) { clear(b[leaf : leaf+damagedPageSize]) },
			[]flaw{{leaf, decode.ErrValue}, {leaf + 8, decode.ErrValue}}, img.in(leaf)},
		{"zeroed branch", func(b []byte) { clear(b[branch : branch+damagedPageSize]) },
			[]flaw{{branch, decode.ErrValue}, {branch + 8, decode.ErrValue}}, img.in(img.below(branch)...)},
		{"leaves swapped", func(b []byte) { swapPages(b, leaf, img.leaves["key"][7]) },
			[]flaw{{leaf, decode.ErrValue}, {leaf, decode.ErrValue}, {img.leaves["key"][7], decode.ErrValue}, {img.leaves["key"][7], decode.ErrValue}}, nil},
		{"branches swapped", func(b []byte) { swapPages(b, branch, img.tops["key"][1]) },
			[]flaw{{branch, decode.ErrValue}, {branch, decode.ErrValue}, {img.tops["key"][1], decode.ErrValue}, {img.tops["key"][1], decode.ErrValue}}, nil},
		{"one element too few", func(b []byte) { put(b, leaf+10, uint16(count-1)) },
			[]flaw{{leaf + 16, decode.ErrValue}}, hasKey(img.lastKey(leaf))},
		{"leaf without elements", func(b []byte) { put(b, leaf+10, uint16(0)) },
			[]flaw{{leaf + 10, decode.ErrValue}}, img.in(leaf)},
		{"branch without elements", func(b []byte) { put(b, branch+10, uint16(0)) },
			[]flaw{{branch + 10, decode.ErrValue}}, img.in(img.below(branch)...)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

func TestElementDamage(t *testing.T) {
	img := makeImage(t)
	const key = "key-000701"
	e := img.element("key", key)
	before, after := e-16, e+16
	if img.element("key", "key-000700") != before || img.element("key", "key-000702") != after {
		t.Fatal("the elements lie in several leaves")
	}
	data := e + int64(img.u32(e+4))
	size := int64(img.u32(e+8) + img.u32(e+12))
	branch := img.tops["key"][2] + 16 + 2*16
	child := img.below(img.tops["key"][2])[2]
	cases := []damageCase{
		{"pos past the end", func(b []byte) { put(b, e+4, uint32(damagedPageSize)) },
			[]flaw{{e, decode.ErrBounds}}, hasKey(key)},
		{"pos of 4 GiB", func(b []byte) { put(b, e+4, uint32(math.MaxUint32)) },
			[]flaw{{e, decode.ErrBounds}}, hasKey(key)},
		{"key of 2 GiB", func(b []byte) { put(b, e+8, uint32(1<<31)) },
			[]flaw{{e, decode.ErrBounds}}, hasKey(key)},
		{"value of 2 GiB", func(b []byte) { put(b, e+12, uint32(1<<31)) },
			[]flaw{{e, decode.ErrBounds}}, hasKey(key)},
		{"key and value of 4 GiB", func(b []byte) { put(b, e+8, uint64(math.MaxUint64)) },
			[]flaw{{e, decode.ErrBounds}}, hasKey(key)},
		{"value one byte too long", func(b []byte) { put(b, e+12, img.u32(e+12)+1) },
			[]flaw{{after, decode.ErrOverlap}}, nil},
		{"keys out of order", func(b []byte) { swapBytes(b, data, data+size, size) },
			[]flaw{{after, decode.ErrOrder}}, nil},
		{"data out of order", func(b []byte) {
			swapBytes(b, e, after, 16)
			put(b, e+4, img.u32(after+4)+16)
			put(b, after+4, img.u32(e+4)-16)
		},
			[]flaw{{e, decode.ErrValue}, {after, decode.ErrOverlap}}, nil},
		{"bucket flag on a short value", func(b []byte) { put(b, e, uint32(1)); put(b, e+12, uint32(8)) },
			[]flaw{{after, decode.ErrValue}, {data + int64(img.u32(e+8)), decode.ErrTruncated}}, hasKey(key)},
		{"bucket flag on a value", func(b []byte) { put(b, e, uint32(1)) },
			[]flaw{{data + int64(img.u32(e+8)), decode.ErrBounds}, {data + int64(img.u32(e+8)), decode.ErrValue}}, hasKey(key)},
		{"branch key past the end", func(b []byte) { put(b, branch, uint32(damagedPageSize)) },
			[]flaw{{branch, decode.ErrBounds}}, nil},
		{"branch key of 2 GiB", func(b []byte) { put(b, branch+4, uint32(1<<31)) },
			[]flaw{{branch, decode.ErrBounds}}, nil},
		{"branch key one byte too long", func(b []byte) { put(b, branch+4, img.u32(branch+4)+1) },
			[]flaw{{child, decode.ErrValue}, {branch + 16, decode.ErrOverlap}}, nil},
		{"branch keys out of order", func(b []byte) { b[branch+int64(img.u32(branch))] = 'z' },
			[]flaw{{child, decode.ErrValue}, {branch + 16, decode.ErrOrder}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

func TestReferenceDamage(t *testing.T) {
	img := makeImage(t)
	top, left, right := img.tops["key"][0], img.tops["key"][1], img.tops["key"][2]
	ref := left + 16 + 2*16 // to the third leaf
	lost := img.in(img.below(left)[2])
	to := func(off int64) func([]byte) {
		return func(b []byte) { put(b, ref+8, uint64(off/damagedPageSize)) }
	}
	inRight := img.below(right)
	root := img.leaves[""][0]
	cases := []damageCase{
		{"itself", to(left), []flaw{{ref, decode.ErrCycle}}, lost},
		{"parent", to(top), []flaw{{ref, decode.ErrCycle}}, lost},
		{"root of all buckets", to(root), []flaw{{ref, decode.ErrCycle}}, lost},
		{"freelist", to(img.list), []flaw{{ref, decode.ErrCycle}}, lost},
		{"child of another branch", to(inRight[0]), []flaw{{ref, decode.ErrCycle}}, lost},
		{"child of another bucket", to(img.leaves["large"][0]), []flaw{{ref, decode.ErrCycle}}, lost},
		{"meta", to(0), []flaw{{ref, decode.ErrBounds}}, lost},
		{"high water mark", to(img.high), []flaw{{ref, decode.ErrBounds}}, lost},
		{"2^64-1", func(b []byte) { put(b, ref+8, uint64(math.MaxUint64)) }, []flaw{{ref, decode.ErrBounds}}, lost},
		{"grandchild: a leaf beside branches", func(b []byte) { put(b, top+16+16+8, uint64(inRight[0]/damagedPageSize)) },
			[]flaw{{top + 16 + 16, decode.ErrValue}}, img.in(inRight[1:]...)},
		{"branch beside leaves", func(b []byte) {
			put(b, top+16+16+8, uint64(inRight[0]/damagedPageSize))
			put(b, ref+8, uint64(right/damagedPageSize))
			put(b, right+16+8, uint64(img.below(left)[2]/damagedPageSize))
		}, []flaw{{img.below(left)[2], decode.ErrValue}, {right, decode.ErrValue}, {top + 16 + 16, decode.ErrValue}, {ref, decode.ErrValue}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

func TestBucketDamage(t *testing.T) {
	img := makeImage(t)
	key, meta, large := img.bucketAt("key"), img.bucketAt("meta"), img.bucketAt("large")
	metaElement, largeElement := img.element("", "meta"), img.element("", "large")
	cases := []damageCase{
		{"root past the high water mark", func(b []byte) { put(b, key, uint64(img.high/damagedPageSize)) },
			[]flaw{{key, decode.ErrBounds}}, inBucket("key")},
		{"root of 2^64-1", func(b []byte) { put(b, key, uint64(math.MaxUint64)) },
			[]flaw{{key, decode.ErrBounds}}, inBucket("key")},
		{"root is the page that names it", func(b []byte) { put(b, key, uint64(img.leaves[""][0]/damagedPageSize)) },
			[]flaw{{key, decode.ErrCycle}}, inBucket("key")},
		{"root is that of another", func(b []byte) { put(b, large, img.u64(key)) },
			[]flaw{{large, decode.ErrCycle}}, inBucket("large")},
		{"header cut short", func(b []byte) { put(b, largeElement+12, uint32(15)) },
			[]flaw{{largeElement + 16, decode.ErrValue}, {large, decode.ErrTruncated}}, inBucket("large")},
		{"root of 0 without a page", func(b []byte) { put(b, large, uint64(0)) },
			[]flaw{{large + 16, decode.ErrTruncated}}, inBucket("large")},
		{"inline page cut short", func(b []byte) { put(b, metaElement+12, uint32(16+15)) },
			[]flaw{{meta + 16, decode.ErrTruncated}}, inBucket("meta")},
		{"inline page cut in the last value", func(b []byte) { put(b, metaElement+12, img.u32(metaElement+12)-1) },
			[]flaw{{meta + 16 + 16 + 2*16, decode.ErrBounds}}, hasKey("meta-000002")},
		{"inline branch", func(b []byte) { put(b, meta+16+8, uint16(FlagBranch)) },
			[]flaw{{meta + 16 + 8, decode.ErrValue}}, inBucket("meta")},
		{"bucket in an inline bucket", func(b []byte) { put(b, meta+16+16, uint32(1)) },
			[]flaw{{meta + 16 + 8, decode.ErrValue}}, hasKey("meta-000000")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

func TestFreelistDamage(t *testing.T) {
	img := makeImage(t)
	list, first := img.list, img.list+HeaderSize
	count := int64(img.u32(list+8) >> 16)
	to := func(off int64) func([]byte) {
		return func(b []byte) { put(b, first, uint64(off/damagedPageSize)) }
	}
	cases := []damageCase{
		{"count past the page", func(b []byte) { put(b, list+10, uint16(2000)) },
			[]flaw{{first, decode.ErrBounds}, {first + 8*count, decode.ErrBounds}}, nil},
		{"count one past the page", func(b []byte) { put(b, list+10, uint16((damagedPageSize-16)/8+1)) },
			[]flaw{{first, decode.ErrBounds}, {first + 8*count, decode.ErrBounds}}, nil},
		{"long count of 2^63", func(b []byte) { put(b, list+10, uint16(longFreelist)); put(b, first, uint64(1<<63)) },
			[]flaw{{first, decode.ErrBounds}, {first + 8*count, decode.ErrBounds}}, nil},
		{"leaf in use", to(img.leaves["key"][0]), []flaw{{first, decode.ErrOverlap}}, nil},
		{"overflow page in use", to(img.leaves["large"][0] + damagedPageSize), []flaw{{first, decode.ErrOverlap}}, nil},
		{"the freelist itself", to(list), []flaw{{first, decode.ErrOverlap}}, nil},
		{"page listed twice", to(int64(img.u64(first+8)) * damagedPageSize), []flaw{{first + 8, decode.ErrOverlap}}, nil},
		{"meta", to(damagedPageSize), []flaw{{first, decode.ErrBounds}}, nil},
		{"high water mark", to(img.high), []flaw{{first, decode.ErrBounds}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

func TestMetaFieldDamage(t *testing.T) {
	img := makeImage(t)
	cases := []damageCase{
		{"high water mark of 2^63", func(b []byte) { setMeta(b, 40, 1<<63) },
			[]flaw{{int64(len(img.b)), decode.ErrTruncated}}, nil},
		{"high water mark of 2", func(b []byte) { setMeta(b, 40, 2) },
			[]flaw{{img.meta + 16, decode.ErrBounds}, {img.meta + 32, decode.ErrBounds}}, everyRecord},
		{"high water mark of 0", func(b []byte) { setMeta(b, 40, 0) },
			[]flaw{{img.meta + 16, decode.ErrBounds}, {img.meta + 32, decode.ErrBounds}}, everyRecord},
		{"root of 0", func(b []byte) { setMeta(b, 16, 0) },
			[]flaw{{img.meta + 16, decode.ErrBounds}}, everyRecord},
		{"root of 2^64-1", func(b []byte) { setMeta(b, 16, math.MaxUint64) },
			[]flaw{{img.meta + 16, decode.ErrBounds}}, everyRecord},
		{"freelist past the high water mark", func(b []byte) { setMeta(b, 32, uint64(img.high/damagedPageSize)) },
			[]flaw{{img.meta + 32, decode.ErrBounds}}, nil},
		{"freelist of the last page ID but one", func(b []byte) { setMeta(b, 32, math.MaxUint64-1) }, []flaw{{img.meta + 32, decode.ErrBounds}}, nil},
		{"a meta as freelist", func(b []byte) { setMeta(b, 32, 1) }, []flaw{{img.meta + 32, decode.ErrBounds}}, nil},
		{"the root as freelist", func(b []byte) { setMeta(b, 32, uint64(img.leaves[""][0]/damagedPageSize)) },
			[]flaw{{img.meta + 32, decode.ErrValue}}, nil},
		{"a branch as freelist", func(b []byte) { setMeta(b, 32, uint64(img.tops["key"][0]/damagedPageSize)) },
			[]flaw{{img.meta + 32, decode.ErrValue}}, nil},
		{"a leaf as freelist", func(b []byte) { setMeta(b, 32, uint64(img.leaves["key"][3]/damagedPageSize)) },
			[]flaw{{img.meta + 32, decode.ErrValue}}, nil},
		{"an overflow page as freelist", func(b []byte) { setMeta(b, 32, uint64(img.leaves["large"][0]/damagedPageSize+1)) },
			[]flaw{{img.meta + 32, decode.ErrValue}}, nil},
		{"no freelist", func(b []byte) { setMeta(b, 32, math.MaxUint64) }, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}

// A file cut short gives what is left of it.
func TestCutFile(t *testing.T) {
	img := imageOf(t, putKeys("key", 90, 20), putKeys("meta", 3, 8), putKeys("large", 5, 1200))
	var cuts []int64
	for cut := int64(0); cut < img.high; cut += damagedPageSize {
		cuts = append(cuts, cut)
	}
	for cut := img.high - 2*damagedPageSize; cut <= img.high; cut++ {
		cuts = append(cuts, cut)
	}
	whole := img.whole()
	all := map[record]bool{}
	for _, r := range img.records {
		all[r] = true
	}
	for _, cut := range cuts {
		b := img.b[:cut]
		if _, err := Open(bytes.NewReader(b), cut); cut < 80 {
			if err == nil {
				t.Errorf("cut at %#x: no error", cut)
			}
			continue
		}
		rd := readNewest(t, b)
		got := map[record]bool{}
		for _, r := range rd.Records {
			got[r] = true
			if !all[r] {
				t.Errorf("cut at %#x: record %q out of nowhere", cut, r.Key)
			}
		}
		for r, end := range whole {
			if end <= cut && !got[r] {
				t.Errorf("cut at %#x: record %q is lost", cut, r.Key)
			}
		}
		if told := len(rd.Flaws) > 0; told != (cut < img.high) {
			t.Errorf("cut at %#x of %#x: damage %v", cut, img.high, rd.Flaws)
		}
	}
}

// whole tells for each record where the last page ends that is needed to read it.
func (img *image) whole() map[record]int64 {
	ends := map[string]int64{} // by bucket and key
	for bucket, leaves := range img.leaves {
		need := img.leaves[""][0] + damagedPageSize
		for _, top := range img.tops[bucket] {
			need = max(need, top+damagedPageSize)
		}
		for _, leaf := range leaves {
			end := leaf + damagedPageSize*int64(img.u32(leaf+12)+1)
			for key := range img.keys(leaf) {
				ends[bucket+"/"+key] = max(need, end)
			}
		}
	}
	whole := map[record]int64{}
	for _, r := range img.records {
		whole[r] = cmp.Or(ends[r.Bucket+"/"+r.Key], ends["/"+r.Bucket])
	}
	return whole
}

// neighbour is a leaf right in front of another reachable page.
func (img *image) neighbour() int64 {
	for _, leaf := range img.leaves["key"] {
		for _, next := range img.leaves["key"] {
			if next == leaf+damagedPageSize {
				return leaf
			}
		}
	}
	panic("no two leaves in a row")
}

// last is the last reachable page.
func (img *image) last() int64 {
	last := img.list
	for _, pages := range []map[string][]int64{img.leaves, img.tops} {
		for _, offs := range pages {
			for _, off := range offs {
				last = max(last, off)
			}
		}
	}
	return last
}

// listedBehind is what is wrong with the freelist if the pages behind off are in use.
func (img *image) listedBehind(off int64) (flaws []flaw) {
	for i := range int64(img.u32(img.list+8) >> 16) {
		if entry := img.list + 16 + 8*i; int64(img.u64(entry)) > off/damagedPageSize {
			flaws = append(flaws, flaw{entry, decode.ErrOverlap})
		}
	}
	return flaws
}

func swapPages(b []byte, x, y int64) { swapBytes(b, x, y, damagedPageSize) }

func swapBytes(b []byte, x, y, n int64) {
	for i := range n {
		b[x+i], b[y+i] = b[y+i], b[x+i]
	}
}
