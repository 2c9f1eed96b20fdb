package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// Whether an exposed Secret is still in use is what its writes say: each put a marker of
// its own into the values, and a rewrite keeps the marker.
func TestValidityTruth(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	writes, err := captured.Writes()
	if err != nil {
		t.Fatal(err)
	}
	dir := extractShort(t, func(name string) bool {
		return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, "/snapshot.db")
	})
	seen := map[report.Use]int{}
	for _, stage := range stages {
		if stage.Config == "" || stage.Killed {
			continue
		}
		path, config := filepath.Join(dir, filepath.FromSlash(stage.Snapshot())), filepath.Join(dir, stage.Config)
		var r report.Report
		runJSON(t, &r, "scan", "--format", "json", "--resources", "secrets", "--encryption-config", config, path)
		for _, x := range r.Exposures {
			want := useOf(stage, writes, x)
			seen[want]++
			if x.Validity == nil {
				t.Errorf("%s, %s: nothing is said, want %s", stage.Dir, x.Key, want)
				continue
			}
			changed := slices.ContainsFunc(x.Validity.DataKeys, func(d report.DatumUse) bool { return d.Status == report.Changed })
			// A Secret has data without a marker too, such as a user's name that stays.
			if got := x.Validity.Status; got != want && !(want == report.Changed && changed) {
				t.Errorf("%s, %s is %s, want %s: %+v", stage.Dir, x.Key, got, want, x.Validity.DataKeys)
			}
		}
	}
	for _, use := range []report.Use{report.Unchanged, report.Changed, report.Gone} {
		if seen[use] == 0 {
			t.Errorf("no exposed Secret is %s: the test looks at nothing", use)
		}
	}
}

// useOf is whether an exposed Secret is still in use at a stage, by the markers of the
// revisions that have plaintext copies.
func useOf(stage captured.Stage, writes []captured.Write, x report.Exposure) report.Use {
	stored, live := stage.Secrets[string(x.Key)]
	if !live {
		return report.Gone
	}
	var exposed []string
	now := ""
	for _, w := range writes {
		if w.Namespace != string(x.Namespace) || w.Name != string(x.Name) || w.Revision > stage.Revision {
			continue
		}
		if w.Op != "delete" {
			now = w.Canary
		}
		if slices.ContainsFunc(x.Copies, func(c *report.Copy) bool { return c.ModRevision == w.Revision && w.Revision > 0 }) {
			exposed = append(exposed, w.Canary)
		}
	}
	switch {
	case strings.HasPrefix(stored.Provider, "kms-"), len(exposed) == 0:
		return report.UseUnknown // nobody answers for the keys of a KMS here
	case slices.Contains(exposed, now):
		return report.Unchanged
	}
	return report.Changed
}
