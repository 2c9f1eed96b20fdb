package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// emptyTmp makes the dir for temporary files a new one, in which nothing may be left.
func emptyTmp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			t.Errorf("left behind in TMPDIR: %v, %v", entries, err)
		}
	})
}

// scanWitnessed scans with the second witness and returns the report.
func scanWitnessed(t *testing.T, paths ...string) (r report.Report, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(context.Background(), append([]string{"scan", "--second-witness", "--format=json"}, paths...), &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit status %d, %s: %v", status, errs.String(), err)
	}
	if r.Verdict.ExitStatus != status {
		t.Errorf("exit status %d, the report says %d", status, r.Verdict.ExitStatus)
	}
	checkSchema(t, "", out.Bytes())
	return r, errs.String()
}

// scenario makes the evidence of a scenario, and reads its snapshot without the hash.
func bareSnapshot(t *testing.T, name string) []byte {
	t.Helper()
	s, err := fixtures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := s.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(ev.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return b[:len(b)-32]
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whatever is broken in a file, and whatever bbolt does with it, is a line in a whole
// report.
func TestSecondWitnessOfDamage(t *testing.T) {
	emptyTmp(t)
	db := bareSnapshot(t, "deleted")
	damages, err := fixtures.Damages(db)
	if err != nil {
		t.Fatal(err)
	}
	results := map[report.WitnessResult]int{}
	for _, d := range damages {
		t.Run(d.Name, func(t *testing.T) {
			broken, _, err := d.Apply(db)
			if err != nil || len(broken) < 4096 {
				t.Skip("no db is left")
			}
			r, _ := scanWitnessed(t, writeFile(t, broken))
			w := r.Evidence[0].SecondWitness
			if r.Verdict.ExitStatus != report.ExitIncomplete || w == nil {
				t.Fatalf("%+v, %+v", r.Verdict, w)
			}
			t.Logf("%s: %d problems %q: %s", w.Result, len(w.Problems), w.Problems[:min(len(w.Problems), 2)], w.Detail)
			results[w.Result]++
			for _, d := range r.Coverage.Damage {
				if strings.HasPrefix(d.What, "second witness") {
					t.Errorf("only the second witness sees that the file is damaged: %s", d.What)
				}
			}
		})
	}
	if results[report.WitnessFailed] == 0 || results[report.WitnessDiffers] == 0 || results[report.WitnessAgrees] == 0 {
		t.Errorf("results %v: the test does not see them all", results)
	}
}
