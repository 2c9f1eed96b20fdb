package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// commands are all that read evidence; PATH stands for it.
var commands = [][]string{
	{"scan", "PATH"}, {"scan", "--format", "json", "PATH"},
	{"list", "PATH"}, {"list", "--format", "jsonl", "PATH"},
	{"info", "PATH"}, {"info", "--format", "json", "PATH"},
}

// A state is what must not change of a file.
type state struct {
	sum          [sha256.Size]byte
	mode         os.FileMode
	mtime, atime time.Time
}

func stateOf(t *testing.T, path string) state {
	t.Helper()
	info, err := os.Stat(path) // first: reading the file may change its access time
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return state{sha256.Sum256(b), info.Mode(), info.ModTime(), accessTime(info)}
}

// Every command, and every file of the captured evidence as snapshot, db and data
// dir: not a byte, no time and no name is changed, and no value is printed.
func TestUntouched(t *testing.T) {
	dir := t.TempDir()
	err := captured.Extract(dir, func(name string) bool { return !strings.Contains(name, "/wal/") })
	if err != nil {
		t.Fatal(err)
	}
	before := ageFiles(t, dir)
	for path := range before {
		if !strings.HasSuffix(path, "db") {
			continue
		}
		paths := []string{path}
		if dataDir, ok := strings.CutSuffix(path, filepath.Join("member", "snap", "db")); ok {
			paths = append(paths, dataDir)
		}
		for _, p := range paths {
			for _, command := range commands {
				runUntouched(t, command, p, path, before[path])
			}
		}
	}
	after := fileNames(t, dir)
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
}

func runUntouched(t *testing.T, command []string, arg, file string, before state) {
	args := append([]string{}, command...)
	args[len(args)-1] = arg
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, &stdout, &stderr); code > 1 || stdout.Len() == 0 {
		t.Errorf("%v: exit status %d, %s", args, code, stderr.String())
	}
	// Plain, and in base64 at each alignment: all canaries start alike.
	for _, trace := range fixtures.Traces("CNRY-") {
		if bytes.Contains(stdout.Bytes(), []byte(trace)) {
			t.Errorf("%v: prints a canary", args)
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("%v: %s", args, stderr.String())
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if atime := accessTime(info); !atime.Equal(before.atime) {
		t.Errorf("%v: the access time of %s was %v and is %v", args, file, before.atime, atime)
	}
	after := stateOf(t, file)
	setAge(t, file) // stateOf has read it
	after.atime = before.atime
	if after != before {
		t.Errorf("%v: %s was %+v and is %+v", args, file, before, after)
	}
}

// ageFiles sets the access times of all files below dir before their modification
// times, so that any read without O_NOATIME would change them.
func ageFiles(t *testing.T, dir string) map[string]state {
	t.Helper()
	states := map[string]state{}
	for _, path := range fileNames(t, dir) {
		setAge(t, path)
		s := stateOf(t, path)
		setAge(t, path)
		states[path] = s
	}
	if len(states) < 20 {
		t.Fatalf("%d files: the test looks at nothing", len(states))
	}
	return states
}

func fileNames(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	oldAccess    = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	modification = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
)

func setAge(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, oldAccess, modification); err != nil {
		t.Fatal(err)
	}
}

// Looking at what lies in a data dir leaves its folders alone too.
func TestUntouchedFolders(t *testing.T) {
	dir := t.TempDir()
	err := captured.Extract(dir, func(name string) bool { return strings.HasPrefix(name, "05-defragged/data-dir/") })
	if err != nil {
		t.Fatal(err)
	}
	dataDir := filepath.Join(dir, "05-defragged", "data-dir")
	folders := []string{".", "member", "member/snap", "member/wal"}
	for _, folder := range folders {
		setAge(t, filepath.Join(dataDir, folder))
	}
	if code := run(context.Background(), []string{"scan", dataDir}, io.Discard, io.Discard); code != 1 {
		t.Errorf("exit status %d", code)
	}
	for _, folder := range folders {
		info, err := os.Stat(filepath.Join(dataDir, folder))
		if err != nil {
			t.Fatal(err)
		}
		if atime := accessTime(info); !atime.Equal(oldAccess) || !info.ModTime().Equal(modification) {
			t.Errorf("%s: access time %v, modification time %v", folder, atime, info.ModTime())
		}
	}
}

// A file that may not be read is evidence all the same: the report says what is
// wrong with it.
func TestUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, []byte("whatever"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // as root, no mode keeps a file from being read
		t.Fatal(err)
	}
	e := &evidence{}
	if err := e.addFile(path, "snapshot.db", info); err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Run(context.Background(), e.sources, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict.ExitStatus != 4 || len(r.Coverage.Damage) != 1 || !strings.Contains(r.Coverage.Damage[0].What, "no such file") {
		t.Errorf("%+v %+v", r.Verdict, r.Coverage)
	}
}

// Evidence is read while etcd holds its lock on it.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	const name = "00-plain/data-dir/member/snap/db"
	if err := captured.Extract(dir, func(n string) bool { return n == name }); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	db, err := bbolt.Open(path, 0o600, nil) // as etcd does: with an exclusive lock
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done := make(chan int)
	go func() { done <- run(context.Background(), []string{"scan", path}, io.Discard, io.Discard) }()
	select {
	case code := <-done:
		if code != 1 {
			t.Errorf("exit status %d, want 1", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("waits for the lock")
	}
}

// Whatever changes a file is noticed. That this is exit status 5 is a test of
// package analyzer.
func TestChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot.db")
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]func() error{
		"grown":    func() error { return os.WriteFile(path, append(b, make([]byte, 4096)...), 0o600) },
		"touched":  func() error { return os.Chtimes(path, oldAccess, oldAccess) },
		"replaced": func() error { return os.Rename(filepath.Join(dir, "other"), path) },
		"removed":  func() error { return os.Remove(path) },
		"mode":     func() error { return os.Chmod(path, 0o644) },
	}
	for name, change := range changes {
		for _, file := range []string{"snapshot.db", "other"} {
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e, err := openEvidence([]string{path}, false)
		if err != nil {
			t.Fatal(err)
		}
		if what := e.sources[0].Changed(); what != "" {
			t.Errorf("%s: changed before anything was done: %s", name, what)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if e.sources[0].Changed() == "" {
			t.Errorf("%s: not noticed", name)
		}
		e.close()
	}
}
