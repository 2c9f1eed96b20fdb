package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// causes are all that a *decode.FormatError of elements may wrap.
var causes = []error{decode.ErrTruncated, decode.ErrBounds, decode.ErrOverlap, decode.ErrValue, decode.ErrOrder, decode.ErrLimit}

// A page costs no more than the errors on its elements, of 16 bytes each: two for some,
// with their texts.
var pageBound = alloc.Bound{Fixed: 4 << 10, PerByte: 32}

func FuzzLeafElements(f *testing.F) {
	addPages(f, FlagLeaf)
	f.Fuzz(func(t *testing.T, b []byte, big bool, off int64) {
		p := fuzzPage(b, big, off)
		end, sum, n := 0, 0, 0
		var last []byte
		for e, err := range p.LeafElements() {
			checkElement(t, p, n, e.Index, err)
			n++
			if err == nil || errors.Is(err, decode.ErrOverlap) || errors.Is(err, decode.ErrValue) || errors.Is(err, decode.ErrOrder) {
				start := int(e.Off - p.Off)
				checkBytes(t, b, start, e.Key)
				checkBytes(t, b, int(e.ValueOff()-p.Off), e.Value)
				if err == nil && start < end {
					t.Errorf("element %d starts at %d, inside the one before, and has no error", e.Index, start)
				}
				if err == nil && last != nil && bytes.Compare(last, e.Key) >= 0 {
					t.Errorf("element %d is out of order and has no error", e.Index)
				}
				last, end = e.Key, max(end, start+len(e.Key)+len(e.Value))
				sum += len(e.Key) + len(e.Value)
			} else if e.Key != nil || e.Value != nil {
				t.Errorf("element %d has bytes in spite of %v", e.Index, err)
			}
		}
		if sum > (maxOverlap+1)*len(b) {
			t.Errorf("a page of %d bytes gave elements of %d bytes", len(b), sum)
		}
		pageBound.Check(t, len(b), func() {
			for range p.LeafElements() {
			}
		})
		if !p.hasBuckets() {
			for e := range p.LeafElements() {
				if e.IsBucket() {
					t.Errorf("element %d is a bucket, and hasBuckets is false", e.Index)
				}
			}
		}
	})
}

func FuzzBranchElements(f *testing.F) {
	addPages(f, FlagBranch)
	f.Fuzz(func(t *testing.T, b []byte, big bool, off int64) {
		p := fuzzPage(b, big, off)
		sum, n := 0, 0
		for e, err := range p.BranchElements() {
			checkElement(t, p, n, e.Index, err)
			n++
			if e.Key != nil {
				pos := uint32(number(b[HeaderSize+e.Index*ElementSize:][:4], big))
				checkBytes(t, b, HeaderSize+e.Index*ElementSize+int(pos), e.Key)
				sum += len(e.Key)
			}
			if !errors.Is(err, decode.ErrTruncated) {
				if want := ID(number(b[HeaderSize+e.Index*ElementSize+8:][:8], big)); e.Child != want {
					t.Errorf("element %d: child %v, want %v", e.Index, e.Child, want)
				}
			}
		}
		if sum > (maxOverlap+1)*len(b) {
			t.Errorf("a page of %d bytes gave keys of %d bytes", len(b), sum)
		}
		pageBound.Check(t, len(b), func() {
			for range p.BranchElements() {
			}
		})
	})
}

func FuzzParseMeta(f *testing.F) {
	b, _ := makeDB(f, boltOptions(1024), putKeys("key", 3, 8))
	f.Add(b[HeaderSize:1024], false)
	f.Add(b[HeaderSize:79], false)
	f.Add(swapMeta(bytes.Clone(b[HeaderSize:1024])), true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		m, err := ParseMeta(b, orderOf(big), 16)
		var format *decode.FormatError
		switch {
		case err == nil:
			if got := encodeMeta(m, b, big); !bytes.Equal(got, b[:metaSize]) {
				t.Errorf("meta %x encodes as %x", b[:metaSize], got)
			}
		case !errors.As(err, &format):
			t.Errorf("error %v is not a *decode.FormatError", err)
		case errors.Is(err, decode.ErrTruncated) || errors.Is(err, decode.ErrMagic):
			if m != (Meta{}) {
				t.Errorf("Meta %+v in spite of %v", m, err)
			}
		case errors.Is(err, decode.ErrVersion), errors.Is(err, decode.ErrChecksum), errors.Is(err, decode.ErrValue):
			if m.TxID != number(b[48:56], big) {
				t.Errorf("transaction ID %d with %v", m.TxID, err)
			}
		default:
			t.Errorf("unknown cause %v", err)
		}
	})
}

// A file costs its windows, and for each page what the tree keeps of it and of what is
// wrong with it.
var fileBound = alloc.Bound{Fixed: 4 << 20, PerByte: 64}

func FuzzFile(f *testing.F) {
	for _, steps := range fuzzSteps() {
		b, w := makeDB(f, boltOptions(1024), steps...)
		b = b[:min(len(b), int(w.HighSize)+1500)] // a page of the tail, and part of another
		f.Add(b, false)
		f.Add(b, true)
		f.Add(toBigEndian(b), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign {
			b = bytes.Clone(b)
			signMetas(b)
		}
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err != nil {
			if !errors.Is(err, decode.ErrMagic) {
				t.Errorf("Open: %v", err)
			}
			return
		}
		rd := read(t, b)
		if rd.Yields > 64+len(b) {
			t.Errorf("%d yields from a file of %d bytes", rd.Yields, len(b))
		}
		for _, how := range []Depth{Branches, Thorough} {
			fileBound.Check(t, len(b), func() {
				for range rd.File.Sweep(rd.File.Walk(how), nil) {
				}
			})
		}
		pages := int(rd.File.Pages())
		if len(rd.Uses) != pages {
			t.Errorf("%d pages yielded of %d", len(rd.Uses), pages)
		}
		if again := read(t, b); again.Yields != rd.Yields || !slices.Equal(again.Records, rd.Records) {
			t.Error("a second reading gives something else")
		}
	})
}

