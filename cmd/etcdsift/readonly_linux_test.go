package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// nobody is a user who owns nothing.
const nobody = 65534

// asNobody makes a command run as nobody, if this is root.
func asNobody(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// readableFolder is a folder that any user may look into, with data-dir/, snapshot.db and
// encryption.yaml in it.
func readableFolder(t *testing.T) string {
	t.Helper()
	dir := extractShort(t, func(name string) bool {
		return strings.HasPrefix(name, "05-defragged/") || name == "encryption-kmsv1.yaml"
	})
	if err := os.Rename(filepath.Join(dir, "encryption-kmsv1.yaml"), filepath.Join(dir, "05-defragged", "encryption.yaml")); err != nil {
		t.Fatal(err)
	}
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "05-defragged")
}

// eachFile calls f for all files and folders in dir, the folders last.
func eachFile(t *testing.T, dir string, f func(path string, d fs.DirEntry) error) {
	t.Helper()
	var folders []string
	entries := map[string]fs.DirEntry{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		folders, entries[path] = append(folders, path), d
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := len(folders) - 1; i >= 0; i-- {
		inside, err := os.ReadDir(folders[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range inside {
			if !d.IsDir() {
				if err := f(filepath.Join(folders[i], d.Name()), d); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := f(folders[i], entries[folders[i]]); err != nil {
			t.Fatal(err)
		}
	}
}

// restrict gives all in dir to nobody, if this is root, who alone may read it then; and
// makes its access times old.
func restrict(t *testing.T, dir string, file, folder fs.FileMode) {
	t.Helper()
	t.Cleanup(func() { // for the folder to be removed
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(path, 0o700)
			}
			return nil
		})
	})
	eachFile(t, dir, func(path string, d fs.DirEntry) error {
		mode := file
		if d.IsDir() {
			mode = folder
		}
		if file == 0o400 && os.Getuid() == 0 {
			if err := os.Chown(path, nobody, nobody); err != nil {
				return err
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, oldAccess, modification)
	})
}

// plainCommands are all commands, in one format.
func plainCommands() [][]string {
	return slices.DeleteFunc(slices.Clone(commands), func(command []string) bool { return slices.Contains(command, "--format") })
}

// commandsOn are those on the data dir and on the snapshot, half of them on each.
func commandsOn() (all [][]string) {
	for i, command := range plainCommands() {
		all = append(all, on(command, []string{"data-dir", "snapshot.db"}[i%2], "encryption.yaml"))
	}
	return all
}

// A read-only mount is read as any other: nothing that a report needs is written there.
func TestReadOnlyMount(t *testing.T) {
	dir := readableFolder(t)
	const script = `
dir=$1; shift
mount --bind "$dir" "$dir"
mount -o remount,bind,ro "$dir"
cd "$dir"
if touch x 2>/dev/null; then echo "not read-only"; exit 99; fi
exec "$@"`
	for _, args := range commandsOn() {
		plain := exec.Command(programPath(t), args...)
		plain.Dir = dir
		want := start(t, plain)()
		got := start(t, inNamespace(t, script, append([]string{dir, programPath(t)}, args...)...))()
		if got != want || got.status > 1 || got.stdout == "" {
			t.Errorf("%v: exit status %d, %s, want %d; the same output: %v", args, got.status, got.stderr, want.status, got.stdout == want.stdout)
		}
	}
}

// Who may read the evidence, and no more, gets the same report. As its owner, the access
// times stay.
func TestUnprivileged(t *testing.T) {
	dir := readableFolder(t)
	want := map[string]outcome{}
	for _, args := range commandsOn() {
		cmd := exec.Command(programPath(t), args...)
		cmd.Dir = dir
		want[fmt.Sprint(args)] = start(t, cmd)()
	}
	restrict(t, dir, 0o400, 0o500)
	for _, args := range commandsOn() {
		cmd := exec.Command(programPath(t), args...)
		cmd.Dir = dir
		asNobody(cmd)
		got := start(t, cmd)()
		if got != want[fmt.Sprint(args)] || got.status > 1 || got.stdout == "" {
			t.Errorf("%v: %+v, want %+v", args, got, want[fmt.Sprint(args)])
		}
		if times := accessTimes(t, dir); len(times) > 0 {
			t.Errorf("%v: access times: %v", args, times)
		}
	}
}

// accessTimes are those that are no longer as old as they were made.
func accessTimes(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	times := map[string]time.Time{}
	eachFile(t, dir, func(path string, d fs.DirEntry) error {
		info, err := d.Info()
		if err == nil && !d.IsDir() && !evidence.AccessTime(info).Equal(oldAccess) { // those of folders this test changes itself
			times[path] = evidence.AccessTime(info)
		}
		return err
	})
	return times
}

// Who does not own the evidence can not keep its access time: it is read all the same, and
// that is said.
func TestNotTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become a user who owns nothing")
	}
	dir := readableFolder(t)
	for i, args := range [][]string{{"scan", "snapshot.db"}, {"list", "snapshot.db"}, {"info", "data-dir"}, {"show", "snapshot.db", "/registry/namespaces/payments"}} {
		cmd := exec.Command(programPath(t), args...)
		cmd.Dir = dir
		want := start(t, cmd)()
		restrict(t, dir, 0o444, 0o555)
		cmd = exec.Command(programPath(t), args...)
		cmd.Dir = dir
		asNobody(cmd)
		got := start(t, cmd)()
		if got.status != want.status || got.stdout != want.stdout {
			t.Errorf("%v: exit status %d, want %d; the same output: %v", args, got.status, want.status, got.stdout == want.stdout)
		}
		changed := accessTimes(t, dir)
		if len(changed) == 0 {
			t.Skip("this file system keeps no access times")
		}
		name := []string{"snapshot.db", "snapshot.db", "member/snap/db and 1 more", "snapshot.db"}[i]
		note := "etcdsift: note: reading " + name + " has changed its access time"
		if !strings.HasPrefix(strings.ReplaceAll(got.stderr, "their", "its"), note) {
			t.Errorf("%v: %v, and %q", args, changed, got.stderr)
		}
	}
}

// Neither a dir nor a file that may not be written is written by way of a rename.
func TestOutputWithoutPermission(t *testing.T) {
	dir := readableFolder(t)
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"closed", "open"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "report"), []byte("an older report"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restrict(t, dir, 0o400, 0o500)
	if err := os.Chmod(filepath.Join(dir, "open"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"closed/new", "closed/report", "open/report"} {
		cmd := exec.Command(programPath(t), "scan", "-o", output, "db")
		cmd.Dir = dir
		asNobody(cmd)
		want := fmt.Sprintf("etcdsift: %s: the report could not be written: permission denied\n", output)
		if o := start(t, cmd)(); o.status != 2 || o.stderr != want {
			t.Errorf("-o %s: %+v, want %s", output, o, want)
		}
		only(t, filepath.Join(dir, filepath.Dir(output)), "report", "an older report")
	}
}
