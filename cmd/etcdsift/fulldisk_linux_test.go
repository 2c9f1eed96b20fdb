package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// unshare is the command that runs another in a mount namespace of its own: what that
// mounts, nobody else sees. It is an error where that is not allowed.
var unshare = sync.OnceValues(func() ([]string, error) {
	command := []string{"unshare", "-m"}
	if os.Getuid() != 0 {
		command = append(command, "-r")
	}
	try := append(slices.Clone(command), "mount", "-t", "tmpfs", "none", os.TempDir())
	if out, err := exec.Command(try[0], try[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w %s", err, out)
	}
	return command, nil
})

// inNamespace is a shell script in a mount namespace. The test is skipped where there can
// be none.
func inNamespace(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	command, err := unshare()
	if err != nil {
		t.Skipf("no mount namespaces here: %v", err)
	}
	all := slices.Concat(command, []string{"sh", "-euc", script, "sh"}, args)
	return exec.Command(all[0], all[1:]...)
}

// Where the disk is full, the report that was there stays, and nothing else is left.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "db")
	if err := os.WriteFile(db, b, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
dir=$1; shift
mount -t tmpfs -o size=64k none "$dir"
echo "an older report" >"$dir/report"
status=0
"$@" || status=$?
echo "$status"
ls -A "$dir"
cat "$dir/report"`
	mountPoint := filepath.Join(dir, "full")
	if err := os.Mkdir(mountPoint, 0o755); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(mountPoint, "report")
	for _, args := range [][]string{
		{"scan", "--format", "json", "-o", output, db}, {"list", "--format", "jsonl", "-o", output, db},
	} {
		o := start(t, inNamespace(t, script, append([]string{mountPoint, programPath(t)}, args...)...))()
		if o.stdout != "2\nreport\nan older report\n" {
			t.Errorf("%v: %+v", args, o)
		}
		if want := "etcdsift: " + output + ": the report could not be written: no space left on device\n"; !strings.HasSuffix(o.stderr, want) {
			t.Errorf("%v: %q, want %q", args, o.stderr, want)
		}
	}
	// What does fit shows that the disk is not just full of nothing.
	if o := start(t, inNamespace(t, script, mountPoint, programPath(t), "info", "-o", output, db))(); !strings.HasPrefix(o.stdout, "0\nreport\npath ") {
		t.Errorf("%+v", o)
	}
}
