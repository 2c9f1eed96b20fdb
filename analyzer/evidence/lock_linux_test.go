package evidence

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFindLock(t *testing.T) {
	const locks = `1: FLOCK  ADVISORY  WRITE 2483 fe:00:9977978 0 EOF
1: -> FLOCK  ADVISORY  WRITE 11 fe:00:1 0 EOF
2: OFDLCK ADVISORY  WRITE -1 fe:00:9977979 0 EOF
3: POSIX  ADVISORY  READ  7 fe:00:2 128 128
4: POSIX  ADVISORY  WRITE 8 fe:00:3 0 0
5: LEASE  ACTIVE    WRITE 9 fe:00:4 0 EOF
6: FLOCK  ADVISORY  WRITE x fe:00:5 0 EOF
7: FLOCK
8: FLOCK  ADVISORY  READ  10 fe:00:6 0 EOF
9: FLOCK  ADVISORY  WRITE 12 fe:00:6 0 EOF
`
	tests := []struct {
		id  string
		pid int
		ok  bool
	}{
		{"fe:00:9977978", 2483, true},
		{"fe:00:9977979", -1, true},
		{"fe:00:997797", 0, false},
		{"fe:01:9977978", 0, false},
		{"fe:00:1", 0, false}, // waits
		{"fe:00:2", 0, false}, // reads
		{"fe:00:3", 8, true},
		{"fe:00:4", 0, false}, // no lock
		{"fe:00:5", 0, false},
		{"fe:00:6", 12, true},
	}
	for _, tt := range tests {
		if pid, ok := findLock([]byte(locks), tt.id); pid != tt.pid || ok != tt.ok {
			t.Errorf("%s: %d, %v, want %d, %v", tt.id, pid, ok, tt.pid, tt.ok)
		}
	}
}

// The locks of this process are found by the file, whatever its name, and only while they
// are held for writing.
func TestWriteLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	holder, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	f, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := fmt.Sprintf("process %d (", os.Getpid())
	for _, step := range []struct {
		how  int
		held bool
	}{{syscall.LOCK_SH, false}, {syscall.LOCK_EX, true}, {syscall.LOCK_UN, false}} {
		if err := syscall.Flock(int(holder.Fd()), step.how); err != nil {
			t.Fatal(err)
		}
		if got := writeLock(f); strings.HasPrefix(got, want) != step.held || got != "" != step.held {
			t.Errorf("flock %d: %q", step.how, got)
		}
	}
}
