package page

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode"
)

// A db written on a big-endian host has the same records.
func TestBigEndian(t *testing.T) {
	for _, pageSize := range []int{1024, 4096, 65536} {
		for _, noFreelist := range []bool{false, true} {
			o := boltOptions(pageSize)
			o.NoFreelistSync = noFreelist
			b, w := makeDB(t, o, everything()...)
			swapped := toBigEndian(b)
			if bytes.Equal(b, swapped) {
				t.Fatal("nothing was swapped")
			}
			rd := read(t, swapped)
			if rd.File.Order != Big || rd.File.PageSize != pageSize {
				t.Errorf("%v file with pages of %d bytes, want %v and %d", rd.File.Order, rd.File.PageSize, Big, pageSize)
			}
			compareReading(t, rd, w)
		}
	}
}

// Without a valid meta the byte order is still that of the pages.
func TestBigEndianWithoutMetas(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 100, 100))
	b = toBigEndian(b)
	b[HeaderSize]++
	b[4096+HeaderSize]++
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Order != Big || f.PageSize != 4096 {
		t.Errorf("%v file with pages of %d bytes", f.Order, f.PageSize)
	}
}

// toBigEndian rewrites a little-endian file as a host of the other byte order
// would have written it: everything that the newest meta reaches, and both metas.
func toBigEndian(src []byte) []byte {
	s := swapper{b: bytes.Clone(src)}
	s.pageSize = int(binary.LittleEndian.Uint32(src[24:]))
	var newest []byte
	for _, off := range []int{0, s.pageSize} {
		meta := src[off+16:]
		if newest == nil || binary.LittleEndian.Uint64(meta[48:]) > binary.LittleEndian.Uint64(newest[48:]) {
			newest = meta
		}
		s.header(off)
		swapMeta(s.b[off+16 : off+80])
	}
	s.tree(int(binary.LittleEndian.Uint64(newest[16:])) * s.pageSize)
	if list := binary.LittleEndian.Uint64(newest[32:]); list != 1<<64-1 {
		s.freelist(int(list) * s.pageSize)
	}
	return s.b
}

// swapMeta turns the 64 bytes of a meta around, in place.
func swapMeta(meta []byte) []byte {
	for off := 0; off < 16; off += 4 {
		slices.Reverse(meta[off : off+4])
	}
	for off := 16; off < 64; off += 8 {
		slices.Reverse(meta[off : off+8])
	}
	signMeta(meta, true)
	return meta
}

type swapper struct {
	b        []byte
	pageSize int
}

// flip turns fields of the sizes around, from off on, and gives their values.
func (s *swapper) flip(off int, sizes ...int) []int {
	values := make([]int, len(sizes))
	for i, size := range sizes {
		field := s.b[off : off+size]
		values[i] = int(number(field, false))
		slices.Reverse(field)
		off += size
	}
	return values
}

// header turns a page header around and gives the page's flags and count.
func (s *swapper) header(off int) (flags, count int) {
	h := s.flip(off, 8, 2, 2, 4)
	return h[1], h[2]
}

func (s *swapper) tree(off int) {
	flags, count := s.header(off)
	for i := range count {
		element := off + 16 + 16*i
		if flags == 1 {
			e := s.flip(element, 4, 4, 8)
			s.tree(e[2] * s.pageSize)
			continue
		}
		e := s.flip(element, 4, 4, 4, 4)
		if e[0] == 1 {
			value := element + e[1] + e[2]
			if root := s.flip(value, 8, 8)[0]; root != 0 {
				s.tree(root * s.pageSize)
			} else {
				s.tree(value + 16)
			}
		}
	}
}

func (s *swapper) freelist(off int) {
	_, count := s.header(off)
	off += 16
	if count == 0xFFFF {
		count = s.flip(off, 8)[0]
		off += 8
	}
	for i := range count {
		s.flip(off+8*i, 8)
	}
}

// everything writes a db that has all that bbolt can write: a deep tree, values
// over several pages, inline and nested buckets, an empty one, and free pages.
func everything() []func(*bolt.Tx) error {
	return []func(*bolt.Tx) error{
		putKeys("deep", 3000, 40),
		putKeys("large", 3, 200_000),
		putKeys("inline", 3, 10),
		putKeys("empty", 0, 0),
		nested("n1", "n2", "n3", "n4"),
		putKeys("deep", 500, 60),
		func(tx *bolt.Tx) error { return tx.Bucket([]byte("large")).Delete([]byte("large-000001")) },
		putKeys("last", 1, 1),
	}
}

// compareReading compares a reading of a healthy file with bbolt's.
func compareReading(t tester, rd reading, w witness) {
	t.Helper()
	var want []flaw
	if m, _, _ := rd.File.Meta(); w.Lost > 0 && m.HasFreelist() {
		want = []flaw{{int64(m.Freelist) * int64(rd.File.PageSize), decode.ErrMissing}}
	}
	if !slices.Equal(rd.Flaws, want) {
		t.Errorf("damage in a healthy file of which bbolt lost %d pages: %v", w.Lost, rd.Flaws)
	}
	sortRecords(rd.Records)
	sortRecords(w.Records)
	if !slices.Equal(rd.Records, w.Records) {
		t.Errorf("records (-got +want):\n%s", cmp.Diff(keysOf(rd.Records), keysOf(w.Records)))
	}
	high := w.HighSize / int64(rd.File.PageSize)
	if got := rd.Tree.HighWater(); got != ID(high) {
		t.Errorf("high water mark %v, want %v", got, high)
	}
	for id := ID(0); id < rd.File.Pages(); id++ {
		free := rd.Uses[id] == Unreachable
		if tail := rd.Uses[id] == Tail; tail != (id >= ID(high)) || free != w.Free[id] {
			t.Errorf("page %v is %v; bbolt: free %t, high water mark %d", id, rd.Uses[id], w.Free[id], high)
		}
	}
}

func sortRecords(rs []record) {
	slices.SortFunc(rs, func(a, b record) int {
		if a.Bucket != b.Bucket {
			return bytes.Compare([]byte(a.Bucket), []byte(b.Bucket))
		}
		return bytes.Compare([]byte(a.Key), []byte(b.Key))
	})
}

// keysOf is short enough to print.
func keysOf(rs []record) (keys []record) {
	for _, r := range rs {
		keys = append(keys, record{r.Bucket, r.Key, r.Value[:min(len(r.Value), 16)]})
	}
	return keys
}
