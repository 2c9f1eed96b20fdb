//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
	"github.com/etcdsift/etcdsift/reports"
)

// movingSize is that of the files that change while they are read: many windows, so that
// most of them are still to come when they do.
const movingSize = 48 << 20

// moving makes a file of that size which starts with a captured one, and zeros behind it.
func moving(t *testing.T, name, content string) string {
	t.Helper()
	b, err := captured.ReadFile(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b[:min(len(b), 4<<20)], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, movingSize); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that changes while it is read, in whatever way, is exit status 5, and the report
// has what was read.
func TestMovingEvidence(t *testing.T) {
	const segment = "0000000000000000-0000000000000000.wal"
	tests := []struct {
		name   string
		change func(path string) error
		want   string
		whole  bool // what was there at the start can still be read
	}{
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, "its size was 50331648 bytes and is 0", false},
		{"cut", func(path string) error { return os.Truncate(path, 8<<20+100) }, "its size was 50331648 bytes and is 8388708", true},
		{"grown", func(path string) error { return os.Truncate(path, 2*movingSize) }, "its size was 50331648 bytes and is 100663296", true},
		{"written to", func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(make([]byte, 8), movingSize-8)
			return err
		}, "its modification time is another", true},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+"~", nil, 0o600); err != nil {
				return err
			}
			return os.Rename(path+"~", path)
		}, "another file has taken its place", true},
		{"removed", os.Remove, "it is gone", true},
	}
	for _, file := range []struct{ name, content string }{
		{"db", "02-rewritten/data-dir/member/snap/db"}, {segment, "02-rewritten/data-dir/member/wal/" + segment},
	} {
		for _, tt := range tests {
			path := moving(t, file.name, file.content)
			found, err := evidence.Open([]string{path}, false)
			if err != nil {
				t.Fatal(err)
			}
			var once sync.Once
			var failed error
			r, err := scanSources(t.Context(), found.Sources, analyzer.Interest{Progress: func(_ report.Text, done, total int64) {
				if done > total/4 {
					once.Do(func() { failed = tt.change(path) })
				}
			}})
			found.Close()
			if err := errors.Join(err, failed); err != nil {
				t.Fatal(err)
			}
			e := r.Evidence[0]
			if r.Verdict.ExitStatus != report.ExitChanged || r.Verdict.Complete || e.Changed != tt.want {
				t.Errorf("%s, %s: %+v, changed: %q, want %q", file.name, tt.name, r.Verdict, e.Changed, tt.want)
			}
			if tt.whole && len(r.Exposures) < 50 {
				t.Errorf("%s, %s: %d exposures", file.name, tt.name, len(r.Exposures))
			}
			var out bytes.Buffer
			if err := (reports.Table{}).Write(&out, r); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "changed while it was read: "+tt.want) {
				t.Errorf("%s, %s: the table does not say so:\n%s", file.name, tt.name, out.String())
			}
		}
	}
}

// A failingReader is a file that the disk gives nothing of.
type failingReader struct{ err error }

func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

// A value that the disk does not give any more when it is to be shown is no wrong usage.
func TestShowUnreadable(t *testing.T) {
	e := &evidence.Set{Sources: []evidence.Source{{Path: "db", File: failingReader{os.ErrDeadlineExceeded}}}}
	if b, err := e.ReadCopy(report.Copy{Path: "db", Offset: 0x1234, Length: 10}); err == nil || err.Error() != "db: 10 bytes at offset 0x1234: i/o timeout" {
		t.Errorf("%q, %v", b, err)
	}
	var f showFlags
	h := &report.History{Copies: []report.Occurrence{{Copy: report.Copy{Path: "db", Length: 10, Complete: true}}}}
	err := f.show(nil, nil, e, h, nil)
	if s, ok := err.(*statusError); !ok || s.status != report.ExitIncomplete {
		t.Errorf("%v", err)
	}
}
