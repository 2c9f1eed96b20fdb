package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// endless is evidence that no scan is through with in the time of a test: a db with
// 256 GiB of nothing at its end.
func endless(t *testing.T) string {
	t.Helper()
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 256<<30); err != nil {
		t.Skipf("this file system has no large sparse files: %v", err)
	}
	return path
}

// A stalled configuration is a named pipe. The program reads its start, and then waits for
// more, as for a disk that does not answer.
func stalledConfig(t *testing.T) (path string, reading func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "encryption.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	fill := []byte(strings.Repeat("#", 1<<10))
	for {
		if _, err := syscall.Write(fd, fill); err != nil {
			break // the pipe is full
		}
	}
	return path, func() {
		eventually(t, "the configuration is read", func() bool {
			_, err := syscall.Write(fd, fill)
			return err == nil
		})
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

// soon is what a second may take on a machine that does much else.
const soon = 5 * time.Second

// A signal in the middle of a scan ends it, and nothing is left of its report.
func TestInterruptedScan(t *testing.T) {
	path := endless(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, command := range [][]string{{"scan", "--format", "json"}, {"list"}, {"show"}} {
			dir := t.TempDir()
			output := filepath.Join(dir, "report")
			if err := os.WriteFile(output, []byte("an older report"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append(command, "-o", output, path)
			if command[0] == "show" {
				args = append(args, "/registry/namespaces/payments")
			}
			cmd := exec.Command(programPath(t), args...)
			wait := start(t, cmd)
			eventually(t, "the evidence is read", func() bool { return cpuTime(t, cmd.Process.Pid) > 300*time.Millisecond })
			sent := time.Now()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			o := wait()
			took := time.Since(sent)
			if took > soon || o.status != 2 || o.stderr != "etcdsift: "+errInterrupted.Error()+"\n" {
				t.Errorf("%v, %v: after %v: %+v", sig, args, took, o)
			}
			t.Logf("%v, %v: after %v", sig, command, took)
			only(t, dir, "report", "an older report")
		}
	}
}

// only checks that a dir has one file, of that content.
func only(t *testing.T, dir, name, content string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%v in %s, want %s alone", entries, dir, name)
	}
	if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != content {
		t.Errorf("%s: %d bytes, %v", name, len(b), err)
	}
}

// A read that does not come back does not hold the program after a signal, and a second
// signal ends it at once.
func TestInterruptedRead(t *testing.T) {
	for _, signals := range []int{1, 2} {
		config, reading := stalledConfig(t)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "report"), []byte("an older report"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(programPath(t), "list", "-o", filepath.Join(dir, "report"), "--encryption-config", config, "evidence.db")
		wait := start(t, cmd)
		reading()
		sent := time.Now()
		for range signals {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // two that come at once are one
		}
		o := wait()
		took := time.Since(sent)
		switch {
		case signals == 1 && (o.status != 2 || o.stderr != "etcdsift: "+errInterrupted.Error()+"\n" || took < patience):
			t.Errorf("after %v: %+v", took, o)
		case signals == 2 && (o.signal != syscall.SIGINT || o.stderr != ""):
			t.Errorf("a second signal: after %v: %+v", took, o)
		case took > soon:
			t.Errorf("after %v", took)
		}
		only(t, dir, "report", "an older report")
	}
}

// A pipe that nobody reads any more ends the program as it ends others, with no word.
func TestBrokenPipe(t *testing.T) {
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list", path}, {"scan", "--format", "json", path}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(programPath(t), args...)
		cmd.Stdout = w
		wait := start(t, cmd)
		if err := errors.Join(w.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if o := wait(); o.signal != syscall.SIGPIPE || o.stderr != "" {
			t.Errorf("%v: %+v", args, o)
		}
	}
}
