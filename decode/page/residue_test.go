package page

import (
	"bytes"
	"encoding/binary"
	"github.com/etcdsift/etcdsift/fixtures/forged"
	"testing"
)

// residuePages is what Sweep says of pages that the tree does not reach.
type residuePages struct {
	ID     ID
	Pages  int
	Orphan bool
	Flags  Flags
	Cut    bool // overflow pages that the header claims are missing
}

func sweepResidue(t *testing.T, b []byte) []residuePages {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var got []residuePages
	for p, err := range f.Sweep(f.Walk(Branches), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Use != Tail {
			continue
		}
		if !bytes.Equal(p.Data, b[p.Off:p.Off+int64(len(p.Data))]) {
			t.Errorf("page %v: data are not those at offset %#x", p.ID, p.Off)
		}
		pages := len(p.Data) / f.PageSize
		got = append(got, residuePages{p.ID, pages, p.Orphan, p.Header.Flags, int64(p.Header.Overflow) >= int64(pages)})
	}
	return got
}

// Behind the last page in use lie a run that is whole, one whose middle was
// used again, and what is left of one without its first page.
func TestResidueRuns(t *testing.T) {
	const size = 4096
	b, w := makeDB(t, boltOptions(size), putKeys("key", 100, 100))
	first := ID(w.HighSize / size)
	b = append(bytes.Clone(b[:w.HighSize]), make([]byte, 12*size)...)
	at := func(i int) []byte { return b[w.HighSize+int64(i)*size:][:size] }
	text := func(from, to int) {
		for i := from; i < to; i++ {
			copy(at(i), bytes.Repeat([]byte("the middle of a value "), size/22))
		}
	}
	header := func(i int, id ID, flags Flags, overflow uint32) {
		count := binary.LittleEndian.Uint16(at(i)[10:]) // of the text
		forged.Header{ID: uint64(id), Flags: uint16(flags), Count: count, Overflow: overflow}.Put(at(i))
	}
	text(0, 10)
	header(0, first, FlagLeaf, 2)       // whole: 0, 1, 2
	header(3, first+3, FlagLeaf, 3)     // 3, and 4 was used again
	header(4, first+4, FlagBranch, 0)   // 5 and 6 are orphans
	header(7, first+8, FlagLeaf, 1)     // names another page: payload, an orphan too
	header(8, first+8, FlagFreelist, 9) // claims more than there is: up to the end
	want := []residuePages{
		{first, 3, false, FlagLeaf, false},
		{first + 3, 1, false, FlagLeaf, true},
		{first + 4, 1, false, FlagBranch, false},
		{first + 5, 3, true, 0, false},
		{first + 8, 4, false, FlagFreelist, true},
	}
	got := sweepResidue(t, b)
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

// Runs and orphans go on from one window of the sweep to the next; orphans are cut
// at maxOrphan, runs at maxRun, and zeros are never collected.
func TestResidueAcrossWindows(t *testing.T) {
	const size = 4096
	b, w := makeDB(t, boltOptions(size), putKeys("key", 100, 100))
	first := ID(w.HighSize / size)
	text := bytes.Repeat([]byte("text"), size/4)
	run := bytes.Clone(text)
	forged.Header{ID: uint64(first), Flags: forged.FlagLeaf, Count: binary.LittleEndian.Uint16(run[10:]), Overflow: 599}.Put(run)
	b = append(bytes.Clone(b[:w.HighSize]), run...)
	b = append(b, bytes.Repeat(text, 599)...)
	b = append(b, bytes.Repeat(text, 1500)...)
	b = append(b, make([]byte, 700*size)...)
	total := 0
	for i, p := range sweepResidue(t, b) {
		total += p.Pages
		if i == 0 && (p.Orphan || p.Pages != 600 || p.Cut) {
			t.Errorf("the run: %+v", p)
		}
		if p.Orphan && p.Pages > maxOrphan/size {
			t.Errorf("%d pages at once", p.Pages)
		}
	}
	if total != 600+1500+700 {
		t.Errorf("%d pages", total)
	}
}
