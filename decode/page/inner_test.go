package page

import (
	"bytes"
	"encoding/binary"
	"github.com/etcdsift/etcdsift/fixtures/forged"
	"slices"
	"testing"
)

// innerPages is what Sweep says of leaves among overflow pages.
type innerPages struct {
	ID             ID
	Pages, Covered int
}

func sweepInner(t *testing.T, b []byte, outer ID) (inner []innerPages, apart []int64) {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(Branches)
	for range 2 { // the second one has the marks of the first
		inner, apart = nil, nil
		next := ID(0)
		for p, err := range f.Sweep(tree, nil) {
			if err != nil || p.Inline {
				continue
			}
			pages := len(p.Data) / f.PageSize
			if !bytes.Equal(p.Data, b[p.Off:p.Off+int64(len(p.Data))]) {
				t.Errorf("page %v: data are not those at offset %#x", p.ID, p.Off)
			}
			if p.ID == outer {
				for off, part := range p.Apart(p.Data, p.Off) {
					apart = append(apart, off/int64(f.PageSize), int64(len(part)/f.PageSize))
				}
			}
			if p.Covered > 0 {
				inner = append(inner, innerPages{p.ID, pages, p.Covered / f.PageSize})
				if p.Use != Unreachable || p.Orphan || !p.Elements() {
					t.Errorf("page %v: %v", p.ID, p.Use)
				}
			} else if p.ID != next {
				t.Errorf("page %v behind page %v", p.ID, next-1)
			}
			next = max(next, p.ID+ID(pages))
		}
	}
	return inner, apart
}

// The overflow pages of a leaf have leaves of their own: one alone, one with all pages up to
// the next, and one that goes on behind them. Each page is yielded once but for these.
func TestInnerLeaves(t *testing.T) {
	const size = 4096
	for _, value := range []int{30_000, 600_000} { // in one window of the sweep, and in several
		b, _ := makeDB(t, boltOptions(size), putKeys("key", 2, value))
		outer := ID(0)
		for id := range ID(len(b) / size) {
			if h, _ := parseHeader(b[int(id)*size:], Little, 0); h.ID == id && h.Flags == FlagLeaf && h.Overflow > 9 {
				outer = id
			}
		}
		run := b[outer*size:]
		last := binary.LittleEndian.Uint32(run[12:]) - 7
		binary.LittleEndian.PutUint32(run[12:], last)
		leaf := func(i, overflow uint32) {
			at := run[int(i)*size:]
			forged.Header{ID: uint64(outer) + uint64(i), Flags: forged.FlagLeaf, Count: 2, Overflow: overflow}.Put(at)
			forged.PutElement(at, 0, 0, 32, 5, 100)
			forged.PutElement(at, 1, 0, 121, 5, 100)
		}
		leaf(1, 0)
		leaf(3, 1<<20)
		leaf(last, 5)
		inner, apart := sweepInner(t, b, outer)
		want := []innerPages{{outer + 1, 1, 1}, {outer + 3, int(last) - 3, int(last) - 3}, {outer + ID(last), 6, 1}}
		if !slices.Equal(inner, want) {
			t.Errorf("got %+v, want %+v", inner, want)
		}
		if want := []int64{int64(outer), 1, int64(outer) + 2, 1}; !slices.Equal(apart, want) {
			t.Errorf("apart %v, want %v", apart, want)
		}
	}
}

// Apart cuts at what lies inside of it, wherever it starts and ends.
func TestApart(t *testing.T) {
	p := Page{inner: []extent{{100, 200}, {200, 300}, {400, 500}}}
	for _, tt := range []struct {
		off, end int64
		want     []extent
	}{
		{0, 50, []extent{{0, 50}}},
		{0, 100, []extent{{0, 100}}},
		{0, 150, []extent{{0, 100}}},
		{100, 300, nil},
		{150, 160, nil},
		{250, 450, []extent{{300, 400}}},
		{50, 600, []extent{{50, 100}, {300, 400}, {500, 600}}},
		{500, 600, []extent{{500, 600}}},
		{300, 300, nil},
	} {
		var got []extent
		for off, b := range p.Apart(make([]byte, tt.end-tt.off), tt.off) {
			got = append(got, extent{off, off + int64(len(b))})
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d to %d: %v, want %v", tt.off, tt.end, got, tt.want)
		}
	}
}
