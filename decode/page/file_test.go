package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode"
)

// A metaBreak breaks one field of the meta that starts at b.
type metaBreak struct {
	name  string
	apply func(meta []byte)
	off   int64 // of what is reported, from the start of the meta
	err   error
}

func metaBreaks() []metaBreak {
	return []metaBreak{
		{"magic", func(b []byte) { b[0]++ }, 0, decode.ErrMagic},
		{"version 3", func(b []byte) { b[4] = 3; signMeta(b, false) }, 4, decode.ErrVersion},
		{"checksum", func(b []byte) { b[63]++ }, 56, decode.ErrChecksum},
		{"root without a new checksum", func(b []byte) { b[16]++ }, 56, decode.ErrChecksum},
		{"page size 0", func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 0); signMeta(b, false) }, 8, decode.ErrValue},
		{"page size 512", func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 512); signMeta(b, false) }, 8, decode.ErrValue},
		{"page size 4097", func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 4097); signMeta(b, false) }, 8, decode.ErrValue},
		{"page size 128 KiB", func(b []byte) { binary.LittleEndian.PutUint32(b[8:], 128<<10); signMeta(b, false) }, 8, decode.ErrValue},
	}
}

// With one meta broken the other is used, at every page size.
func TestOneBrokenMeta(t *testing.T) {
	for _, pageSize := range []int{1024, 2048, 4096, 8192, 16384, 32768, 65536} {
		// The last transaction changes nothing but the meta: both metas lead to the
		// same buckets.
		b, _ := makeDB(t, boltOptions(pageSize), putKeys("key", 100, 30), func(*bolt.Tx) error { return nil })
		want := read(t, b).Records
		for _, c := range metaBreaks() {
			for broken := range 2 {
				name := fmt.Sprintf("pages of %d, meta %d, %s", pageSize, broken, c.name)
				start := broken*pageSize + HeaderSize
				image := bytes.Clone(b)
				c.apply(image[start : start+metaSize])
				rd := read(t, image)
				f := rd.File
				if _, id, ok := f.Meta(); !ok || int(id) != 1-broken || f.PageSize != pageSize || f.Order != Little {
					t.Errorf("%s: meta %v of a %v file with pages of %d", name, id, f.Order, f.PageSize)
				}
				if !errors.Is(f.MetaErrs[broken], c.err) || f.MetaErrs[1-broken] != nil {
					t.Errorf("%s: errors %v, want %v", name, f.MetaErrs, c.err)
				}
				if diff := cmp.Diff([]flaw{{int64(start) + c.off, c.err}}, rd.Flaws, byCause); diff != "" {
					t.Errorf("%s: damage (-want +got):\n%s", name, diff)
				}
				if !slices.Equal(rd.Records, want) {
					t.Errorf("%s: %d records, want %d", name, len(rd.Records), len(want))
				}
			}
		}
	}
}

// A meta that lies where its own page size has none is no meta of this file.
func TestStrayMeta(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 100, 30), idle)
	want := read(t, b).Records
	stray := b[1024+HeaderSize:][:metaSize]
	copy(stray, b[HeaderSize:][:metaSize])
	put(stray, 48, uint64(1<<40)) // transaction ID
	signMeta(stray, false)
	b[HeaderSize]++
	rd := read(t, b)
	if m, id, ok := rd.File.Meta(); !ok || id != 1 || rd.File.PageSize != 4096 || m.TxID == 1<<40 {
		t.Errorf("meta %v of transaction %d, pages of %d", id, m.TxID, rd.File.PageSize)
	}
	if !slices.Equal(rd.Records, want) {
		t.Errorf("%d records, want %d", len(rd.Records), len(want))
	}
}

