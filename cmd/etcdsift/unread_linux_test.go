package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/analyzer"
)

const (
	segmentName = "0000000000000000-0000000000000000.wal"
	laterName   = "0000000000000001-0000000000000200.wal"
)

// ended runs a command in dir and returns what it says; it must end by itself. as, if not
// nil, says who runs it.
func ended(t *testing.T, as func(*exec.Cmd), dir string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, programPath(t), args...)
	cmd.Dir = dir
	if as != nil {
		as(cmd)
	}
	o := start(t, cmd)()
	if ctx.Err() != nil {
		t.Fatalf("%v hangs", args)
	}
	return o
}

// What may not be read is one plain line on stderr: which file, why, and what to do. It is
// exit status 4, never "changed", and nothing is said of the file that nobody has read.
func TestNoPermission(t *testing.T) {
	const remedy = ": permission denied, so it was not examined: run as root, or as the user who owns it\n"
	wal, db := filepath.Join("data-dir", "member", "wal"), filepath.Join("data-dir", "member", "snap", "db")
	tests := []struct {
		name  string
		close string // the path whose mode this is
		mode  os.FileMode
		path  string // that is named
		line  string // the path in the line
		rest  int    // files that are read all the same
	}{
		{"a data dir of mode 0700", "data-dir", 0, "data-dir", "data-dir", 0},
		{"its parent", ".", 0, "05-defragged/data-dir", "05-defragged/data-dir", 0},
		{"a WAL dir without x", wal, 0o444, "data-dir", filepath.Join(wal, segmentName), 1},
		{"a WAL dir", wal, 0, "data-dir", wal, 1},
		{"a WAL dir beside snap", wal, 0, filepath.Join("data-dir", "member", "snap"), filepath.Join("data-dir", "member", "snap") + "/../wal", 1},
		{"the member dir without x", filepath.Join("data-dir", "member"), 0o444, "data-dir", filepath.Join("data-dir", "member", "snap"), 0},
		{"a WAL segment", filepath.Join(wal, segmentName), 0, "data-dir", filepath.Join(wal, segmentName), 1},
		{"a db", db, 0, "data-dir", db, 1},
		{"a db that is named", db, 0, db, db, 0},
		{"a snapshot", "snapshot.db", 0, "snapshot.db", "snapshot.db", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := readableFolder(t)
			restrict(t, dir, 0o444, 0o555)
			if err := os.Chmod(filepath.Join(dir, tt.close), tt.mode); err != nil {
				t.Fatal(err)
			}
			if tt.close == "." {
				dir = filepath.Dir(dir)
			}
			for _, command := range [][]string{{"scan"}, {"scan", "--format", "json"}, {"list"}, {"keys"}, {"info"}} {
				o := ended(t, asNobody, dir, append(command, tt.path)...)
				if o.status != 4 || !strings.Contains(o.stderr, "etcdsift: "+tt.line+remedy) || strings.Contains(o.stdout+o.stderr, "changed while") {
					t.Errorf("%v: exit status %d\n%s%s", command, o.status, o.stdout, o.stderr)
				}
				if len(command) < 3 {
					continue
				}
				var r analyzer.Report
				if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
					t.Fatal(err)
				}
				if len(r.Evidence) != tt.rest || len(r.Coverage.Damage) > 0 || r.Verdict.Complete || r.Verdict.Status == analyzer.StatusClean {
					t.Errorf("%+v, %d files, %d damages", r.Verdict, len(r.Evidence), len(r.Coverage.Damage))
				}
			}
			o := ended(t, asNobody, dir, "keys", "--retire", "aescbc:key1", tt.path)
			if o.status == 0 || strings.Contains(o.stdout, "may be dropped") {
				t.Errorf("--retire: exit status %d\n%s", o.status, o.stdout)
			}
		})
	}
}

