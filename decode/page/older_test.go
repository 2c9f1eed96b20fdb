package page

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/decode"
)

// The tree of the older meta is used where that of the newest is broken, and only then.
func TestOlderMeta(t *testing.T) {
	img := makeImage(t)
	f, err := Open(bytes.NewReader(img.b), int64(len(img.b)))
	if err != nil {
		t.Fatal(err)
	}
	newest, page, _ := f.Meta()
	root := int64(newest.Root) * damagedPageSize
	branch := img.tops["key"][0] // of both trees: the last transaction did not write it
	cases := []struct {
		name   string
		damage func(b []byte)
		older  bool
	}{
		{"nothing", func([]byte) {}, false},
		{"zeroed root", func(b []byte) { clear(b[root : root+damagedPageSize]) }, true},
		{"another page's ID in the root", func(b []byte) { put(b, root, uint64(newest.Root+1)) }, true},
		{"root past the end", func(b []byte) {
			put(b, img.meta+16, uint64(1<<40))
			signMeta(b[img.meta:img.meta+metaSize], false)
		}, true},
		{"reference to a meta", func(b []byte) { put(b, img.bucketAt("key"), uint64(1)) }, true},
		{"zeroed branch of both", func(b []byte) { clear(b[branch : branch+damagedPageSize]) }, false},
		{"wrong checksum of the older", func(b []byte) {
			clear(b[root : root+damagedPageSize])
			b[int64(1-page)*damagedPageSize+HeaderSize+56] ^= 1
		}, false},
		{"freelist", func(b []byte) { setMeta(b, 32, 1) }, false},
		{"root as freelist", func(b []byte) { setMeta(b, 32, uint64(newest.Root)) }, false},
		{"leaf as freelist", func(b []byte) { setMeta(b, 32, uint64(img.leaves["key"][3]/damagedPageSize)) }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(img.b)
			c.damage(b)
			rd := read(t, b)
			_, used, ok := rd.Tree.Meta(rd.File)
			if !ok || (used != page) != c.older {
				t.Errorf("meta %v is used, the newest is %v", used, page)
			}
			said := len(rd.Tree.Damage) > 0 && strings.Contains(rd.Tree.Damage[0].What, "its tree is broken, and that of transaction")
			if said != c.older {
				t.Errorf("damage %v", rd.Tree.Damage)
			}
			if c.older && (!rd.Tree.Incomplete() || len(rd.Records) < len(img.records)-10) {
				t.Errorf("%d of %d records, incomplete %v", len(rd.Records), len(img.records), rd.Tree.Incomplete())
			}
		})
	}
}

// A tree is incomplete where something that it needs is damaged, and not where it is
// something else.
func TestIncomplete(t *testing.T) {
	img := makeImage(t)
	leaf, other := img.leaves["key"][3], img.leaves["key"][7]
	cases := []struct {
		name   string
		damage func(b []byte)
		want   bool
	}{
		{"nothing", func([]byte) {}, false},
		{"both metas", func(b []byte) { b[HeaderSize+56] ^= 1; b[damagedPageSize+HeaderSize+56] ^= 1 }, true},
		{"one meta", func(b []byte) { b[HeaderSize+56] ^= 1 }, false},
		{"page ID of a leaf", func(b []byte) { put(b, leaf, uint64(9999)) }, true},
		{"flags of a leaf", func(b []byte) { put(b, leaf+8, uint16(0)) }, true},
		{"leaves swapped", func(b []byte) { swapPages(b, leaf, other) }, true},
		{"freelist", func(b []byte) { put(b, img.list+HeaderSize, uint64(1)) }, false},
		{"header of the freelist", func(b []byte) { put(b, img.list, uint64(1)) }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(img.b)
			c.damage(b)
			rd := read(t, b)
			if rd.Tree.Incomplete() != c.want || len(rd.Flaws) == 0 && c.name != "nothing" {
				t.Errorf("incomplete %v, damage %v", rd.Tree.Incomplete(), rd.Flaws)
			}
		})
	}
}

