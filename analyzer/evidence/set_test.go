//go:build unix

package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

const capturedSegment = "0000000000000000-0000000000000000.wal"

// dataDir makes a data dir with a db and a WAL that etcd wrote, and what lies beside them.
func dataDir(t *testing.T, beside map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	const from = "02-rewritten/data-dir/"
	names := []string{"member/snap/db", "member/wal/" + capturedSegment}
	for _, name := range names {
		b, err := captured.ReadFile(from + name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), b)
	}
	for name, content := range beside {
		write(t, filepath.Join(dir, name), []byte(content))
	}
	return dir
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines are what sources and notes say, one line each.
func lines(sources []Source, notes []report.NotExamined) []string {
	var all []string
	for _, s := range sources {
		line := string(s.Path) + " " + string(s.Kind)
		if s.What != "" {
			line += " (" + s.What + ")"
		}
		all = append(all, line)
	}
	for _, n := range notes {
		what := string(n.Path) + ": " + n.What
		if n.Unread {
			what += " [unread]"
		}
		all = append(all, what)
	}
	return all
}

func TestOpen(t *testing.T) {
	dir := dataDir(t, map[string]string{
		"member/snap/0000000000000002-0000000000000009.snap": "x",
		"member/snap/notes":                 "x",
		"member/wal/0.tmp":                  "x",
		"member/wal/1.wal.broken":           "x",
		"member/snap/old.db.gz":             "\x1f\x8b",
		"member/snap/db.tmp.1/not-followed": "x",
	})
	db, empty := filepath.Join(dir, "member", "snap", "db"), filepath.Join(dir, "empty")
	write(t, empty, nil)
	copied := filepath.Join(t.TempDir(), "db")
	b, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	write(t, copied, b)
	const (
		snap    = "member/snap/0000000000000002-0000000000000009.snap other (raft snapshot (v2 store: membership, and the keys of the v2 API))"
		tmp     = "member/wal/0.tmp other (preallocated WAL segment)"
		broken  = "member/wal/1.wal.broken other (WAL segment that etcd found broken)"
		segment = "member/wal/" + capturedSegment
	)
	others := []string{"empty other", snap, "member/snap/db.tmp.1/not-followed other (unfinished defragmentation)", "member/snap/notes other", "member/snap/old.db.gz other", tmp, broken}
	tests := []struct {
		name  string
		paths []string
		noWAL bool
		want  []string
		none  []string // NotEvidence
		err   error
	}{
		{"data dir", []string{dir}, false, append(slices.Concat([]string{"member/snap/db db", segment + " wal"}, others),
			"empty: not known to be etcd's: only searched for Kubernetes objects",
			"member/snap/notes: not known to be etcd's: only searched for Kubernetes objects",
			"member/snap/old.db.gz: a gzip file, so what is in it was not examined: decompress it and name the result, too [unread]"), nil, nil},
		{"data dir without its WAL", []string{dir}, true, append(slices.Concat([]string{"member/snap/db db"}, others),
			segment+": WAL segment, left out by --no-wal",
			"empty: not known to be etcd's: only searched for Kubernetes objects",
			"member/snap/notes: not known to be etcd's: only searched for Kubernetes objects",
			"member/snap/old.db.gz: a gzip file, so what is in it was not examined: decompress it and name the result, too [unread]"), nil, nil},
		{"db", []string{db}, true, []string{"db db", "../wal/0.tmp other (preallocated WAL segment)", "../wal/1.wal.broken other (WAL segment that etcd found broken)",
			"../wal/" + capturedSegment + ": WAL segment, left out by --no-wal"}, nil, nil},
		{"copy of a db twice", []string{copied, copied}, false, []string{copied + " db"}, nil, nil},
		{"WAL that is left out", []string{filepath.Join(dir, segment)}, true,
			[]string{capturedSegment + ": WAL segment, left out by --no-wal"},
			[]string{filepath.Join(dir, segment) + ": --no-wal leaves out all that it holds"}, ErrNone},
		{"nothing", []string{empty, filepath.Join(dir, "gone")}, false, nil,
			[]string{empty + ": an empty file", filepath.Join(dir, "gone") + ": no such file or directory"}, ErrNone},
		{"one of two", []string{empty, copied}, false, []string{copied + " db"}, []string{empty + ": an empty file"}, nil},
		{"no paths", nil, false, nil, nil, ErrNone},
	}
	for _, tt := range tests {
		s, err := Open(tt.paths, tt.noWAL)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if got := lines(s.Sources, s.NotExamined); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
		if got := lines(nil, s.NotEvidence); !slices.Equal(got, tt.none) {
			t.Errorf("%s: no evidence: %q, want %q", tt.name, got, tt.none)
		}
		s.Close()
	}
}

// The db and the WAL of a data dir are of one member, whichever of its parts the PATHs name, and
// however often; a file elsewhere is of none.
func TestMembers(t *testing.T) {
	dir := dataDir(t, nil)
	member := RealPath(filepath.Join(dir, "member"))
	db := filepath.Join(dir, "member", "snap", "db")
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(db, link); err != nil {
		t.Fatal(err)
	}
	broken := dataDir(t, nil)
	write(t, filepath.Join(broken, "member", "snap", "db"), make([]byte, 100_000))
	for _, paths := range [][]string{
		{dir}, {filepath.Join(dir, "member")}, {filepath.Join(dir, "member", "snap")}, {db}, {link},
		{db, dir}, {dir, db}, {db, db}, {link, db}, {db, filepath.Join(dir, "member", "wal")},
		{db, filepath.Join(dir, "member", "wal", capturedSegment)},
		{filepath.Join(broken, "member", "snap", "db")},
	} {
		s, err := Open(paths, false)
		if err != nil {
			t.Fatal(err)
		}
		want := member
		if strings.HasPrefix(paths[0], broken) {
			want = RealPath(filepath.Join(broken, "member"))
		}
		for _, source := range s.Sources {
			if source.Member != want {
				t.Errorf("%v: %s: member %q, want %q", paths, source.Path, source.Member, want)
			}
		}
		if len(s.Sources) != 2 || len(s.NotExamined)+len(s.NotEvidence) > 0 {
			t.Errorf("%v: %q, no evidence %q", paths, lines(s.Sources, s.NotExamined), lines(nil, s.NotEvidence))
		}
		s.Close()
	}
}

// What nothing may be written over is known by device and inode: the files, the folders of the
// data dir, and a folder by which a member is reached.
func TestParts(t *testing.T) {
	dir := dataDir(t, map[string]string{"member/snap/notes": "x"})
	s, err := Open([]string{dir}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	has := func(parts []Part, name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(parts, func(p Part) bool { return os.SameFile(p.Info, info) })
	}
	for _, name := range []string{"member/snap/db", "member/snap/notes", "member/wal/" + capturedSegment} {
		if !has(s.Files(), name) {
			t.Errorf("%s is not among the files", name)
		}
	}
	for _, name := range []string{".", "member", "member/snap", "member/wal"} {
		if !has(s.Folders(), name) {
			t.Errorf("%s is not among the folders", name)
		}
	}
}
