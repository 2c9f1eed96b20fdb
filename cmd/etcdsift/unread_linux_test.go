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

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
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
		line  string // the path in the line, or its end
		rest  int    // files that are read all the same
	}{
		{"a data dir of mode 0700", "data-dir", 0, "data-dir", "data-dir", 0},
		{"its parent", ".", 0, "05-defragged/data-dir", "05-defragged/data-dir", 0},
		{"a WAL dir without x", wal, 0o444, "data-dir", filepath.Join(wal, segmentName), 1},
		{"a WAL dir", wal, 0, "data-dir", wal, 1},
		{"a WAL dir beside snap", wal, 0, filepath.Join("data-dir", "member", "snap"), wal, 1},
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
				if o.status != 4 || !strings.Contains(o.stderr, tt.line+remedy) || strings.Contains(o.stdout+o.stderr, "changed while") {
					t.Errorf("%v: exit status %d\n%s%s", command, o.status, o.stdout, o.stderr)
				}
				if len(command) < 3 {
					continue
				}
				var r report.Report
				if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
					t.Fatal(err)
				}
				if len(r.Evidence) != tt.rest || len(r.Coverage.Damage) > 0 || r.Verdict.Complete || r.Verdict.Status == report.StatusClean {
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
		{"a folder as a segment", "member/wal/" + laterName, func(path string) error { return os.Mkdir(path, 0o755) }, "not a regular file"},
		{"a folder as a received db", "member/snap/0000000000000002.snap.db", func(path string) error { return os.Mkdir(path, 0o755) }, "not a regular file"},
		{"a compressed backup", "old.db.gz", func(path string) error { return os.WriteFile(path, []byte("\x1f\x8b\x08\x00and so on"), 0o644) },
			"a gzip file, so what is in it was not examined: decompress it and name the result, too"},
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
	// A flag leaves it out, whatever it is.
	dir := readableFolder(t)
	if err := fifo(filepath.Join(dir, "data-dir", "member", "wal", laterName)); err != nil {
		t.Fatal(err)
	}
	if o := ended(t, nil, dir, "scan", "--no-wal", "data-dir"); o.status != 0 || o.stderr != "" || !strings.Contains(o.stdout, laterName+": WAL segment, left out by") {
		t.Errorf("%+v", o)
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
	for i := range evidence.MaxOthers + 1 {
		if err := os.WriteFile(filepath.Join(dir, "data-dir", "member", "snap", fmt.Sprintf("junk-%04d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := ended(t, nil, dir, "scan", "data-dir")
	if o.status != 4 || !strings.Contains(o.stderr, "etcdsift: data-dir: 1 more files that are not known to be etcd's") {
		t.Errorf("%d others: exit status %d, %s", evidence.MaxOthers+1, o.status, o.stderr)
	}
	dir = readableFolder(t)
	deep := filepath.Join(dir, "data-dir", strings.Repeat("d/", evidence.MaxDepth+1))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if o := ended(t, nil, dir, "scan", "data-dir"); o.status != 4 || !strings.Contains(o.stderr, "nested over 8 dirs deep, so it was not examined") {
		t.Errorf("a deep dir: exit status %d, %s", o.status, o.stderr)
	}
}

// The WAL beside a db is read, however its path is spelt. Where it can not be told whether there is
// one, a key may not be dropped: the newest writes may be there.
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
		status := 0
		if parent == "closed" {
			status = 4
			if err := os.Chmod(filepath.Join(data, "member", "wal"), 0); err != nil {
				t.Fatal(err)
			}
		}
		o := ended(t, asNobody, dir, "keys", "--retire", "aescbc:old", filepath.Join(data, "member", "snap", "db"))
		text := strings.Join(strings.Fields(o.stdout), " ")
		if o.status != status || strings.Contains(text, "may be dropped") != (status == 0) ||
			strings.Contains(text, "../wal: permission denied, so it was not examined") != (status == 4) {
			t.Errorf("%s: exit status %d\n%s%s", parent, o.status, o.stdout, o.stderr)
		}
		before := evidence.AccessTime(mustStat(t, filepath.Join(data, "member", "wal")))
		ended(t, nil, dir, "keys", "--retire", "aescbc:old", filepath.Join(data, "member", "snap", "db"))
		if after := evidence.AccessTime(mustStat(t, filepath.Join(data, "member", "wal"))); os.Getuid() == 0 && !after.Equal(before) {
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

// A db has the WAL that lies beside it, by whatever way it is named.
func TestRetireThroughLinks(t *testing.T) {
	base := t.TempDir()
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(base, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := buildDrained(t.Context(), filepath.Join(base, "d"), "wal"); err != nil {
		t.Fatal(err)
	}
	link("d/member/snap/db", "current.db")
	link("d/member/snap", "snaplink")
	// On another disk lies snap, and in another data dir the WAL.
	for _, step := range [][]string{
		{"cp", "-r", "d", "v"}, {"mv", "v/member/snap", "snapdisk"}, {"ln", "-s", "../../snapdisk", "v/member/snap"},
		{"cp", "-r", "d", "x"}, {"rm", "-r", "x/member/wal"}, {"ln", "-s", "/nonexistent", "x/member/wal"},
		{"cp", "-r", "d", "two"}, {"cp", "two/member/wal/" + segmentName, "two/member/wal/0000000000000001-0000000000000999.wal"},
	} {
		cmd := exec.Command(step[0], step[1:]...)
		cmd.Dir = base
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", step, b)
		}
	}
	for _, tt := range []struct {
		dir, path string
		more      []string
		status    int
	}{
		{".", "d/member/snap/db", nil, 0},
		{".", "current.db", nil, 0},
		{"snaplink", "db", nil, 0},
		{"snaplink", ".", nil, 0}, // with the WAL, which is read
		{".", "snaplink", nil, 0},
		{".", "v/member/snap/db", nil, 0},
		{".", "v/member/snap", nil, 0},
		{".", "v", nil, 0},
		{".", "x/member/snap/db", nil, 4},
		{".", "x/member/snap", nil, 4},
		{".", "x", nil, 4},
		{".", "two/member/snap/db", []string{"two/member/wal/" + segmentName}, 4}, // the other segment is no part of the log
		{".", "d/member/snap/db", []string{"d/member/wal/" + segmentName}, 0},
	} {
		// As a shell does, which keeps the way that it came.
		args := append([]string{"-c", `cd "$1" && shift && exec "$@"`, "sh", tt.dir, programPath(t), "keys", "--retire", "aescbc:old", tt.path}, tt.more...)
		cmd := exec.Command("sh", args...)
		cmd.Dir = base
		o := start(t, cmd)()
		if o.status != tt.status || strings.Contains(o.stdout, "may be dropped") != (tt.status == 0) {
			t.Errorf("%s in %s, %v: exit status %d, want %d\n%s%s", tt.path, tt.dir, tt.more, o.status, tt.status, o.stdout, o.stderr)
		}
	}
	// What is read is all of it.
	for _, dir := range []string{"snaplink", "v/member/snap"} {
		cmd := exec.Command("sh", "-c", `cd "$1" && exec "$2" info --format json .`, "sh", dir, programPath(t))
		cmd.Dir = base
		if o := start(t, cmd)(); !strings.Contains(o.stdout, `"kind": "wal"`) {
			t.Errorf("info . in %s has no WAL: %s%s", dir, o.stdout, o.stderr)
		}
	}
}

// Too few descriptors for all files is no change of the evidence. How many a process needs
// beside those of the files is not for a test to know: a report is the same as with enough of
// them, or it says that something was not read.
func TestFewDescriptors(t *testing.T) {
	dir := readableFolder(t)
	for i := range 60 {
		name := fmt.Sprintf("%016x-%016x.wal", i+1, 1000+i)
		if err := os.WriteFile(filepath.Join(dir, "data-dir", "member", "wal", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	scan := func(limit int) outcome {
		cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh", programPath(t), "scan", "data-dir")
		cmd.Dir = dir
		return start(t, cmd)()
	}
	enough, unread := scan(1000), 0
	for _, limit := range []int{20, 40, 60, 66, 67, 68, 69, 72, 76} {
		switch o := scan(limit); {
		case o.status == 4 && !strings.Contains(o.stdout, "changed while"):
			unread++
		case limit < 60 || o.stdout != enough.stdout || o.status != enough.status:
			t.Errorf("%d descriptors: exit status %d\n%s%s", limit, o.status, o.stdout, o.stderr)
		}
	}
	if enough.status != 1 || unread < 3 {
		t.Errorf("exit status %d with enough descriptors, and 4 with %d of the limits", enough.status, unread)
	}
}
