package analyzer

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// open opens a file as a Source; the test closes it.
func open(t testing.TB, path string) evidence.Source {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Source{Path: report.Text(filepath.Base(path)), File: f, Size: info.Size()}
}

// inMemory is bytes as a Source.
func inMemory(b []byte) evidence.Source {
	return evidence.Source{Path: "db", File: bytes.NewReader(b), Size: int64(len(b))}
}

// run runs the analysis and collects the values.
func run(t testing.TB, o Options, sources ...evidence.Source) (*report.Report, []report.Value) {
	t.Helper()
	var values []report.Value
	o.Values = func(v report.Value) error { values = append(values, v); return nil }
	r, err := Run(context.Background(), sources, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, values
}

// build makes the evidence of a scenario.
func build(t testing.TB, s fixtures.Scenario) fixtures.Evidence {
	t.Helper()
	e, err := s.Build(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// files are the db files of a piece of evidence.
func files(e fixtures.Evidence) []string {
	var paths []string
	if e.Snapshot != "" {
		paths = append(paths, e.Snapshot)
	}
	if e.DB() != "" {
		paths = append(paths, e.DB())
	}
	return paths
}

// extract unpacks a file of the captured evidence.
func extract(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := captured.Extract(dir, func(n string) bool { return n == name }); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

var configmaps = object.GroupResource{Resource: "configmaps"}
