package evidence_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// scan asks what can be read from the files of a set.
func scan(s *evidence.Set) (*report.Report, error) {
	r, err := analyzer.Read(context.Background(), s.Sources, analyzer.Interest{NotExamined: s.NotExamined})
	if err != nil {
		return nil, err
	}
	return r.Scan(context.Background(), analyzer.ScanOptions{})
}

// A file that goes away between the listing of its dir and its opening was evidence.
func TestGoneBeforeOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0000000000000000-0000000000000000.wal")
	if err := os.WriteFile(path, []byte("whatever"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s := &evidence.Set{}
	s.OpenListed(path, "x.wal", info)
	r, err := scan(s)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Coverage.NotExamined; r.Verdict.ExitStatus != report.ExitChanged || len(n) != 1 || !strings.HasPrefix(n[0].What, "it is gone") {
		t.Errorf("%+v %+v", r.Verdict, n)
	}
	if len(r.Evidence)+len(r.Coverage.Damage) > 0 {
		t.Errorf("facts on a file that nobody read: %+v, %+v", r.Evidence, r.Coverage.Damage)
	}
}

// Of a file that could not be opened nothing is said but that: it has no kind, no hash and
// no damage.
func TestUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, []byte("whatever"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &evidence.Set{}
	if why := s.AddFile(path+"\x00", "snapshot.db", info); why != "" { // as root, no mode keeps a file from being read
		t.Fatal(why)
	}
	r, err := scan(s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict.ExitStatus != 4 || r.Verdict.Complete || len(r.Coverage.Damage) > 0 || len(r.Evidence) > 0 {
		t.Errorf("%+v %+v %+v", r.Verdict, r.Coverage, r.Evidence)
	}
	if n := r.Coverage.NotExamined; len(n) != 1 || !n[0].Unread || n[0].Path != "snapshot.db" || !strings.Contains(n[0].What, "invalid argument") {
		t.Errorf("%+v", n)
	}
}
