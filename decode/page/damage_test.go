package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// byCause compares the errors in flaws.
var byCause = cmp.Comparer(func(a, b flaw) bool { return a.Off == b.Off && errors.Is(a.Err, b.Err) })

// damagedPageSize is that of the file which the damage tests break.
const damagedPageSize = 1024

// An image is a healthy file, and where things are in it.
type image struct {
	b       []byte
	records []record
	leaves  map[string][]int64 // offsets of the leaves of a bucket, in key order
	tops    map[string][]int64 // offsets of its branches, the root first
	high    int64              // high water mark, in bytes
	list    int64              // offset of the freelist
	meta    int64              // offset of the newest meta, behind the page header
}

// makeImage has a bucket "key" with two levels of branches, one with values that
// need overflow pages, a small one that is inline, and free pages.
func makeImage(t *testing.T) *image {
	t.Helper()
	img := imageOf(t, putKeys("old", 200, 20), putKeys("key", 1500, 20), putKeys("large", 8, 3000), putKeys("meta", 3, 8),
		func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("old")) }, putKeys("meta", 3, 8))
	if len(img.tops["key"]) < 3 || len(img.leaves["large"]) < 2 || img.leaves["meta"] != nil {
		t.Fatal("not the file that is needed")
	}
	return img
}

func imageOf(t *testing.T, steps ...func(*bolt.Tx) error) *image {
	t.Helper()
	b, w := makeDB(t, boltOptions(damagedPageSize), steps...)
	img := &image{b: b, records: w.Records, high: w.HighSize, leaves: map[string][]int64{}, tops: map[string][]int64{}}
	sortRecords(img.records)
	order := binary.LittleEndian
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	m, id, _ := f.Meta()
	img.meta = int64(id)*damagedPageSize + HeaderSize
	img.list = int64(m.Freelist) * damagedPageSize
	img.follow("", int64(m.Root)*damagedPageSize)
	root := img.leaves[""][0]
	for i := range int64(order.Uint16(b[root+10:])) {
		e := root + 16 + 16*i
		key := e + int64(order.Uint32(b[e+4:]))
		value := key + int64(order.Uint32(b[e+8:]))
		if id := int64(order.Uint64(b[value:])); id != 0 {
			img.follow(string(b[key:value]), id*damagedPageSize)
		}
	}
	return img
}

func (img *image) follow(bucket string, off int64) {
	order := binary.LittleEndian
	if order.Uint16(img.b[off+8:]) == 2 {
		img.leaves[bucket] = append(img.leaves[bucket], off)
		return
	}
	img.tops[bucket] = append(img.tops[bucket], off)
	for i := range int64(order.Uint16(img.b[off+10:])) {
		img.follow(bucket, damagedPageSize*int64(order.Uint64(img.b[off+16+16*i+8:])))
	}
}

// bucketAt is the offset of a bucket's header in the leaf of the root bucket.
func (img *image) bucketAt(name string) int64 {
	e := img.element("", name)
	return e + int64(img.u32(e+4)) + int64(img.u32(e+8))
}

// element is the offset of the leaf element with the key.
func (img *image) element(bucket, key string) int64 {
	for _, leaf := range img.leaves[bucket] {
		for i := range int64(binary.LittleEndian.Uint16(img.b[leaf+10:])) {
			e := leaf + 16 + 16*i
			at := e + int64(img.u32(e+4))
			if string(img.b[at:at+int64(img.u32(e+8))]) == key {
				return e
			}
		}
	}
	panic("no element " + key)
}

// below is the leaves under the branch at off.
func (img *image) below(off int64) []int64 {
	sub := image{b: img.b, leaves: map[string][]int64{}, tops: map[string][]int64{}}
	sub.follow("", off)
	return sub.leaves[""]
}

// in tells which records lie in the leaves.
func (img *image) in(leaves ...int64) func(record) bool {
	keys := map[string]bool{}
	for _, leaf := range leaves {
		maps.Copy(keys, img.keys(leaf))
	}
	return func(r record) bool { return keys[r.Key] }
}

// keys is the keys in the leaf at off.
func (img *image) keys(off int64) map[string]bool {
	keys := map[string]bool{}
	for i := range int64(binary.LittleEndian.Uint16(img.b[off+10:])) {
		e := off + 16 + 16*i
		at := e + int64(img.u32(e+4))
		keys[string(img.b[at:at+int64(img.u32(e+8))])] = true
	}
	return keys
}

// lastKey is the last key of the leaf at off.
func (img *image) lastKey(off int64) string {
	return slices.Max(slices.Collect(maps.Keys(img.keys(off))))
}

func (img *image) u32(off int64) uint32 { return binary.LittleEndian.Uint32(img.b[off:]) }
func (img *image) u64(off int64) uint64 { return binary.LittleEndian.Uint64(img.b[off:]) }

// put overwrites the bytes at off with v, as many bytes as v has.
func put[T uint8 | uint16 | uint32 | uint64](b []byte, off int64, v T) {
	if n, err := binary.Encode(b[off:], binary.LittleEndian, v); n == 0 || err != nil {
		panic(err)
	}
}

// setMeta changes a field of both metas, and their checksums.
func setMeta(b []byte, field int64, v uint64) {
	for off := int64(0); off < 2*damagedPageSize; off += damagedPageSize {
		put(b, off+HeaderSize+field, v)
		signMeta(b[off+HeaderSize:off+HeaderSize+metaSize], false)
	}
}

// A damageCase says what is broken, what must be reported, and which records are
// lost. All others must still be read.
type damageCase struct {
	name string
	// apply breaks b.
	apply func(b []byte)
	want  []flaw
	lost  func(record) bool // nil for none
}

func (c damageCase) check(t *testing.T, img *image) {
	t.Helper()
	b := bytes.Clone(img.b)
	c.apply(b)
	rd := readNewest(t, b)
	sortRecords(rd.Records)
	want := slices.Clone(img.records)
	if c.lost != nil {
		want = slices.DeleteFunc(want, c.lost)
	}
	if diff := cmp.Diff(keysOf(want), keysOf(rd.Records)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	byOff := func(a, b flaw) int { return int(a.Off - b.Off) }
	slices.SortStableFunc(rd.Flaws, byOff)
	slices.SortStableFunc(c.want, byOff)
	if diff := cmp.Diff(c.want, rd.Flaws, byCause); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
}

func everyRecord(record) bool { return true }

func inBucket(name string) func(record) bool {
	return func(r record) bool { return r.Bucket == name }
}

func hasKey(key string) func(record) bool { return func(r record) bool { return r.Key == key } }