// No key is read by the freelist: what is wrong with it is said to be that, and the tree is whole.
func TestFreelistAlone(t *testing.T) {
	img := makeImage(t)
	whole := read(t, img.b).Records
	leaf := uint64(img.leaves["key"][3] / damagedPageSize)
	for name, damage := range map[string]func(b []byte){
		"reference past the end": func(b []byte) { setMeta(b, 32, 1<<40) },
		"reference to a leaf":    func(b []byte) { setMeta(b, 32, leaf) },
		"reference to a meta":    func(b []byte) { setMeta(b, 32, 0) },
		"zeroed":                 func(b []byte) { clear(b[img.list : img.list+damagedPageSize]) },
		"page ID":                func(b []byte) { put(b, img.list, leaf) },
		"count":                  func(b []byte) { put(b, img.list+10, uint16(2000)) },
		"overflow":               func(b []byte) { put(b, img.list+12, uint32(1<<31)) },
		"entry in use":           func(b []byte) { put(b, img.list+HeaderSize, leaf) },
		"entry past the end":     func(b []byte) { put(b, img.list+HeaderSize, uint64(1<<40)) },
		"entry twice":            func(b []byte) { put(b, img.list+HeaderSize, img.u64(img.list+HeaderSize+8)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(img.b)
			damage(b)
			rd := read(t, b)
			if _, id, _ := rd.File.Meta(); rd.Tree.Incomplete() || rd.Tree.meta != id || !slices.Equal(rd.Records, whole) {
				t.Errorf("incomplete %v, meta %v of %v, %d records of %d", rd.Tree.Incomplete(), rd.Tree.meta, id, len(rd.Records), len(whole))
			}
			f, err := Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			tree, damages := f.Walk(Branches), 0
			check := func(err error) {
				if damages++; !IsFreelist(err) {
					t.Errorf("%v: said of the tree", err)
				}
			}
			for _, d := range tree.Damage {
				check(d)
			}
			for _, err := range f.Sweep(tree, nil) {
				if err != nil {
					check(err)
				}
			}
			if damages == 0 {
				t.Error("no damage")
			}
		})
	}
	setMeta(img.b, 16, 0)
	if rd := read(t, img.b); len(rd.Tree.Damage) == 0 || IsFreelist(rd.Tree.Damage[0]) {
		t.Errorf("damage %v is said of the freelist", rd.Tree.Damage)
	}
}

// A page is astray if the tree means another.
func TestAstray(t *testing.T) {
	img := makeImage(t)
	leaf, other := img.leaves["key"][3], img.leaves["key"][7]
	cases := []struct {
		name   string
		damage func(b []byte)
		want   []int64
	}{
		{"nothing", func([]byte) {}, nil},
		{"page ID", func(b []byte) { put(b, leaf, uint64(9999)) }, []int64{leaf}},
		{"swapped", func(b []byte) { swapPages(b, leaf, other) }, []int64{leaf, other}},
		{"swapped, and their IDs made right", func(b []byte) {
			swapPages(b, leaf, other)
			put(b, leaf, uint64(leaf/damagedPageSize))
			put(b, other, uint64(other/damagedPageSize))
		}, []int64{leaf, other}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(img.b)
			c.damage(b)
			f, err := Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			astray := map[int64]bool{}
			for p, err := range f.Sweep(f.Walk(Branches), nil) {
				if err == nil && p.Astray {
					astray[p.Off] = true
				}
			}
			for _, off := range c.want {
				if !astray[off] {
					t.Errorf("the page at %#x is not astray", off)
				}
			}
			if len(astray) != len(c.want) {
				t.Errorf("astray: %v", astray)
			}
		})
	}
}

// An inline bucket with a root of its own, and an empty leaf that is not empty, hide
// what is in them from bbolt: both are damage.
func TestHidden(t *testing.T) {
	img := imageOf(t, putKeys("key", 5, 100), putKeys("meta", 3, 8))
	leaf := img.leaves["key"][0]
	cases := []damageCase{
		{"inline bucket with a root", func(b []byte) { put(b, img.bucketAt("meta"), uint64(leaf/damagedPageSize)) },
			[]flaw{{img.bucketAt("meta"), decode.ErrCycle}, {img.bucketAt("meta"), decode.ErrValue}}, inBucket("meta")},
		{"root leaf without elements", func(b []byte) { put(b, leaf+10, uint16(0)) },
			[]flaw{{leaf + 10, decode.ErrValue}}, inBucket("key")},
		{"inline leaf without elements", func(b []byte) { put(b, img.bucketAt("meta")+16+10, uint16(0)) },
			[]flaw{{img.bucketAt("meta") + 16 + 10, decode.ErrValue}}, inBucket("meta")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, img) })
	}
}
