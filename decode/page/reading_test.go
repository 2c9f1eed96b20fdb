package page

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode"
)

// A tester is a testing.TB or a *rapid.T.
type tester interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// A record is a key and its value as a reader of a file found them.
type record struct {
	Bucket string // path, slash-separated
	Key    string
	Value  string
}

// A flaw is a *decode.FormatError without its words.
type flaw struct {
	Off int64
	Err error
}

// flawOf is the flaw of an error, whether it is about the freelist or not.
func flawOf(err *decode.FormatError) flaw {
	if list, ok := err.Err.(freelistError); ok {
		return flaw{err.Off, list.error}
	}
	return flaw{err.Off, err.Err}
}

// A reading is all that Open, Walk, Sweep and LeafElements say of a file.
type reading struct {
	File    *File
	Tree    *Tree
	Records []record
	Runs    map[record]span // where the leaf of a record lies, overflow pages included
	Flaws   []flaw
	Uses    map[ID]Use // of each page, overflow pages included
	Yields  int
	Deeper  bool // the file needed a thorough walk
	Sum     [sha256.Size]byte
	Tapped  []span
}

// A span is a part of a file.
type span struct{ Off, End int64 }

// read reads a file of bytes as a consumer of the package does.
func read(t tester, b []byte) reading {
	t.Helper()
	rd := readFrom(t, bytes.NewReader(b), b)
	if len(b) > 0 && !(len(rd.Tapped) == 1 && rd.Tapped[0] == span{0, int64(len(b))}) {
		t.Errorf("tap saw %v of a file of %d bytes", rd.Tapped, len(b))
	}
	if rd.Sum != sha256.Sum256(b) {
		t.Error("tap saw other bytes than those of the file")
	}
	return rd
}

// readFrom reads r, which holds b as far as it can be read.
func readFrom(t tester, r io.ReaderAt, b []byte) reading {
	t.Helper()
	return readTree(t, r, b, (*File).Walk)
}

// readNewest reads b by the tree of the newest meta, however broken that is.
func readNewest(t tester, b []byte) reading {
	t.Helper()
	return readTree(t, bytes.NewReader(b), b, func(f *File, depth Depth) *Tree {
		m, id, ok := f.Meta()
		return f.walk(depth, m, id, ok)
	})
}

func readTree(t tester, r io.ReaderAt, b []byte, walk func(*File, Depth) *Tree) reading {
	t.Helper()
	f, err := Open(r, int64(len(b)))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	rd := sweepAll(t, f, walk(f, Branches), b)
	if rd.Tree.Deeper {
		rd = sweepAll(t, f, walk(f, Thorough), b)
		rd.Deeper = true
	}
	if rd.Tree.Deeper {
		t.Error("Deeper after a thorough walk")
	}
	return rd
}

func sweepAll(t tester, f *File, tree *Tree, b []byte) reading {
	t.Helper()
	rd := reading{File: f, Tree: tree, Runs: map[record]span{}, Uses: map[ID]Use{}}
	for _, d := range rd.Tree.Damage {
		rd.flaw(t, d)
	}
	sum := sha256.New()
	for p, err := range f.Sweep(rd.Tree, func(off int64, b []byte) {
		sum.Write(b)
		rd.tap(off, b)
	}) {
		rd.Yields++
		if err != nil {
			rd.flaw(t, err)
			continue
		}
		rd.page(t, p, b)
	}
	sum.Sum(rd.Sum[:0])
	return rd
}

func (rd *reading) flaw(t tester, err error) {
	t.Helper()
	var format *decode.FormatError
	if !errors.As(err, &format) {
		t.Fatalf("error %v is not a *decode.FormatError", err)
	}
	rd.Flaws = append(rd.Flaws, flawOf(format))
}

func (rd *reading) tap(off int64, b []byte) {
	end := off + int64(len(b))
	if n := len(rd.Tapped); n > 0 && rd.Tapped[n-1].End == off {
		rd.Tapped[n-1].End = end
		return
	}
	rd.Tapped = append(rd.Tapped, span{off, end})
}

func (rd *reading) page(t tester, p Page, b []byte) {
	t.Helper()
	if p.Use != Unread && !bytes.Equal(p.Data, b[p.Off:p.Off+int64(len(p.Data))]) {
		t.Fatalf("page %v: Data is not what the file has at %#x", p.ID, p.Off)
	}
	if !p.Inline {
		for id := p.ID + ID(p.Covered/rd.File.PageSize); id == p.ID || int64(id)*int64(rd.File.PageSize) < p.Off+int64(len(p.Data)); id++ {
			if _, twice := rd.Uses[id]; twice {
				t.Fatalf("page %v yielded twice", id)
			}
			rd.Uses[id] = p.Use
		}
	}
	if p.Use != Leaf || p.Header.Flags != FlagLeaf {
		return
	}
	path := rd.Tree.BucketPath(p.Bucket)
	for e, err := range p.LeafElements() {
		if err != nil {
			rd.flaw(t, err)
		}
		if e.Key == nil || e.IsBucket() {
			continue
		}
		if off := e.ValueOff(); !bytes.Equal(e.Value, b[off:off+int64(len(e.Value))]) {
			t.Fatalf("page %v, element %d: the value is not at ValueOff %#x", p.ID, e.Index, off)
		}
		r := record{path, string(e.Key), string(e.Value)}
		rd.Records = append(rd.Records, r)
		rd.Runs[r] = span{p.Off, p.Off + int64(len(p.Data))}
	}
}

// count is how many pages have the use.
func (rd *reading) count(use Use) (n int) {
	for _, u := range rd.Uses {
		if u == use {
			n++
		}
	}
	return n
}

// witness is what bbolt says of a file.
type witness struct {
	Records  []record
	Free     map[ID]bool // unreachable pages
	Lost     int         // of them, those that are not in the freelist of the file either
	HighSize int64       // bytes up to the high water mark
}

// boltOptions opens a db of the page size without ever calling fsync.
func boltOptions(pageSize int) *bolt.Options {
	return &bolt.Options{PageSize: pageSize, NoSync: true, NoGrowSync: true}
}

// makeDB has bbolt write a file, a transaction a step, and returns its bytes and
// what bbolt reads from it.
func makeDB(t testing.TB, o *bolt.Options, steps ...func(*bolt.Tx) error) ([]byte, witness) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if err := db.Update(step); err != nil {
			t.Fatal(err)
		}
	}
	w := testify(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, w
}

// testify lets bbolt read db, and check it.
func testify(t tester, db *bolt.DB) witness {
	t.Helper()
	w := witness{Free: map[ID]bool{}}
	err := db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			// bbolt itself loses pages: they are in no tree, and not in the freelist.
			var lost ID
			if _, other := fmt.Sscanf(err.Error(), "page %d: unreachable unfreed", &lost); other != nil {
				t.Errorf("bbolt's check: %v", err)
			}
			w.Free[lost] = true
			w.Lost++
		}
		w.HighSize = tx.Size()
		for id := 0; ; id++ {
			info, err := tx.Page(id)
			if err != nil {
				return err
			}
			if info == nil {
				break
			}
			if info.Type == "free" {
				w.Free[ID(id)] = true
			} else {
				id += info.OverflowCount
			}
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return w.bucket(string(name), b)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *witness) bucket(path string, b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return w.bucket(path+"/"+string(k), b.Bucket(k))
		}
		w.Records = append(w.Records, record{path, string(k), string(v)})
		return nil
	})
}
