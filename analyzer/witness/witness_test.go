package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/fixtures"
)

const childCommand = "child"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		os.Exit(Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// newTest is a Witness whose copies lie in a dir of their own, in which nothing may be
// left.
func newTest(t *testing.T) *Witness {
	t.Helper()
	w, err := New(childCommand)
	if err != nil {
		t.Fatal(err)
	}
	w.dir = t.TempDir()
	t.Cleanup(func() {
		if left, err := os.ReadDir(w.dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return w
}

// examine has the witness read b.
func examine(t *testing.T, w *Witness, b []byte) *report.SecondWitness {
	t.Helper()
	sum := sha256.Sum256(b)
	got, err := w.Examine(t.Context(), evidence.Source{File: bytes.NewReader(b), Size: int64(len(b))}, hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// writeDB has etcd's store write a db: n keys, and then what more does.
func writeDB(t *testing.T, n int, more func(*fixtures.Store)) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	s := fixtures.OpenStore(path)
	for i := range n {
		s.Put([]byte{'k', byte(i)}, bytes.Repeat([]byte("v"), 100))
	}
	if more != nil {
		more(s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Readings of two different files differ, and the report says in what: revisions, and
// nothing of keys and values.
func TestDifferences(t *testing.T) {
	w := newTest(t)
	one := writeDB(t, 100, func(s *fixtures.Store) { s.Put([]byte("secret-key"), []byte("value")) })
	tests := []struct {
		name  string
		other []byte
		want  string
		where bool
	}{
		{"a record more", writeDB(t, 100, func(s *fixtures.Store) {
			s.Put([]byte("secret-key"), []byte("value"))
			s.Put([]byte("other-key"), nil)
		}), `bucket key: it reads 102 records, this program 101; 1 are in its reading alone, 0 in this one alone, 0 have other values; ` +
			`the first is that of revision 103.0, which it alone reads`, false},
		{"a record less", writeDB(t, 100, nil), `bucket key: it reads 100 records, this program 101; 0 are in its reading alone, 1 in this one alone, ` +
			`0 have other values; the first is that of revision 102.0, which this program alone reads`, true},
		{"another value", writeDB(t, 100, func(s *fixtures.Store) { s.Put([]byte("secret-key"), []byte("v4lue")) }),
			`bucket key: it reads 101 records, this program 101; 0 are in its reading alone, 0 in this one alone, 1 have other values; ` +
				`the first is that of revision 102.0, whose value it reads otherwise`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compareFiles(t, w, one, tt.other)
			if got.Result != report.WitnessDiffers || got.Detail != tt.want {
				t.Errorf("%s: %s\nwant %s", got.Result, got.Detail, tt.want)
			}
			if page, known := got.Page.Number(); (got.Offset > 0 && page > 0 && known) != tt.where {
				t.Errorf("offset %#x, page %d", got.Offset, page)
			}
		})
	}
	if got := compareFiles(t, w, one, one); got.Result != report.WitnessAgrees {
		t.Errorf("the same file: %+v", got)
	}
}

// compareFiles has this program read one file, and bbolt another.
func compareFiles(t *testing.T, w *Witness, one, other []byte) *report.SecondWitness {
	t.Helper()
	c, err := newCopy(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.fill(t.Context(), evidence.Source{File: bytes.NewReader(other), Size: int64(len(other))}); err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte{7}, keySize)
	f, err := page.Open(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	said := &report.SecondWitness{}
	if err := w.compareWith(t.Context(), c, int64(len(other)), f, key, said); err != nil {
		t.Fatal(err)
	}
	return said
}

// A file for which bbolt wants too much memory, or on which it does not end, costs the
// limit and no more.
func TestLimits(t *testing.T) {
	db := writeDB(t, 100, nil)
	huge, _, err := fixtures.ForgeMeta(fixtures.MetaHighWater, 1<<40).Apply(db)
	if err != nil {
		t.Fatal(err)
	}
	w := newTest(t)
	w.limits = func(int64, page.ID) limits { return limits{memory: 128 << 20, time: time.Minute} }
	start := time.Now()
	if !raceDetector {
		if got := examine(t, w, huge); got.Result != report.WitnessFailed || !strings.Contains(got.Detail, "more memory than the 128 MiB") {
			t.Errorf("high water mark of 2^40: %+v", got)
		}
	}
	memory := int64(128 << 20)
	if raceDetector {
		memory = 1 << 30 // which it takes itself
	}
	w.limits = func(int64, page.ID) limits { return limits{memory: memory, time: 2 * time.Second} }
	if got := examine(t, w, fixtures.Labyrinth()); got.Result != report.WitnessFailed || got.Detail != "it took longer than the 2s that it was given" {
		t.Errorf("labyrinth: %+v", got)
	}
	if took := time.Since(start); took > 40*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Who cancels gets the program back at once, and no copy is left.
func TestCancel(t *testing.T) {
	w := newTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel)
	b := fixtures.Labyrinth()
	sum := sha256.Sum256(b)
	start := time.Now()
	_, err := w.Examine(ctx, evidence.Source{File: bytes.NewReader(b), Size: int64(len(b))}, hex.EncodeToString(sum[:]))
	if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// What is not the file that was scanned is not compared; nor is what can not be copied.
func TestNotRun(t *testing.T) {
	db := writeDB(t, 10, nil)
	sum := sha256.Sum256(db)
	w := newTest(t)
	tests := []struct {
		name    string
		source  evidence.Source
		sum     string
		want    string
		changed bool
	}{
		{"other bytes", evidence.Source{File: bytes.NewReader(db), Size: int64(len(db))}, strings.Repeat("0", 64), "other bytes than when", true},
		{"not hashed", evidence.Source{File: bytes.NewReader(db), Size: int64(len(db))}, "", "not every byte", false},
		{"cut since", evidence.Source{File: bytes.NewReader(db[:5000]), Size: int64(len(db))}, hex.EncodeToString(sum[:]), "unexpected EOF", false},
	}
	for _, tt := range tests {
		got, err := w.Examine(t.Context(), tt.source, tt.sum)
		if err != nil || got.Result != report.WitnessNotRun || !strings.Contains(got.Detail, tt.want) || got.Changed != tt.changed {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
	gone := newTest(t)
	gone.dir = filepath.Join(gone.dir, "gone")
	if got := examine(t, gone, db); got.Result != report.WitnessNotRun || !strings.Contains(got.Detail, "could not be made") {
		t.Errorf("%+v", got)
	}
	gone.dir = filepath.Dir(gone.dir)
	gone.exe = filepath.Join(gone.dir, "gone")
	if got := examine(t, gone, db); got.Result != report.WitnessFailed || !strings.Contains(got.Detail, "could not be started") {
		t.Errorf("%+v", got)
	}
	if got, err := w.Examine(t.Context(), evidence.Source{Kind: report.KindWAL}, ""); got != nil || err != nil {
		t.Errorf("WAL: %+v, %v", got, err)
	}
}

// No byte of the file gets out of what bbolt says: keys in hexadecimal, and numbers that
// are no page IDs.
func TestProblem(t *testing.T) {
	tests := map[string]string{
		"page 7: already freed": "page 7: already freed",
		"page 4711000000000000000: out of bounds: 90 (stack: [3 4711000000000000000])":                                    "page ?: out of bounds: 90",
		"page 9: multiple references (stack: [3 5 9])":                                                                    "page 9: multiple references",
		"page 9: invalid type: unknown<6869> (stack: [3 5 9])":                                                            "page 9: invalid type",
		"unexpected page type (flags: 6869) for pgId:12":                                                                  "unexpected page type for pgId:12",
		"the first key[0]=(hex)736563726574 on leaf page(7) needs to be >= the key in the ancestor (6b6579). Stack: [3]":  "the first key[0] on leaf page(7) needs to be >= the key in the ancestor",
		"key[3]=(hex)- on leaf page(7) needs to be < than key of the next element in ancestor (hex)-. Pages stack: [3 7]": "key[3] on leaf page(7) needs to be < than key of the next element in ancestor",
		"panicked: runtime error: slice bounds out of range [:7306093974]":                                                "its check panicked",
		"secret": "its check panicked",
	}
	leak := regexp.MustCompile(`736563|6b6579|6869|4711|73060|secret`)
	for text, want := range tests {
		got := strings.TrimRight(problem(text, 90), ": ")
		if got != want || leak.MatchString(got) {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// The copy has no name, and modes that keep others out, before it holds a byte.
func TestCopyIsPrivate(t *testing.T) {
	dir := t.TempDir()
	c, err := newCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.file.Stat()
	if err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || canUnlinkOpen && len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if _, err := c.readOnly.Write([]byte("x")); err == nil {
		t.Error("what bbolt gets can be written to")
	}
	b := append(make([]byte, 200_000), "end"...)
	if _, err := c.fill(t.Context(), evidence.Source{File: bytes.NewReader(b), Size: int64(len(b))}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	if _, err := c.readOnly.ReadAt(got, 0); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the copy is another: %v", err)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
