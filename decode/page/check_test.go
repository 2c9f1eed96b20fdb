package page

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

// However little a bound knows of a key, it is never wrong on where another lies.
func TestBound(t *testing.T) {
	decided := 0
	rapid.Check(t, func(r *rapid.T) {
		key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xFF}), 0, 6)
		first, last, next := key.Draw(r, "first"), key.Draw(r, "last"), key.Draw(r, "next")
		if bytes.Compare(first, next) >= 0 || bytes.Compare(first, last) > 0 {
			return // no page of a tree whose branches are in order
		}
		switch boundOf(first, next).position(first, last) {
		case before:
			decided++
			if bytes.Compare(last, next) >= 0 {
				r.Errorf("%q does not come before %q", last, next)
			}
		case behind:
			decided++
			if bytes.Compare(last, next) < 0 {
				r.Errorf("%q comes before %q", last, next)
			}
		}
	})
	if decided == 0 {
		t.Error("bounds never tell anything")
	}
	if boundOf([]byte("a"), nil).position([]byte("a"), []byte("z")) != before {
		t.Error("a page without a next one has a bound")
	}
}

// A last key that belongs behind its page is damage, wherever the next key stands.
func TestLastKeyDamage(t *testing.T) {
	img := makeImage(t)
	left := img.tops["key"][1]
	leaves := img.below(left)
	inner, end := leaves[0], leaves[len(leaves)-1]
	firstOf := func(leaf int64) string { return slices.Min(keysIn(img, leaf)) }
	behindEnd := firstOf(img.below(img.tops["key"][2])[0])
	to := func(leaf int64, key string) func([]byte) {
		e := img.element("key", img.lastKey(leaf))
		at := e + int64(img.u32(e+4))
		return func(b []byte) { copy(b[at:], key) }
	}
	renamed := func(leaf int64) func(record) bool { return hasKey(img.lastKey(leaf)) }
	cases := []struct {
		name string
		leaf int64
		key  string
	}{
		{"far behind", inner, "zzz-000000"},
		{"the next leaf's first", inner, firstOf(leaves[1])},
		{"one behind that", inner, firstOf(leaves[1])[:9] + "~"},
		{"under the last element of a branch", end, behindEnd},
		{"far behind that", end, "zzz-000000"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(img.b)
			to(c.leaf, c.key)(b)
			rd := read(t, b)
			if want := []flaw{{c.leaf, decode.ErrOrder}}; !slices.Equal(rd.Flaws, want) {
				t.Errorf("damage %v, want %v", rd.Flaws, want)
			}
			if n := len(slices.DeleteFunc(slices.Clone(rd.Records), renamed(c.leaf))); n != len(img.records) {
				t.Errorf("%d records under other keys, want %d", n, len(img.records))
			}
		})
	}
	// In a healthy file the bounds of two bytes are enough for most leaves.
	rd := read(t, img.b)
	f := rd.File
	s := sweeper{File: f, tree: f.Walk(Branches), yield: func(Page, error) bool { return true }}
	for w := range f.windows(nil) {
		s.window(w)
	}
	if n := len(s.undecided); n > len(img.leaves["key"])/4 {
		t.Errorf("%d of %d leaves undecided", n, len(img.leaves["key"]))
	}
}

func keysIn(img *image, leaf int64) (keys []string) {
	for key := range img.keys(leaf) {
		keys = append(keys, key)
	}
	return keys
}

// The last key of a branch page must come before the one behind the page as well.
func TestLastBranchKeyDamage(t *testing.T) {
	img := makeImage(t)
	left := img.tops["key"][1]
	count := int64(img.u32(left+8) >> 16)
	e := left + 16 + 16*(count-1)
	b := bytes.Clone(img.b)
	copy(b[e+int64(img.u32(e)):], "zzz")
	child := img.below(left)[count-1]
	copy(b[child+16+int64(img.u32(child+16+4)):], "zzz")
	got := read(t, b).Flaws
	slices.SortFunc(got, func(a, b flaw) int { return cmp.Compare(a.Off, b.Off) })
	if !slices.Contains(got, flaw{left, decode.ErrOrder}) {
		t.Errorf("damage %v, want one at %#x", got, left)
	}
}

// A page that is in neither the tree nor the freelist is damage.
func TestLostPage(t *testing.T) {
	img := makeImage(t)
	count := img.u32(img.list+8) >> 16
	cases := []damageCase{
		{"one entry less", func(b []byte) { put(b, img.list+10, uint16(count-1)) }, []flaw{{img.list, decode.ErrMissing}}, nil},
		{"no entries", func(b []byte) { put(b, img.list+10, uint16(0)) }, []flaw{{img.list, decode.ErrMissing}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
	m, err := Open(bytes.NewReader(img.b), int64(len(img.b)))
	if err != nil || !m.Metas[0].HasFreelist() || count < 2 {
		t.Fatalf("no file with a freelist of some pages: %d, %v", count, err)
	}
}
