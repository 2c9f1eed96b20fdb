package analyzer

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
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

// Options are an Interest, and what the questions take: for tests that ask all of them.
type Options struct {
	Resources   []resource.GroupResource
	Prefixes    []string
	FailOn      report.Severity
	AllowEmpty  bool
	Key         report.Text
	Encryption  *encryption.Config
	Keys        bool
	Retire      []string
	Label       func(provider report.Provider, name, kmsKeyID report.Text) string
	NotExamined []report.NotExamined
	NotEvidence []report.NotExamined
	Values      func(report.Value) error
	Witness     Witness
	Progress    func(path report.Text, done, total int64)

	maxNonces int
}

func (o Options) interest() Interest {
	return Interest{Resources: o.Resources, Prefixes: o.Prefixes, Key: o.Key, Encryption: o.Encryption, Keys: o.Keys,
		NotExamined: o.NotExamined, NotEvidence: o.NotEvidence, Witness: o.Witness, Progress: o.Progress, maxNonces: o.maxNonces}
}

// allAnswers are those of one reading to all questions that Options ask.
type allAnswers struct {
	*report.Report
	Keys    []report.KeyUse
	Retire  []report.Retirement
	History *report.History
}

// askAll reads the sources, and asks all questions, Scan last. With keys to retire the exit status
// is that of Keys.
func askAll(ctx context.Context, sources []evidence.Source, o Options) (*allAnswers, error) {
	r, err := Read(ctx, sources, o.interest())
	if err != nil {
		return nil, err
	}
	var a allAnswers
	if o.Values != nil {
		if _, err := r.Values(ctx, o.Values); err != nil {
			return nil, err
		}
	}
	if o.Key != "" {
		h, err := r.History(ctx)
		if err != nil {
			return nil, err
		}
		a.History = &h.History
	}
	status := report.ExitClean
	if o.Keys {
		k, err := r.Keys(ctx, KeysOptions{Retire: o.Retire, Label: o.Label})
		if err != nil {
			return nil, err
		}
		a.Keys, a.Retire, status = k.Keys, k.Retire, k.Verdict.ExitStatus
	}
	if a.Report, err = r.Scan(ctx, ScanOptions{FailOn: o.FailOn, AllowEmpty: o.AllowEmpty}); err != nil {
		return nil, err
	}
	if len(o.Retire) > 0 {
		a.Verdict.ExitStatus = status
	}
	return &a, nil
}

// run asks all questions, and collects the values.
func run(t testing.TB, o Options, sources ...evidence.Source) (*allAnswers, []report.Value) {
	t.Helper()
	var values []report.Value
	o.Values = func(v report.Value) error { values = append(values, v); return nil }
	r, err := askAll(context.Background(), sources, o)
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

var configmaps = resource.GroupResource{Resource: "configmaps"}

// withLog makes a db and a WAL those of one member.
func withLog(db, log evidence.Source) []evidence.Source {
	db.Kind, db.Member, log.Member = report.KindDB, "member", "member"
	return []evidence.Source{db, log}
}

// offsets are where b holds part.
func offsets(b, part []byte) []int {
	var all []int
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], part)
		if i < 0 {
			return all
		}
		at += i
		all = append(all, at)
	}
}

// of are the findings of a rule.
func of(r *allAnswers, rule report.RuleID) []report.Finding {
	var found []report.Finding
	for _, f := range r.Findings {
		if f.Rule == rule {
			found = append(found, f)
		}
	}
	return found
}
