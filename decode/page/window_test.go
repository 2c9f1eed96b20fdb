package page

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/decode"
)

var errDisk = errors.New("medium error")

// A disk holds b and can not read the sectors in bad.
type disk struct {
	b   []byte
	bad []span
}

func (d disk) ReadAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	for _, bad := range d.bad {
		if off < bad.End && bad.Off < end {
			return copy(p, d.b[off:max(off, bad.Off)]), errDisk
		}
	}
	return bytes.NewReader(d.b).ReadAt(p, off)
}

// idle is a transaction that changes the meta alone, so that both metas lead to
// the same records.
func idle(*bolt.Tx) error { return nil }

// A bad sector costs the page that it is in, whichever that is.
func TestBadSector(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), putKeys("key", 300, 60), putKeys("large", 6, 5000), putKeys("meta", 3, 5), nested("n1", "n2"), idle)
	b = b[:len(b)-300] // the last page is not whole
	healthy := read(t, b)
	for id := range healthy.File.Pages() {
		checkBadPage(t, b, healthy, id)
	}
}

// The same in a file of several windows, and values that lie across them.
func TestBadSectorInLargeFile(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 4000, 300), putKeys("large", 6, 700_000), idle)
	healthy := read(t, b)
	pages := healthy.File.Pages()
	for id := ID(0); id < pages; id += pages / 11 {
		checkBadPage(t, b, healthy, id)
	}
	for window := int64(0); window < int64(len(b)); window += windowSize {
		checkBadPage(t, b, healthy, ID(window/4096))
	}
}

func checkBadPage(t *testing.T, b []byte, healthy reading, id ID) {
	t.Helper()
	pageSize := int64(healthy.File.PageSize)
	bad := span{int64(id) * pageSize, min(int64(id+1)*pageSize, int64(len(b)))}
	sector := span{bad.Off + 100, min(bad.Off+101, bad.End)}
	rd := readFrom(t, disk{b, []span{sector}}, b)
	if rd.Uses[id] != Unread || rd.count(Unread) != 1 || len(rd.Uses) != len(healthy.Uses) {
		t.Errorf("page %v: %d of %d pages yielded, %d unread", id, len(rd.Uses), len(healthy.Uses), rd.count(Unread))
	}
	told := false
	for _, f := range rd.Flaws {
		told = told || f.Off == bad.Off && errors.Is(f.Err, errDisk)
	}
	if !told {
		t.Errorf("page %v: the error of the disk is not in %v", id, rd.Flaws)
	}
	var want []span
	for _, s := range []span{{0, bad.Off}, {bad.End, int64(len(b))}} {
		if s.Off < s.End {
			want = append(want, s)
		}
	}
	if diff := cmp.Diff(want, rd.Tapped); diff != "" {
		t.Errorf("page %v: tap saw (-want +got):\n%s", id, diff)
	}
	for r := range rd.Runs {
		if _, real := healthy.Runs[r]; !real {
			t.Errorf("page %v: record %s of bucket %s out of nowhere", id, r.Key, r.Bucket)
		}
	}
	if healthy.Uses[id] == Branch || id == healthy.Tree.Buckets[0].Root {
		return // and what it leads to is lost
	}
	for r, run := range healthy.Runs {
		if _, kept := rd.Runs[r]; !kept && (run.End <= bad.Off || bad.End <= run.Off) && !strings.Contains(r.Bucket, "/") {
			t.Errorf("page %v: record %s of bucket %s is lost with it", id, r.Key, r.Bucket)
		}
	}
}

func TestUnreadableDisk(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 1000, 100), idle)
	size := int64(len(b))
	if _, err := Open(disk{b, []span{{0, size}}}, size); !errors.Is(err, errDisk) {
		t.Errorf("nothing readable: error %v, want %v", err, errDisk)
	}
	f, err := Open(disk{b, []span{{0, 100}, {4096, 4200}}}, size)
	if err != nil {
		t.Fatalf("metas unreadable: %v", err)
	}
	if _, _, ok := f.Meta(); ok || f.PageSize != 4096 || !errors.Is(f.MetaErrs[0], errDisk) || !errors.Is(f.MetaErrs[1], errDisk) {
		t.Errorf("metas unreadable: valid %t, pages of %d, errors %v", ok, f.PageSize, f.MetaErrs)
	}
	rd := readFrom(t, disk{b, []span{{2 * 4096, size}}}, b)
	if n := rd.count(Unread); n != len(rd.Uses)-2 || rd.Records != nil {
		t.Errorf("metas alone readable: %d unread of %d, %d records", n, len(rd.Uses), len(rd.Records))
	}
}

