package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// commands are all that read evidence; PATH stands for it, and CONFIG for a
// configuration that lies beside it.
var commands = [][]string{
	{"scan", "PATH"}, {"scan", "--format", "json", "PATH"},
	{"list", "PATH"}, {"list", "--format", "jsonl", "PATH"},
	{"info", "PATH"}, {"info", "--format", "json", "PATH"},
	{"keys", "PATH"}, {"keys", "--format", "json", "--retire", "aescbc:key1", "PATH"},
	{"history", "PATH", "/registry/secrets/payments/s-plain-10"},
	{"show", "PATH", "/registry/namespaces/payments"},
	{"scan", "--encryption-config", "CONFIG", "PATH"},
	{"list", "--encryption-config", "CONFIG", "PATH"},
	{"keys", "--encryption-config", "CONFIG", "PATH"},
	{"history", "--encryption-config", "CONFIG", "PATH", "/registry/secrets/payments/s-plain-10"},
	{"show", "--encryption-config", "CONFIG", "PATH", "/registry/secrets/payments/s-plain-10"},
}

// on is the command on the evidence at path.
func on(command []string, path, config string) []string {
	args := slices.Clone(command)
	for i, arg := range args {
		switch arg {
		case "PATH":
			args[i] = path
		case "CONFIG":
			args[i] = config
		}
	}
	return args
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
	return state{sha256.Sum256(b), info.Mode(), info.ModTime(), evidence.AccessTime(info)}
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
	config := filepath.Join(dir, "encryption-kmsv1.yaml") // has all keys
	t.Run("paths", func(t *testing.T) {
		for path := range before {
			if strings.HasSuffix(path, "db") {
				t.Run(strings.TrimPrefix(path, dir), func(t *testing.T) {
					t.Parallel()
					testUntouched(t, path, config, before[path])
				})
			}
		}
	})
	if info, err := os.Stat(config); err != nil || !evidence.AccessTime(info).Equal(before[config].atime) {
		t.Errorf("%s: its access time was %v: %v", config, before[config].atime, err)
	}
	if after := stateOf(t, config); after.sum != before[config].sum || !after.mtime.Equal(before[config].mtime) {
		t.Errorf("%s was %+v and is %+v", config, before[config], after)
	}
	after := fileNames(t, dir)
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
}

// testUntouched runs the commands on a file, and on the data dir that it lies in: half of
// the later ones on either.
func testUntouched(t *testing.T, path, config string, before state) {
	paths := []string{path}
	if dataDir, ok := strings.CutSuffix(path, filepath.Join("member", "snap", "db")); ok {
		paths = append(paths, dataDir)
	}
	for i, command := range commands {
		for j, p := range paths {
			if i < 6 || i%len(paths) == j {
				runUntouched(t, on(command, p, config), path, before)
			}
		}
	}
}

func runUntouched(t *testing.T, args []string, file string, before state) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	early := slices.Contains(args, "--retire") && strings.Contains(file, "00-plain") // before there was a key
	if code := run(context.Background(), args, &stdout, &stderr); code > 1 && !early || stdout.Len() == 0 {
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
	if atime := evidence.AccessTime(info); !atime.Equal(before.atime) {
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

// Looking at what lies in a data dir leaves its folders alone too, and the WAL in them.
func TestUntouchedFolders(t *testing.T) {
	dir := extractShort(t, func(name string) bool {
		return strings.HasPrefix(name, "05-defragged/data-dir/") || name == "encryption-kmsv1.yaml"
	})
	dataDir := filepath.Join(dir, "05-defragged", "data-dir")
	const segment = "member/wal/0000000000000000-0000000000000000.wal"
	names := []string{".", "member", "member/snap", "member/snap/db", "member/wal", segment}
	before := stateOf(t, filepath.Join(dataDir, segment))
	for _, name := range names {
		setAge(t, filepath.Join(dataDir, name))
	}
	for _, command := range commands {
		args := on(command, dataDir, filepath.Join(dir, "encryption-kmsv1.yaml"))
		if code := run(context.Background(), args, io.Discard, io.Discard); code > 1 {
			t.Errorf("%v: exit status %d", args, code)
		}
		for _, name := range names {
			info, err := os.Stat(filepath.Join(dataDir, name))
			if err != nil {
				t.Fatal(err)
			}
			if atime := evidence.AccessTime(info); !atime.Equal(oldAccess) && !atime.IsZero() || !info.ModTime().Equal(modification) {
				t.Errorf("%v: %s: access time %v, modification time %v", args, name, atime, info.ModTime())
			}
		}
	}
	if after := stateOf(t, filepath.Join(dataDir, segment)); after.sum != before.sum || after.mode != before.mode {
		t.Errorf("%s was %+v and is %+v", segment, before, after)
	}
	if n := len(fileNames(t, dataDir)); n != 2 {
		t.Errorf("%d files, there were 2", n)
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
