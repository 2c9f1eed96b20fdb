package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// Neither a signal nor the sudden death of the program while bbolt reads leaves a copy of
// the evidence, or bbolt, behind.
func TestSecondWitnessInterrupted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			emptyTmp(t)
			path := writeFile(t, fixtures.Labyrinth())
			var stdout, stderr bytes.Buffer
			cmd := exec.Command("etcdsift", "scan", "--second-witness", path) // in PATH, by package testscript
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			child := waitFor(t, func() string { return children(t, cmd.Process.Pid) })
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			err := cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || time.Since(start) > 5*time.Second || stdout.Len() > 0 {
				t.Errorf("%v after %v: %s", err, time.Since(start), stdout.String())
			}
			if signal != syscall.SIGKILL && (exit.ExitCode() != report.ExitUsage || !strings.Contains(stderr.String(), "interrupted before the whole report was written")) {
				t.Errorf("%v: %s", err, stderr.String())
			}
			waitFor(t, func() string {
				if state := stateOfProcess(child); state == "" || state == "Z" {
					return "gone"
				}
				return ""
			})
		})
	}
}

// waitFor asks until there is an answer.
func waitFor(t *testing.T, ask func() string) string {
	t.Helper()
	for range 200 {
		if answer := ask(); answer != "" {
			return answer
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no answer in 10 seconds")
	return ""
}

// children is the first process that the process has started, empty for none.
func children(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, _ := os.ReadFile(file) // a thread may have ended
		if ids := strings.Fields(string(b)); len(ids) > 0 {
			return ids[0]
		}
	}
	return ""
}

// stateOfProcess is a letter such as R, S or Z, empty where there is no such process.
func stateOfProcess(pid string) string {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return state[:1]
}

// The evidence is only read, by this program alone: who holds its lock does not matter,
// and neither its bytes nor its times change.
func TestSecondWitnessTouchesNothing(t *testing.T) {
	emptyTmp(t)
	path := writeFile(t, bareSnapshot(t, "deleted"))
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	setAge(t, path)
	before := stateOf(t, path)
	setAge(t, path) // stateOf has read it
	holder, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if err := syscall.Flock(int(holder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	dirBefore := modified(t, filepath.Dir(path))
	r, _ := scanWitnessed(t, path)
	if w := r.Evidence[0].SecondWitness; w.Result != report.WitnessAgrees || r.Verdict.ExitStatus != report.ExitFindings {
		t.Errorf("%+v, %+v", r.Verdict, w)
	}
	if after := stateOf(t, path); after != before {
		t.Errorf("was %+v, is %+v", before, after)
	}
	if modified(t, filepath.Dir(path)) != dirBefore {
		t.Error("something was written beside the evidence")
	}
}

func modified(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime().UnixNano()
}

// Where there is no room for a copy, nothing is begun.
func TestSecondWitnessWithoutRoom(t *testing.T) {
	emptyTmp(t)
	path := writeFile(t, bareSnapshot(t, "deleted"))
	if err := os.Truncate(path, 8<<40); err != nil {
		t.Skipf("no file of 8 TiB can be made here: %v", err)
	}
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), []string{"scan", "--second-witness", path}, &stdout, &stderr)
	if want := "a private copy of 8796093022208 bytes is needed"; status != report.ExitUsage || stdout.Len() > 0 || !strings.Contains(stderr.String(), want) {
		t.Errorf("exit status %d: %s", status, stderr.String())
	}
}