// shortReader breaks the contract of io.ReaderAt: it gives less than was asked
// for, and no error.
type shortReader struct{ r io.ReaderAt }

func (s shortReader) ReadAt(p []byte, off int64) (int, error) {
	n, _ := s.r.ReadAt(p[:min(len(p), len(p)/2+40)], off)
	return n, nil
}

// A file that has shrunk since its size was taken is unread behind its end.
func TestShrunkFile(t *testing.T) {
	b, _ := makeDB(t, boltOptions(4096), putKeys("key", 1000, 100))
	rd := readFrom(t, bytes.NewReader(b[:40_000]), b)
	want := map[ID]Use{}
	for id := ID(0); id < rd.File.Pages(); id++ {
		if want[id] = rd.Uses[id]; id >= 40_000/4096 {
			want[id] = Unread
		}
	}
	if diff := cmp.Diff(want, rd.Uses); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
	for _, f := range rd.Flaws {
		if f.Off >= 40_000 && !errors.Is(f.Err, io.ErrUnexpectedEOF) && !errors.Is(f.Err, io.EOF) {
			t.Errorf("damage at %#x: %v", f.Off, f.Err)
		}
	}
	if rd = readFrom(t, shortReader{bytes.NewReader(b)}, b); len(rd.Uses) != rd.count(Unread) {
		t.Errorf("%d of %d pages unread by a reader that gives half", rd.count(Unread), len(rd.Uses))
	}
}

// A consumer that stops early leaves nothing running, and tap is not called again.
func TestStopEarly(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), putKeys("key", 20_000, 300))
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(Branches)
	before := runtime.NumGoroutine()
	for _, stopAt := range []int{1, 2, 1000, 1024, 3000, 6000} {
		seen, tapped := 0, 0
		for range f.Sweep(tree, func(int64, []byte) { tapped++ }) {
			if seen++; seen == stopAt {
				break
			}
		}
		if tapped++; seen != stopAt { // a race if tap were still running
			t.Errorf("%d yields after a stop at %d", seen, stopAt)
		}
	}
	noGoroutines(t, before)
}

// So does one that panics or ends its goroutine, as t.Fatal does.
func TestConsumerDies(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), putKeys("key", 20_000, 300))
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(Branches)
	before := runtime.NumGoroutine()
	for name, die := range map[string]func(){"panic": func() { panic("consumer") }, "Goexit": runtime.Goexit} {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			for range f.Sweep(tree, func(int64, []byte) {}) {
				die()
			}
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: Sweep does not return", name)
		}
	}
	noGoroutines(t, before)
}

// noGoroutines waits for those that have ended already but are still counted.
func noGoroutines(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestSweepWithoutTap(t *testing.T) {
	b, w := makeDB(t, boltOptions(1024), putKeys("key", 500, 30))
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for p, err := range f.Sweep(f.Walk(Branches), nil) {
		if err != nil {
			t.Error(err)
		}
		if p.Use == Leaf && p.Bucket != 0 {
			records += int(p.Header.Count)
		}
	}
	if records != len(w.Records) {
		t.Errorf("%d records, want %d", records, len(w.Records))
	}
}

// The causes of an unread page stay apart from those of a damaged one.
func TestUnreadIsNoDamageOfTheFormat(t *testing.T) {
	b, _ := makeDB(t, boltOptions(1024), putKeys("key", 100, 30), idle)
	f, err := Open(disk{b, []span{{5000, 5001}}}, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range f.Sweep(f.Walk(Branches), nil) {
		var format *decode.FormatError
		if err != nil && (!errors.As(err, &format) || format.Off != 4096 || format.Err != errDisk) {
			t.Errorf("error %v, want one of page 4 that wraps %v", err, errDisk)
		}
	}
}
