package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// needStrace skips the test where processes can not be traced; in CI that is a failure.
func needStrace(t *testing.T) {
	t.Helper()
	out, err := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "true").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("strace does not work here, and CI has to: %v %s", err, out)
	default:
		t.Skipf("strace does not work here (make test installs it where it can): %v %s", err, out)
	}
}

// traced runs a command below strace, in the folder dir, and returns what it did.
func traced(t *testing.T, dir string, args ...string) ([]syscallRecord, outcome) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	// What names a file or a descriptor, what maps one, and any network. Calls that are not
	// looked at cost nothing with --seccomp-bpf.
	strace := []string{"-f", "-y", "-qq", "-s", "4", "--seccomp-bpf", "-e", "trace=%file,%desc,%network,mmap,mremap,msync,io_uring_setup", "-o", log}
	cmd := exec.Command("strace", append(strace, args...)...)
	cmd.Dir = dir
	o := start(t, cmd)()
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	calls, err := readTrace(f)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return calls, o
}

// writeBlockFolder is a folder with evidence/, where the program may touch nothing, and
// encryption.yaml beside it. Other files of captured stages, and scenarios, make it up.
func writeBlockFolder(t *testing.T) string {
	t.Helper()
	dir := extractShort(t, func(name string) bool {
		return strings.HasPrefix(name, "05-defragged/") || strings.HasPrefix(name, "12-killed/data-dir/") || name == "encryption-kmsv1.yaml"
	})
	root := filepath.Join(dir, "evidence")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"05-defragged", "12-killed"} {
		if err := os.Rename(filepath.Join(dir, stage), filepath.Join(root, stage)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "encryption-kmsv1.yaml"), filepath.Join(dir, "encryption.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"odd-keys", "deleted"} {
		scenario, err := fixtures.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(root, name)
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := scenario.Build(context.Background(), at); err != nil {
			t.Fatal(err)
		}
	}
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"cut.db": b[:400_000], "notes.txt": []byte("no evidence"), "empty": nil} {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// otherCommands are those that do more than print a report on standard output, and those
// that go wrong.
var otherCommands = [][]string{
	{"scan", "--output", "report.txt", "PATH"}, {"scan", "--no-wal", "--prefix", "/registry", "PATH"},
	{"list", "--output", "list.jsonl", "--format", "jsonl", "PATH"},
	{"show", "--reveal", "--output", "shown.yaml", "PATH", "/registry/namespaces/payments"},
	{"scan", "--output", "PATH/report.txt", "PATH"}, {"scan", "--output", "PATH", "PATH"},
	{"scan", "PATH", "PATH", "evidence/notes.txt", "evidence/empty", "evidence/missing"},
	{"scan", "--encryption-config", "PATH", "PATH"},
}

// The record of every command over every kind of evidence: it is opened for reading and
// read, and nothing else is done to it, by no name and no descriptor.
func TestWriteBlock(t *testing.T) {
	needStrace(t)
	dir := writeBlockFolder(t)
	root := filepath.Join(dir, "evidence")
	var runs [][]string
	add := func(commands [][]string, path string) {
		for _, command := range commands {
			args := on(command, path, "encryption.yaml")
			for i := range args {
				args[i] = strings.Replace(args[i], "PATH/", path+"/", 1)
			}
			runs = append(runs, args)
		}
	}
	const dataDir, segment = "evidence/05-defragged/data-dir", "/member/wal/0000000000000000-0000000000000000.wal"
	add(commands, dataDir)
	add(otherCommands, dataDir)
	add(plainCommands(), "evidence/05-defragged/snapshot.db")
	add(otherCommands[:4], "evidence/05-defragged/snapshot.db")
	add(plainCommands()[:6], dataDir+"/member/snap/db")
	add(plainCommands()[:6], dataDir+segment)
	for _, path := range []string{dataDir + "/member", "evidence/12-killed/data-dir", "evidence/odd-keys/snapshot.db", "evidence/odd-keys/data-dir",
		"evidence/deleted/snapshot.db", "evidence/deleted/data-dir", "evidence/cut.db"} {
		add(commands[10:11], path) // scan, with a configuration
	}
	before := snapshotOf(t, root)
	var mu sync.Mutex
	opened := map[string]bool{}
	t.Run("runs", func(t *testing.T) {
		for i, args := range runs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				calls, o := traced(t, dir, append([]string{programPath(t)}, args...)...)
				v := judge(calls, root, dir)
				for _, violation := range v.violations {
					t.Errorf("%v: %s", args, violation)
				}
				if o.status < 0 || o.status > 4 {
					t.Errorf("%v: %+v", args, o)
				}
				if len(v.opened) == 0 && o.status != 2 {
					t.Errorf("%v: no evidence is opened: the test looks at nothing", args)
				}
				mu.Lock()
				defer mu.Unlock()
				for path := range v.opened {
					opened[path] = true
				}
			})
		}
	})
	for path := range before {
		if name := filepath.Base(path); (strings.HasSuffix(name, "db") || strings.HasSuffix(name, ".wal")) && !opened[path] {
			t.Errorf("%s was not opened by any command", path)
		}
	}
	if after := snapshotOf(t, root); !equalStates(before, after) {
		t.Errorf("the evidence was\n%+v\nand is\n%+v", before, after)
	}
}

// snapshotOf is the state of all files and folders below root, by name.
func snapshotOf(t *testing.T, root string) map[string]string {
	t.Helper()
	states := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			states[evidence.RealPath(path)] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime(), evidence.ChangeTime(info))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}

func equalStates(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for path, state := range a {
		if b[path] != state {
			return false
		}
	}
	return true
}

// What must not be done to evidence is seen when another program does it.
func TestWriteBlockCatches(t *testing.T) {
	needStrace(t)
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("strace has other names for calls here")
	}
	for _, test := range []struct{ script, want string }{
		{"cat evidence/db >/dev/null; ls evidence >copy", ""},
		{"echo x >>evidence/db", "opened with O_WRONLY"},
		{"echo x >evidence/new", "opened with O_WRONLY"},
		{": <>evidence/db", "opened with O_RDWR"},
		{"truncate -s 0 evidence/db", "opened with O_WRONLY"},
		{"touch evidence/db", "opened with O_WRONLY"},
		{"touch -a -c evidence/db", "utimensat"},
		{"mv evidence/db evidence/other", "rename"},
		{"echo y >other; mv -f other evidence/db", "rename"},
		{"ln evidence/db other", "link"},
		{"ln -s db evidence/other", "symlink"},
		{"rm evidence/db", "unlink"},
		{"mkdir evidence/sub", "mkdir"},
		{"chmod 640 evidence/db", "fchmodat"},
		{"flock -n evidence/db true", "flock"},
		{"ln -s evidence/db way; echo x >>way", "opened with O_WRONLY"},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "evidence"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "evidence", "db"), []byte("evidence"), 0o600); err != nil {
			t.Fatal(err)
		}
		calls, o := traced(t, dir, "sh", "-c", test.script)
		v := judge(calls, filepath.Join(dir, "evidence"), dir)
		caught := slices.ContainsFunc(v.violations, func(s string) bool { return test.want != "" && strings.Contains(s, test.want) })
		if caught != (test.want != "") || test.want == "" && len(v.violations) > 0 {
			t.Errorf("%s: want %q, got %q (%+v)", test.script, test.want, v.violations, o)
		}
	}
}