// A FIFO, a socket, a device, a loop of links or a folder in the place of a file or folder
// of etcd's hangs nothing and is not passed over in silence.
func TestNoRegularFile(t *testing.T) {
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o644) }
	link := func(to string) func(string) error {
		return func(path string) error { return os.Symlink(to, path) }
	}
	socket := func(path string) error {
		// A socket's path is short, so it is made elsewhere and then moved.
		short := filepath.Join(t.TempDir(), "s")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		l.SetUnlinkOnClose(false)
		return os.Rename(short, path)
	}
	tests := []struct {
		name, at string
		make     func(path string) error
		want     string
	}{
		{"a FIFO as a segment", "member/wal/" + laterName, fifo, "not a regular file"},
		{"a socket as a segment", "member/wal/" + laterName, socket, "not a regular file"},
		{"a device as a segment", "member/wal/" + laterName, link("/dev/tty"), "not a regular file"},
		{"a loop as a segment", "member/wal/" + laterName, link(laterName), "too many levels of symbolic links"},
		{"a link to nowhere as a segment", "member/wal/" + laterName, link("nowhere"), "a symbolic link that leads nowhere"},
		{"a FIFO as a snapshot", "member/snap/0000000000000001-0000000000000002.snap", fifo, "not a regular file"},
		{"a FIFO as a received db", "member/snap/0000000000000002.snap.db", fifo, "not a regular file"},
		{"a loop as a backup", "member/snap/old.db", link("old.db"), "too many levels"},
		{"a FIFO as the WAL dir", "wal", fifo, "not a regular file"},
		{"a compressed backup", "old.db.gz", func(path string) error { return os.WriteFile(path, []byte("\x1f\x8b\x08\x00and so on"), 0o644) },
			"a compressed file, so what is in it was not examined: decompress it first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := readableFolder(t)
			if err := tt.make(filepath.Join(dir, "data-dir", tt.at)); err != nil {
				t.Fatal(err)
			}
			o := ended(t, nil, dir, "scan", "data-dir")
			if line := "etcdsift: data-dir/" + tt.at + ": " + tt.want; o.status != 4 || !strings.Contains(o.stderr, line) {
				t.Errorf("exit status %d, want 4 and %q\n%s", o.status, line, o.stderr)
			}
			if !strings.Contains(o.stdout, "\n  "+tt.at) || !strings.Contains(o.stdout, "there may be more") {
				t.Errorf("the report does not say so:\n%s", o.stdout)
			}
		})
	}
	// As the only thing that is there.
	for _, at := range []string{"wal", "member/wal", "db", "member/snap/db", "0000000000000000-0000000000000000.wal"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, "d", at)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := fifo(filepath.Join(dir, "d", at)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"d", filepath.Join("d", at)} {
			if o := ended(t, nil, dir, "scan", path); o.status != 3 && o.status != 4 || o.stderr == "" || strings.Contains(o.stdout, "clean") {
				t.Errorf("%s in %s: %+v", path, at, o)
			}
		}
		if o := ended(t, nil, dir, "keys", "--retire", "aescbc:key1", "d"); o.status == 0 || strings.Contains(o.stdout, "may be dropped") {
			t.Errorf("%s: %+v", at, o)
		}
	}
}

// More than the bounds of a search is not passed over in silence either.
func TestBeyondBounds(t *testing.T) {
	dir := readableFolder(t)
	for i := range maxOthers + 1 {
		if err := os.WriteFile(filepath.Join(dir, "data-dir", "member", "snap", fmt.Sprintf("junk-%04d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := ended(t, nil, dir, "scan", "data-dir")
	if o.status != 4 || !strings.Contains(o.stderr, "etcdsift: data-dir: 1 more files that are not known to be etcd's") {
		t.Errorf("%d others: exit status %d, %s", maxOthers+1, o.status, o.stderr)
	}
	dir = readableFolder(t)
	deep := filepath.Join(dir, "data-dir", strings.Repeat("d/", maxDepth+1))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if o := ended(t, nil, dir, "scan", "data-dir"); o.status != 4 || !strings.Contains(o.stderr, "nested over 8 dirs deep, so it was not examined") {
		t.Errorf("a deep dir: exit status %d, %s", o.status, o.stderr)
	}
}

// Where it can not be told whether there is a WAL beside a db, a key may not be dropped: the
// newest writes may be there.
func TestRetireBesideWAL(t *testing.T) {
	dir := readableFolder(t)
	// A path is no pattern.
	for _, parent := range []string{"plain", "bk[2026]", "a*b", "wh?t", `back\slash`, "closed"} {
		data := filepath.Join(dir, parent, "d")
		if err := os.MkdirAll(filepath.Dir(data), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := buildDrained(t.Context(), data, "wal"); err != nil {
			t.Fatal(err)
		}
		restrict(t, filepath.Join(dir, parent), 0o444, 0o555)
		want := "the WAL beside this db"
		if parent == "closed" {
			want = "whether there is a WAL beside this db, which may have newer writes: permission denied"
			if err := os.Chmod(filepath.Join(data, "member", "wal"), 0); err != nil {
				t.Fatal(err)
			}
		}
		o := ended(t, asNobody, dir, "keys", "--retire", "aescbc:old", filepath.Join(data, "member", "snap", "db"))
		text := strings.Join(strings.Fields(o.stdout), " ")
		if o.status != 1 || strings.Contains(text, "may be dropped") || !strings.Contains(text, want) {
			t.Errorf("%s: exit status %d\n%s%s", parent, o.status, o.stdout, o.stderr)
		}
		before := accessTime(mustStat(t, filepath.Join(data, "member", "wal")))
		ended(t, nil, dir, "keys", "--retire", "aescbc:old", filepath.Join(data, "member", "snap", "db"))
		if after := accessTime(mustStat(t, filepath.Join(data, "member", "wal"))); os.Getuid() == 0 && !after.Equal(before) {
			t.Errorf("%s: looking for the WAL has changed the access time of its dir", parent)
		}
	}
}

func mustStat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
