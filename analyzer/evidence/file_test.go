package evidence

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// Whatever changes a file is noticed. That this is exit status 5 is a test of
// package analyzer.
func TestChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot.db")
	b, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	changes := map[string]func() error{
		"grown":    func() error { return os.WriteFile(path, append(b, make([]byte, 4096)...), 0o600) },
		"touched":  func() error { return os.Chtimes(path, old, old) },
		"replaced": func() error { return os.Rename(filepath.Join(dir, "other"), path) },
		"removed":  func() error { return os.Remove(path) },
		"mode":     func() error { return os.Chmod(path, 0o644) },
	}
	for name, change := range changes {
		for _, file := range []string{"snapshot.db", "other"} {
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open([]string{path}, false)
		if err != nil {
			t.Fatal(err)
		}
		if what := s.Sources[0].Changed(); what != "" {
			t.Errorf("%s: changed before anything was done: %s", name, what)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if s.Sources[0].Changed() == "" {
			t.Errorf("%s: not noticed", name)
		}
		s.Close()
	}
}