// Without a valid meta the File has no tree, and every page is there as residue.
func TestBothMetasBroken(t *testing.T) {
	for _, pageSize := range []int{1024, 4096, 65536} {
		b, _ := makeDB(t, boltOptions(pageSize), putKeys("key", 100, 30))
		for _, c := range metaBreaks() {
			image := bytes.Clone(b)
			var want []flaw
			for start := HeaderSize; start < 2*pageSize; start += pageSize {
				c.apply(image[start : start+metaSize])
				want = append(want, flaw{int64(start) + c.off, c.err})
			}
			rd := read(t, image)
			if _, _, ok := rd.File.Meta(); ok || rd.File.PageSize != pageSize {
				t.Errorf("%s: valid meta %t, pages of %d bytes, want %d", c.name, ok, rd.File.PageSize, pageSize)
			}
			if diff := cmp.Diff(want, rd.Flaws, byCause); diff != "" {
				t.Errorf("%s, pages of %d: damage (-want +got):\n%s", c.name, pageSize, diff)
			}
			if n := rd.count(Unreachable); ID(n) != rd.File.Pages()-2 || rd.count(MetaPage) != 2 || rd.Records != nil {
				t.Errorf("%s: %d unreachable pages of %v, %d metas", c.name, n, rd.File.Pages(), rd.count(MetaPage))
			}
		}
	}
}

// The newest transaction wins, on whichever page its meta is.
func TestNewestMeta(t *testing.T) {
	var steps []func(*bolt.Tx) error
	for n := 1; n <= 4; n++ {
		steps = append(steps, putKeys("key", n, 5))
		b, w := makeDB(t, boltOptions(4096), steps...)
		rd := read(t, b)
		m, id, ok := rd.File.Meta()
		if !ok || id != ID(m.TxID%2) || len(w.Records) != n {
			t.Errorf("after %d transactions: meta %v, transaction %d", n, id, m.TxID)
		}
		compareReading(t, rd, w)
		if older := rd.File.Metas[1-id]; older.TxID != m.TxID-1 {
			t.Errorf("after %d transactions: the other meta is of transaction %d, the newest of %d", n, older.TxID, m.TxID)
		}
	}
}

func TestNoBoltFile(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 10, 30))
	cases := []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"1 byte", []byte{0xED}},
		{"79 bytes of a bbolt file", b[:79]},
		{"text", []byte(strings.Repeat("not a database\n", 20_000))},
		{"zeros", make([]byte, 1<<20)},
		{"ones", bytes.Repeat([]byte{0xFF}, 1<<18)},
		{"a page behind two that are no metas", append(make([]byte, 4096), b[4096+HeaderSize:2*4096]...)},
	}
	for _, c := range cases {
		f, err := Open(bytes.NewReader(c.b), int64(len(c.b)))
		var format *decode.FormatError
		if !errors.Is(err, decode.ErrMagic) || !errors.As(err, &format) || f != nil {
			t.Errorf("%s: error %v, want %v", c.name, err, decode.ErrMagic)
		}
	}
}

// 80 bytes are a header and a meta: the rest is missing, and that is damage.
func TestMetaAlone(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 10, 30))
	rd := read(t, b[:80])
	m := rd.File.Metas[0]
	want := []flaw{
		{80, decode.ErrTruncated},           // meta 1
		{80, decode.ErrTruncated},           // pages in use
		{HeaderSize + 32, decode.ErrBounds}, // freelist
		{HeaderSize + 16, decode.ErrBounds}, // root
		{0, decode.ErrTruncated},            // page 0
	}
	if m.TxID == rd.File.Metas[1].TxID {
		t.Error("meta 1 out of nowhere")
	}
	if diff := cmp.Diff(want, rd.Flaws, byCause); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
}

func TestParseMetaErrors(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 10, 30))
	good := b[HeaderSize : HeaderSize+metaSize]
	want, err := ParseMeta(good, Little, HeaderSize)
	if err != nil || want.PageSize != 4096 || !want.HasFreelist() {
		t.Fatalf("meta %+v, error %v", want, err)
	}
	for _, c := range metaBreaks() {
		broken := bytes.Clone(good)
		c.apply(broken)
		_, err := ParseMeta(broken, Little, 1000)
		var format *decode.FormatError
		if !errors.As(err, &format) || !errors.Is(err, c.err) || format.Off != 1000+c.off {
			t.Errorf("%s: error %v, want %v at offset %#x", c.name, err, c.err, 1000+c.off)
		}
	}
	for n := range metaSize {
		if m, err := ParseMeta(good[:n], Little, 0); !errors.Is(err, decode.ErrTruncated) || m != (Meta{}) {
			t.Errorf("%d bytes: error %v, want %v", n, err, decode.ErrTruncated)
		}
	}
	if _, err := ParseMeta(good, Big, 0); !errors.Is(err, decode.ErrMagic) {
		t.Errorf("other byte order: error %v, want %v", err, decode.ErrMagic)
	}
}