// addPages seeds f with the pages of one kind in small dbs, in both orders.
func addPages(f *testing.F, kind Flags) {
	for _, steps := range fuzzSteps() {
		b, _ := makeDB(f, boltOptions(1024), steps...)
		swapped := toBigEndian(b)
		for off := 0; off < len(b); off += 1024 {
			if h, err := parseHeader(b[off:], Little, 0); err == nil && h.Flags == kind {
				end := min(len(b), off+1024*int(1+h.Overflow%8))
				f.Add(b[off:end], false, int64(off))
				f.Add(swapped[off:end], true, int64(off))
			}
		}
	}
}

// fuzzSteps writes what a db of a few pages can have in it.
func fuzzSteps() [][]func(*bolt.Tx) error {
	return [][]func(*bolt.Tx) error{
		{},
		{putKeys("key", 3, 8)},
		{putKeys("key", 60, 30), putKeys("meta", 2, 8)},
		{putKeys("key", 2, 3000), putKeys("meta", 2, 8)},
		{nested("a", "b", "c"), putKeys("key", 20, 60)},
	}
}

// putKeys puts n keys into the bucket, with values of size bytes.
func putKeys(bucket string, n, size int) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		for i := range n {
			value := bytes.Repeat([]byte{'a' + byte(i%26)}, size)
			if err := b.Put(fmt.Appendf(nil, "%s-%06d", bucket, i), value); err != nil {
				return err
			}
		}
		return nil
	}
}

// nested makes a bucket inside a bucket for each name. Each has a key, and the
// odd ones have enough of them not to be inline.
func nested(names ...string) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(names[0]))
		for i, name := range names {
			if i > 0 && err == nil {
				b, err = b.CreateBucketIfNotExists([]byte(name))
			}
			for k := range 1 + 40*(i%2) {
				if err == nil {
					err = b.Put(fmt.Appendf(nil, "in-%s-%03d", name, k), bytes.Repeat([]byte{'v'}, 20))
				}
			}
		}
		return err
	}
}

func fuzzPage(b []byte, big bool, off int64) Page {
	off = max(0, off%(1<<40))
	h, _ := parseHeader(b, orderOf(big), off)
	return Page{Off: off, Data: b, Header: h, order: orderOf(big)}
}

func checkElement(t *testing.T, p Page, n, index int, err error) {
	t.Helper()
	if index != n || n >= int(p.Header.Count) || n > len(p.Data)/ElementSize {
		t.Fatalf("element %d after %d elements of a page of %d bytes with %d", index, n, len(p.Data), p.Header.Count)
	}
	var format *decode.FormatError
	if err == nil {
		return
	}
	if !errors.As(err, &format) || !slices.Contains(causes, flawOf(format).Err) {
		t.Fatalf("element %d: error %v", index, err)
	}
	if want := p.Off + int64(HeaderSize+index*ElementSize); format.Off != want {
		t.Errorf("element %d: error at offset %#x, want %#x", index, format.Off, want)
	}
}

// checkBytes checks that part is the very memory of b at start.
func checkBytes(t *testing.T, b []byte, start int, part []byte) {
	t.Helper()
	if start < 0 || start+len(part) > len(b) || len(part) > 0 && &b[start] != &part[0] {
		t.Fatalf("%d bytes that are not those at %d of %d", len(part), start, len(b))
	}
}

func orderOf(big bool) Order {
	if big {
		return Big
	}
	return Little
}

// number reads all of b as an integer.
func number(b []byte, big bool) (v uint64) {
	for i := range b {
		if big {
			v = v<<8 | uint64(b[i])
		} else {
			v |= uint64(b[i]) << (8 * i)
		}
	}
	return v
}

// signMetas gives both metas of a file with pages of 1 KiB the right checksum.
func signMetas(b []byte) {
	for off := HeaderSize; off < 2048 && off+metaSize <= len(b); off += 1024 {
		signMeta(b[off:off+metaSize], b[off] == 0xED)
	}
}

// signMeta puts the right checksum into a meta.
func signMeta(meta []byte, big bool) {
	if big {
		forged.SignMeta(meta, binary.BigEndian)
	} else {
		forged.SignMeta(meta, binary.LittleEndian)
	}
}

// encodeMeta is the inverse of ParseMeta; the unused flags are those of b.
func encodeMeta(m Meta, b []byte, big bool) []byte {
	out := forged.Meta{PageSize: uint32(m.PageSize), Root: uint64(m.Root), Sequence: m.Sequence, Freelist: uint64(m.Freelist),
		HighWater: uint64(m.HighWater), TxID: m.TxID, Checksum: m.Checksum}
	if big {
		out.Flags = binary.BigEndian.Uint32(b[12:])
		return out.Bytes(binary.BigEndian)
	}
	out.Flags = binary.LittleEndian.Uint32(b[12:])
	return out.Bytes(binary.LittleEndian)
}
