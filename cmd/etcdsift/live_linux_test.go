package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

func TestFindLock(t *testing.T) {
	const locks = `1: FLOCK  ADVISORY  WRITE 2483 fe:00:9977978 0 EOF
1: -> FLOCK  ADVISORY  WRITE 11 fe:00:1 0 EOF
2: OFDLCK ADVISORY  WRITE -1 fe:00:9977979 0 EOF
3: POSIX  ADVISORY  READ  7 fe:00:2 128 128
4: POSIX  ADVISORY  WRITE 8 fe:00:3 0 0
5: LEASE  ACTIVE    WRITE 9 fe:00:4 0 EOF
6: FLOCK  ADVISORY  WRITE x fe:00:5 0 EOF
7: FLOCK
8: FLOCK  ADVISORY  READ  10 fe:00:6 0 EOF
9: FLOCK  ADVISORY  WRITE 12 fe:00:6 0 EOF
`
	tests := []struct {
		id  string
		pid int
		ok  bool
	}{
		{"fe:00:9977978", 2483, true},
		{"fe:00:9977979", -1, true},
		{"fe:00:997797", 0, false},
		{"fe:01:9977978", 0, false},
		{"fe:00:1", 0, false}, // waits
		{"fe:00:2", 0, false}, // reads
		{"fe:00:3", 8, true},
		{"fe:00:4", 0, false}, // no lock
		{"fe:00:5", 0, false},
		{"fe:00:6", 12, true},
	}
	for _, tt := range tests {
		if pid, ok := findLock([]byte(locks), tt.id); pid != tt.pid || ok != tt.ok {
			t.Errorf("%s: %d, %v, want %d, %v", tt.id, pid, ok, tt.pid, tt.ok)
		}
	}
}

// The locks of this process are found by the file, whatever its name, and only while they
// are held for writing.
func TestWriteLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	holder, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	f, err := openReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := fmt.Sprintf("process %d (", os.Getpid())
	for _, step := range []struct {
		how  int
		held bool
	}{{syscall.LOCK_SH, false}, {syscall.LOCK_EX, true}, {syscall.LOCK_UN, false}} {
		if err := syscall.Flock(int(holder.Fd()), step.how); err != nil {
			t.Fatal(err)
		}
		if got := writeLock(f); strings.HasPrefix(got, want) != step.held || got != "" != step.held {
			t.Errorf("flock %d: %q", step.how, got)
		}
	}
}

// startLoad starts an etcd whose WAL has small segments, with some Secrets in it.
func startLoad(t *testing.T) (e *runningEtcd, dir string, writer *fixtures.Load) {
	t.Helper()
	size := wal.SegmentSizeBytes
	wal.SegmentSizeBytes = 1 << 20
	t.Cleanup(func() { wal.SegmentSizeBytes = size })
	dir = filepath.Join(t.TempDir(), "etcd")
	e, err := startEtcd(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	})
	writer, err = fixtures.NewLoad(t.Context(), "live", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
	})
	for range 300 {
		if err := e.write(t.Context(), writer); err != nil {
			t.Fatal(err)
		}
	}
	return e, dir, writer
}

// write writes the next object of a load.
func (e *runningEtcd) write(ctx context.Context, load *fixtures.Load) error {
	key, value, err := load.Next(ctx)
	if err != nil {
		return err
	}
	_, err = e.Put(ctx, key, string(value))
	return err
}

// burden writes, compacts and defragments until ctx is done. Its error is the first that
// etcd gave.
func (e *runningEtcd) burden(ctx context.Context, load *fixtures.Load) error {
	for n := 1; ctx.Err() == nil; n++ {
		time.Sleep(2 * time.Millisecond) // leave something of the machine to the scans
		if err := e.write(context.Background(), load); err != nil {
			return fmt.Errorf("put: %w", err)
		}
		if n%200 == 0 {
			status, err := e.Status(context.Background(), e.endpoint)
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			if _, err := e.Compact(context.Background(), status.Header.Revision-100, clientv3.WithCompactPhysical()); err != nil {
				return fmt.Errorf("compact: %w", err)
			}
		}
		if n%700 == 0 {
			if _, err := e.Defragment(context.Background(), e.endpoint); err != nil {
				return fmt.Errorf("defragment: %w", err)
			}
		}
	}
	return nil
}

// An evidenceReport is the part of a report in JSON that is about evidence.
type evidenceReport struct {
	Verdict  report.Verdict
	Evidence []struct {
		Path, Kind, Changed string
		Live                bool
	}
	Exposures []struct{ Name string }
}

func (r evidenceReport) live() (n int) {
	for _, e := range r.Evidence {
		if e.Live {
			n++
		}
	}
	return n
}

func scanEvidence(t *testing.T, path string) (r evidenceReport, o outcome) {
	t.Helper()
	o = start(t, exec.Command(programPath(t), "scan", "--format", "json", path))()
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("exit status %d, %s: %v", o.status, o.stderr, err)
	}
	return r, o
}

