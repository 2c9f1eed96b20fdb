package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the path of the program as users have it, built once for all tests that run
// it as a process of its own. Any user may run it. It lies beside the commands of the
// scripts, and is removed with them.
var program = sync.OnceValues(func() (string, error) {
	command, err := exec.LookPath("etcdsift")
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(filepath.Dir(command))
	path := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Chmod(dir, 0o755)
})

func programPath(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// An outcome is what is seen of a process that has ended.
type outcome struct {
	status         int            // -1 if a signal ended it
	signal         syscall.Signal // 0 if none did
	stdout, stderr string
}

// start starts a process; wait returns when it has ended.
func start(t *testing.T, cmd *exec.Cmd) (wait func() outcome) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() outcome {
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Error(err)
		}
		o := outcome{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
			o.signal = ws.Signal()
		}
		return o
	}
}

// cpuTime is how much a process has computed so far.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// Behind the name, which may hold anything, the times are the 12th and 13th field,
	// in hundredths of a second.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
