package page

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// What Walk and Sweep find in a healthy file is what bbolt finds in it.
func TestHealthyFile(t *testing.T) {
	cases := []struct {
		name   string
		steps  []func(*bolt.Tx) error
		deeper bool // the file has buckets inside buckets
	}{
		{"no bucket", nil, false},
		{"empty bucket", []func(*bolt.Tx) error{putKeys("empty", 0, 0)}, false},
		{"inline buckets", []func(*bolt.Tx) error{putKeys("key", 2, 5), putKeys("meta", 1, 0)}, false},
		{"tree of pages", []func(*bolt.Tx) error{putKeys("key", 2000, 90), putKeys("meta", 1, 8)}, false},
		{"values over many pages", []func(*bolt.Tx) error{putKeys("key", 2, 1_600_000)}, false},
		{"many buckets", []func(*bolt.Tx) error{manyBuckets(150)}, false},
		{"inline bucket in a bucket", []func(*bolt.Tx) error{nested("outer", "x")}, true},
		{"everything", everything(), true},
	}
	for _, pageSize := range []int{1024, 2048, 4096, 16384, 65536} {
		for _, noFreelist := range []bool{false, true} {
			for _, c := range cases {
				t.Run(fmt.Sprintf("%s, pages of %d, NoFreelistSync %t", c.name, pageSize, noFreelist), func(t *testing.T) {
					t.Parallel()
					o := boltOptions(pageSize)
					o.NoFreelistSync = noFreelist
					b, w := makeDB(t, o, c.steps...)
					rd := read(t, b)
					compareReading(t, rd, w)
					if rd.Deeper && !c.deeper {
						t.Error("the branches were not enough for a file without nested buckets")
					}
					if rd.File.PageSize != pageSize || rd.File.Order != Little || rd.File.Size() != int64(len(b)) {
						t.Errorf("%v file of %d bytes with pages of %d", rd.File.Order, rd.File.Size(), rd.File.PageSize)
					}
					if none := rd.count(Freelist) == 0; none != noFreelist && c.steps != nil {
						t.Errorf("%d freelist pages", rd.count(Freelist))
					}
				})
			}
		}
	}
}

func TestDeepTree(t *testing.T) {
	b, w := makeDB(t, boltOptions(1024), putKeys("key", 20_000, 20))
	rd := read(t, b)
	compareReading(t, rd, w)
	if n := rd.count(Branch); n < 50 {
		t.Errorf("%d branch pages: too few for several levels", n)
	}
	if rd.Deeper {
		t.Error("the branches were not enough")
	}
	thorough := sweepAll(t, rd.File, rd.File.Walk(Thorough), b)
	compareReading(t, thorough, w)
}

// A Tree can be swept more than once.
func TestSweepTwice(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), everything()...)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(Thorough)
	var yields [2][]string
	for i := range yields {
		for p, err := range f.Sweep(tree, nil) {
			yields[i] = append(yields[i], fmt.Sprint(p.ID, p.Use, len(p.Data), p.Inline, err))
		}
	}
	if diff := cmp.Diff(yields[0], yields[1]); diff != "" {
		t.Errorf("yields (-first +second):\n%s", diff)
	}
}

// A counter counts the bytes that are read from b.
type counter struct {
	b    []byte
	read int
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return bytes.NewReader(c.b).ReadAt(p, off)
}

// A walk of the branches does not read the leaves of etcd's buckets.
func TestWalkReadsBranches(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), putKeys("key", 20_000, 100), putKeys("meta", 3, 8))
	r := &counter{b: b}
	f, err := Open(r, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	r.read = 0
	tree := f.Walk(Branches)
	rd := read(t, b)
	if most := 2 * 1024 * (rd.count(Branch) + 2); r.read > most || len(tree.Buckets) != 3 {
		t.Errorf("%d bytes read of %d, want at most %d; %d buckets", r.read, len(b), most, len(tree.Buckets))
	}
}

// A freelist of 0xFFFF pages or more keeps its length elsewhere.
func TestLongFreelist(t *testing.T) {
	drop := func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("key")) }
	b, w := makeDB(t, boltOptions(1024), putKeys("key", 1, 70_000*1024), drop, putKeys("meta", 1, 1))
	if len(w.Free) < longFreelist {
		t.Fatalf("%d free pages: too few", len(w.Free))
	}
	compareReading(t, read(t, b), w)
	swapped := read(t, toBigEndian(b))
	compareReading(t, swapped, w)
}

// A file grown past the high water mark has a tail, whatever its bytes.
func TestTail(t *testing.T) {
	b, w := makeDB(t, boltOptions(4096), putKeys("key", 100, 100))
	grown := append(bytes.Clone(b[:w.HighSize]), bytes.Repeat([]byte("residue "), 3<<17)...)
	rd := read(t, grown)
	compareReading(t, rd, w)
	if n := rd.count(Tail); n != 3<<20/4096 {
		t.Errorf("%d tail pages, want %d", n, 3<<20/4096)
	}
	if rd = read(t, b[:w.HighSize]); rd.count(Tail) != 0 {
		t.Errorf("%d tail pages in a file without a tail", rd.count(Tail))
	}
}

