package main

import (
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
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

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
		found, err := evidence.Open([]string{dir}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		r, err := scanSources(t.Context(), found.Sources, analyzer.Interest{})
		found.Close()
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