// An etcd that runs under load is read without its lock, is not disturbed, and the report
// says that it was live and that it changed.
func TestRunningEtcd(t *testing.T) {
	e, dir, load := startLoad(t)
	ctx, cancel := context.WithCancel(t.Context())
	var failed error
	var writing sync.WaitGroup
	writing.Go(func() { failed = e.burden(ctx, load) })
	reasons := map[string]int{}
	for range 5 {
		r, o := scanEvidence(t, dir)
		if o.status != 5 || r.Verdict.ExitStatus != 5 || r.Verdict.Complete || r.live() < 2 || len(r.Exposures) < 10 || o.stderr != "" {
			t.Errorf("exit status %d, %+v, %d files live, %d exposures, %s", o.status, r.Verdict, r.live(), len(r.Exposures), o.stderr)
		}
		for _, e := range r.Evidence {
			reasons[reason(e.Changed)]++
		}
	}
	for _, args := range [][]string{{"info", dir}, {"keys", dir}, {"list", dir}, {"scan", dir}} {
		o := start(t, exec.Command(programPath(t), args...))()
		text := strings.Join(strings.Fields(o.stdout+o.stderr), " ")
		if o.status != 5 || !strings.Contains(text, "changed while it was read: ") || !strings.Contains(text, "holds a write lock on it") {
			t.Errorf("%v: exit status %d, %s\n%.300s", args, o.status, o.stderr, o.stdout)
		}
	}
	cancel()
	writing.Wait()
	if failed != nil {
		t.Errorf("etcd was disturbed: %v", failed)
	}
	t.Logf("changes: %v", reasons)
	if reasons["its modification time is another"] == 0 {
		t.Error("writes to files of the same size are not seen: the test looks at other things")
	}
	testQuietEtcd(t, dir)
}

// reason is what a change is, without the names and numbers in it.
func reason(changed string) string {
	for _, known := range []string{"its size", "which lies beside it, is new", "which lies beside it, is gone"} {
		if strings.Contains(changed, known) {
			return known
		}
	}
	return changed
}

// testQuietEtcd reads a running etcd to which nobody writes: it is live, and unchanged.
func testQuietEtcd(t *testing.T, dir string) {
	t.Helper()
	var r evidenceReport
	var o outcome
	eventually(t, "a running etcd is still while it is read", func() bool {
		r, o = scanEvidence(t, dir)
		return o.status != 5
	})
	if o.status != 1 || !r.Verdict.Complete || r.live() < 2 || len(r.Exposures) < 10 {
		t.Errorf("exit status %d, %+v, %d files live, %d exposures, %s", o.status, r.Verdict, r.live(), len(r.Exposures), o.stderr)
	}
}

// What etcd does between the moment when its files are found and the end of the reading is
// a change of the evidence, each in its own words.
func TestChangedDataDir(t *testing.T) {
	e, dir, load := startLoad(t)
	segments := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"a put", func() error { return e.write(t.Context(), load) }, "its modification time is another"},
		{"a commit", func() error {
			e.etcd.Server.Backend().ForceCommit()
			return nil
		}, "member/snap/db: its (modification time is another|size was)"},
		{"a new segment", func() error {
			var err error
			for n := segments(); segments() == n && err == nil; {
				err = e.write(t.Context(), load)
			}
			return err
		}, ".wal, which lies beside it, is new since"},
		{"a defragmentation", func() error {
			_, err := e.Defragment(t.Context(), e.endpoint)
			return err
		}, "another file has taken its place"},
		{"a file that was made and removed", func() error {
			name := filepath.Join(dir, "member", "snap", "tmp")
			return errors.Join(os.WriteFile(name, nil, 0o600), os.Remove(name))
		}, "files beside it were made, renamed or removed"},
		{"a segment that is gone", func() error {
			return os.Remove(filepath.Join(dir, "member", "wal", "0000000000000000-0000000000000000.wal"))
		}, "0000000000000000-0000000000000000.wal: it is gone"},
	}
	for _, tt := range tests {
		if err := e.write(t.Context(), load); err != nil { // for a commit to have something to do
			t.Fatal(err)
		}
		found, err := openEvidence([]string{dir}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		r, err := scanSources(t.Context(), found.sources, analyzer.Interest{})
		found.close()
		if err != nil {
			t.Fatal(err)
		}
		var changes []string
		for _, e := range r.Evidence {
			changes = append(changes, string(e.Path)+": "+e.Changed)
		}
		if !regexp.MustCompile(tt.want).MatchString(strings.Join(changes, "\n")) || r.Verdict.ExitStatus != report.ExitChanged || len(r.Exposures) == 0 {
			t.Errorf("%s: %q, %+v, %d exposures", tt.name, changes, r.Verdict, len(r.Exposures))
		}
	}
}

// A file that goes away between the listing of its dir and its opening was evidence.
func TestGoneBeforeOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0000000000000000-0000000000000000.wal")
	if err := os.WriteFile(path, []byte("whatever"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	e := &opened{}
	w := walk{opened: e}
	w.open(file{path, "x.wal", info})
	r, err := scanSources(context.Background(), e.sources, analyzer.Interest{NotExamined: e.notExamined})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Coverage.NotExamined; r.Verdict.ExitStatus != report.ExitChanged || len(n) != 1 || !strings.HasPrefix(n[0].What, "it is gone") {
		t.Errorf("%+v %+v", r.Verdict, n)
	}
	if len(r.Evidence)+len(r.Coverage.Damage) > 0 {
		t.Errorf("facts on a file that nobody read: %+v, %+v", r.Evidence, r.Coverage.Damage)
	}
}

// A write in the tick of the clock in which the file was looked at does not hide behind the
// modification time that both have.
func TestChangedInOneTick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for range 20 {
		if err := os.WriteFile(path, bytes.Repeat([]byte("a"), 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		before, err := settled(f)
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(before.ModTime()); age < tick {
			t.Errorf("read %v after it was written", age)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("b"), 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed(path, before) == "" {
			t.Error("not noticed")
		}
		_ = f.Close()
	}
}
