package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A write in the tick of the clock in which the file was looked at does not hide behind the
// modification time that both have.
func TestChangedInOneTick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for range 20 {
		if err := os.WriteFile(path, bytes.Repeat([]byte("a"), 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		before, err := settled(f)
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(before.ModTime()); age < tick {
			t.Errorf("read %v after it was written", age)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("b"), 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed(path, before) == "" {
			t.Error("not noticed")
		}
		_ = f.Close()
	}
}