// A copy made by Tx.WriteTo, which is what a snapshot is, has all pages of the
// file and the same meta twice.
func TestWriteTo(t *testing.T) {
	var copied bytes.Buffer
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, boltOptions(4096))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, step := range everything() {
		if err := db.Update(step); err != nil {
			t.Fatal(err)
		}
	}
	w := testify(t, db)
	if err := db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(&copied); return err }); err != nil {
		t.Fatal(err)
	}
	rd := read(t, copied.Bytes())
	compareReading(t, rd, w)
	m, id, ok := rd.File.Meta()
	if !ok || id != 0 || rd.File.Metas[1].TxID != m.TxID-1 {
		t.Errorf("newest meta on page %v with transaction %d, the other %d", id, m.TxID, rd.File.Metas[1].TxID)
	}
	m.TxID, m.Checksum = m.TxID-1, rd.File.Metas[1].Checksum
	if diff := cmp.Diff(m, rd.File.Metas[1]); diff != "" {
		t.Errorf("metas differ (-first +second):\n%s", diff)
	}
}

func TestBucketPath(t *testing.T) {
	long := strings.Repeat("long-name/", 100)
	b, _ := makeDB(t, boltOptions(4096), nested("a", "b", "c"), nested(long, long))
	rd := read(t, b)
	inline := map[string]bool{}
	for i, bucket := range rd.Tree.Buckets {
		inline[rd.Tree.BucketPath(i)] = bucket.Root == 0
	}
	cut := long + "/" + long
	want := map[string]bool{
		"": false, "a": false, "a/b": false, "a/b/c": true,
		long: false, "..." + cut[len(cut)-maxPath:]: false,
	}
	if diff := cmp.Diff(want, inline); diff != "" {
		t.Errorf("inline buckets by path (-want +got):\n%s", diff)
	}
}

func TestSequence(t *testing.T) {
	number := func(bucket string, n uint64) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucket)).SetSequence(n) }
	}
	b, _ := makeDB(t, boltOptions(4096), putKeys("inline", 1, 1), putKeys("tree", 500, 50), number("inline", 7), number("tree", 1<<40))
	for _, image := range [][]byte{b, toBigEndian(b)} {
		got := map[string]uint64{}
		for _, bucket := range read(t, image).Tree.Buckets {
			got[string(bucket.Name)] = bucket.Sequence
		}
		if diff := cmp.Diff(map[string]uint64{"": 0, "inline": 7, "tree": 1 << 40}, got); diff != "" {
			t.Errorf("sequences (-want +got):\n%s", diff)
		}
	}
}

// Whatever a few transactions do to a db, bbolt and this package agree on it.
func TestRandomTransactions(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		file, err := os.CreateTemp(dir, "db")
		if err != nil {
			r.Fatal(err)
		}
		path := file.Name()
		file.Close()
		defer os.Remove(path)
		o := boltOptions(rapid.SampledFrom([]int{1024, 4096}).Draw(r, "page size"))
		o.NoFreelistSync = rapid.Bool().Draw(r, "no freelist")
		db, err := bolt.Open(path, 0o600, o)
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 6).Draw(r, "transactions") {
			if err := db.Update(func(tx *bolt.Tx) error { return change(r, tx) }); err != nil {
				r.Fatal(err)
			}
		}
		w := testify(r, db)
		db.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			r.Fatal(err)
		}
		compareReading(r, read(r, b), w)
		compareReading(r, read(r, toBigEndian(b)), w)
	})
}

// change does a few random things in the buckets of tx.
func change(r *rapid.T, tx *bolt.Tx) error {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	for range rapid.IntRange(1, 25).Draw(r, "operations") {
		b, err := tx.CreateBucketIfNotExists([]byte(name.Draw(r, "bucket")))
		for depth := rapid.IntRange(0, 2).Draw(r, "depth"); depth > 0 && err == nil; depth-- {
			b, err = b.CreateBucketIfNotExists([]byte(name.Draw(r, "inner bucket")))
		}
		if err != nil {
			return err
		}
		first := rapid.IntRange(0, 200).Draw(r, "first key")
		size := rapid.SampledFrom([]int{0, 1, 30, 200, 1500, 9000}).Draw(r, "value size")
		n := rapid.IntRange(1, 60).Draw(r, "keys")
		action := rapid.SampledFrom([]string{"put", "put", "delete", "drop"}).Draw(r, "action")
		for k := first; k < first+n && err == nil; k++ {
			switch key := fmt.Appendf(nil, "key-%04d", k); action {
			case "put":
				err = b.Put(key, bytes.Repeat([]byte{byte(k)}, size))
			case "delete":
				err = b.Delete(key)
			}
		}
		if inner := []byte(name.Draw(r, "dropped bucket")); action == "drop" && b.Bucket(inner) != nil {
			err = b.DeleteBucket(inner)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func manyBuckets(n int) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		for i := range n {
			if err := putKeys(fmt.Sprintf("bucket-%04d", i), i%50, 20)(tx); err != nil {
				return err
			}
		}
		return nil
	}
}
