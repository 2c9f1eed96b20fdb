package analyzer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// What the word of a second witness does to the verdict: nothing where it agrees, and
// else a run is incomplete. It is damage only in a file that shows none of its own.
func TestSecondWitness(t *testing.T) {
	healthy := snapshotBytes(t, "empty")
	broken, _, err := fixtures.CorruptMeta(1).Apply(healthy)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		db      []byte
		word    report.SecondWitness
		result  report.WitnessResult
		damaged bool // by what the witness says
		status  int
	}{
		{"agrees", healthy, report.SecondWitness{Result: report.WitnessAgrees}, report.WitnessAgrees, false, report.ExitClean},
		{"differs", healthy, report.SecondWitness{Result: report.WitnessDiffers, Offset: 4711, Page: report.PageOf(1)}, report.WitnessDiffers, true, report.ExitIncomplete},
		{"failed", healthy, report.SecondWitness{Result: report.WitnessFailed}, report.WitnessFailed, true, report.ExitIncomplete},
		{"not run", healthy, report.SecondWitness{Result: report.WitnessNotRun}, report.WitnessNotRun, false, report.ExitIncomplete},
		{"agrees on records alone", healthy, report.SecondWitness{Result: report.WitnessAgrees, Problems: []string{"page 7: already freed"}}, report.WitnessDiffers, true, report.ExitIncomplete},
		{"changed", healthy, report.SecondWitness{Result: report.WitnessNotRun, Changed: true}, report.WitnessNotRun, false, report.ExitChanged},
		{"agrees on damage", broken, report.SecondWitness{Result: report.WitnessAgrees}, report.WitnessAgrees, false, report.ExitIncomplete},
		{"fails on damage", broken, report.SecondWitness{Result: report.WitnessFailed}, report.WitnessFailed, false, report.ExitIncomplete},
		{"sees damage as well", broken, report.SecondWitness{Result: report.WitnessAgrees, Problems: []string{"x"}}, report.WitnessAgrees, false, report.ExitIncomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked string
			o := Options{FailOn: report.SeverityHigh, AllowEmpty: true, Witness: func(_ context.Context, s evidence.Source, sum string) (*report.SecondWitness, error) {
				asked = sum
				return &tt.word, nil
			}}
			r, _ := run(t, o, inMemory(tt.db))
			e := r.Evidence[0]
			if asked != e.SHA256 || e.SecondWitness == nil || e.SecondWitness.Result != tt.result || r.Verdict.ExitStatus != tt.status {
				t.Errorf("asked on %q, %+v, %+v", asked, r.Verdict, e.SecondWitness)
			}
			if clean := r.Verdict.Status == report.StatusEmpty; clean != (tt.status == report.ExitClean) {
				t.Errorf("%+v", r.Verdict)
			}
			i := slices.IndexFunc(r.Coverage.Damage, func(d report.Damage) bool { return strings.HasPrefix(d.What, "second witness ") })
			if (i >= 0) != tt.damaged || i >= 0 && (r.Coverage.Damage[i].Offset != tt.word.Offset || r.Coverage.Damage[i].Page != tt.word.Page) {
				t.Errorf("damage %+v", r.Coverage.Damage)
			}
		})
	}
	stop := errors.New("stopped")
	_, err = askAll(t.Context(), []evidence.Source{inMemory(healthy)}, Options{Witness: func(context.Context, evidence.Source, string) (*report.SecondWitness, error) { return nil, stop }})
	if !errors.Is(err, stop) {
		t.Errorf("the witness's error does not end the run: %v", err)
	}
}
