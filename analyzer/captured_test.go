package analyzer

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// The provider and key name of every live Secret of a real cluster, at every
// stage of a migration, in the snapshot and in the data dir.
func TestCaptured(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	isDB := func(name string) bool {
		return strings.HasSuffix(name, "/snapshot.db") || strings.HasSuffix(name, "/snap/db")
	}
	if err := captured.Extract(dir, isDB); err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		for _, name := range []string{stage.Snapshot(), stage.DB()} {
			if name == "" {
				continue
			}
			t.Run(name, func(t *testing.T) { testStage(t, stage, filepath.Join(dir, filepath.FromSlash(name))) })
		}
	}
}

func testStage(t *testing.T, stage captured.Stage, path string) {
	r, values := run(t, Options{FailOn: report.SeverityHigh}, open(t, path))
	if len(r.Coverage.Damage) > 0 || r.Coverage.BytesRead != r.Coverage.Bytes {
		t.Errorf("coverage: %+v", r.Coverage)
	}
	if stage.Killed {
		return // nothing is known of what was live
	}
	got := map[string]captured.Stored{}
	for _, v := range values {
		if v.Resource == "secrets" {
			got[string(v.Key)] = captured.Stored{Provider: v.Provider.String(), KeyName: string(v.KeyName)}
		}
	}
	if diff := cmp.Diff(stage.Secrets, got); diff != "" {
		t.Errorf("live Secrets (-want +got):\n%s", diff)
	}
	if len(values) != stage.Keys {
		t.Errorf("%d live keys, want %d", len(values), stage.Keys)
	}
	testExposures(t, stage, r, path)
	e := r.Evidence[0]
	if e.StorageVersion != "3.7.0" || e.PageSize != 4096 || len(e.SHA256) != 64 {
		t.Errorf("evidence: %+v", e)
	}
	if snapshot := strings.HasSuffix(path, "snapshot.db"); snapshot != (e.SnapshotHash == report.HashValid) || snapshot != (e.Kind == report.KindSnapshot) || e.Revision < stage.Revision {
		t.Errorf("evidence of revision %d: %+v", stage.Revision, e)
	}
}

// testExposures checks that the Secrets whose newest value is plaintext are told
// from those with an older plaintext copy alone, and that each copy is where the report
// says.
func testExposures(t *testing.T, stage captured.Stage, r *allAnswers, path string) {
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := 0
	for _, x := range r.Exposures {
		stored, live := stage.Secrets[string(x.Key)]
		status, state := report.StatusExposed, report.StateLive
		if stored.Provider == "identity" {
			status = report.StatusPlaintext
			plain++
		}
		if !live {
			state = report.StateDeleted
		}
		if x.Type == "" || len(x.DataKeys) == 0 || x.Status != status || x.State != state || (x.Status == report.StatusPlaintext) != hasRegion(x, report.RegionLive) {
			t.Errorf("exposure: %+v", x)
		}
		for _, c := range x.Copies {
			value := file[c.Offset : c.Offset+c.Length]
			if c.Complete && (!bytes.HasPrefix(value, []byte("k8s\x00")) || !bytes.Contains(value, []byte("CNRY-"))) {
				t.Errorf("%s: offset %#x holds no plaintext Secret", x.Key, c.Offset)
			}
		}
	}
	unattributed := 0
	for _, e := range r.Coverage.Unattributed {
		if e.LooksLike != report.LooksRandom {
			unattributed++
		}
	}
	if diff := cmp.Diff(wantVerdict(stage, plain, len(r.Exposures)-plain, unattributed), r.Verdict); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	for _, stored := range stage.Secrets {
		if stored.Provider == "identity" {
			plain--
		}
	}
	if plain != 0 {
		t.Errorf("%d too many or too few Secrets are plaintext", plain)
	}
}

// wantVerdict is the verdict on a stage with so many Secrets whose newest value is plaintext, and
// so many others that have another copy, and so many pieces that belong to nothing known.
func wantVerdict(stage captured.Stage, plain, exposed, unattributed int) report.Verdict {
	v := report.Verdict{Complete: true, Reasons: []report.Reason{}, LeftOut: []report.LeftOut{}}
	add := func(s report.Status, n int) {
		if n > 0 {
			v.Reasons = append(v.Reasons, report.Reason{Status: s, Count: n})
		}
	}
	add(report.StatusPlaintext, plain)
	add(report.StatusExposed, exposed)
	if len(v.Reasons) > 0 {
		v.ExitStatus = report.ExitFindings
	}
	for _, stored := range stage.Secrets {
		if stored.Provider == "kms-v1" { // Kubernetes deprecates it
			add(report.StatusFindings, 1)
			break
		}
	}
	add(report.StatusUnattributed, unattributed)
	if len(v.Reasons) == 0 {
		add(report.StatusClean, len(stage.Secrets))
	}
	v.Status = v.Reasons[0].Status
	return v
}

func hasRegion(x report.Exposure, region report.Region) bool {
	return slices.ContainsFunc(x.Copies, func(c *report.Copy) bool { return c.Region == region })
}

// Several snapshots of one cluster: what the newer one holds encrypted or deleted
// is still exposed by the older one.
func TestCapturedTwo(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	for _, recent := range []captured.Stage{stages[2], stages[3]} { // before and after compaction
		testTwo(t, stages[0], recent)
	}
}

func testTwo(t *testing.T, old, recent captured.Stage) {
	want := map[report.Text]report.Status{}
	for key := range old.Secrets {
		want[report.Text(key)] = report.StatusExposed // encrypted or deleted in the newer one
	}
	for _, order := range [][]captured.Stage{{old, recent}, {recent, old}} {
		var sources []evidence.Source
		for _, stage := range order {
			s := open(t, extract(t, stage.Snapshot()))
			s.Path = report.Text(stage.Snapshot())
			sources = append(sources, s)
		}
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, sources...)
		got := map[report.Text]report.Status{}
		for _, x := range r.Exposures {
			got[x.Key] = x.Status
			_, lives := recent.Secrets[string(x.Key)]
			inOld := slices.ContainsFunc(x.Copies, func(c *report.Copy) bool {
				return c.Path == report.Text(old.Snapshot()) && c.Region == report.RegionLive
			})
			if _, lived := old.Secrets[string(x.Key)]; lives != (x.State == report.StateLive) || lived != inOld {
				t.Errorf("%+v", x)
			}
			if !inOld {
				delete(got, x.Key) // deleted before the old one was taken, or written after
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("exposures (-want +got):\n%s", diff)
		}
		if r.Verdict.Status != report.StatusExposed || r.Verdict.ExitStatus != report.ExitFindings || len(r.Evidence) != 2 {
			t.Errorf("verdict %+v on %d pieces of evidence", r.Verdict, len(r.Evidence))
		}
	}
}
