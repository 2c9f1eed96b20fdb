package analyzer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

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
		word    SecondWitness
		result  WitnessResult
		damaged bool // by what the witness says
		status  int
	}{
		{"agrees", healthy, SecondWitness{Result: WitnessAgrees}, WitnessAgrees, false, ExitClean},
		{"differs", healthy, SecondWitness{Result: WitnessDiffers, Offset: 4711, Page: 1}, WitnessDiffers, true, ExitIncomplete},
		{"failed", healthy, SecondWitness{Result: WitnessFailed}, WitnessFailed, true, ExitIncomplete},
		{"not run", healthy, SecondWitness{Result: WitnessNotRun}, WitnessNotRun, false, ExitIncomplete},
		{"agrees on records alone", healthy, SecondWitness{Result: WitnessAgrees, Problems: []string{"page 7: already freed"}}, WitnessDiffers, true, ExitIncomplete},
		{"changed", healthy, SecondWitness{Result: WitnessNotRun, Changed: true}, WitnessNotRun, false, ExitChanged},
		{"agrees on damage", broken, SecondWitness{Result: WitnessAgrees}, WitnessAgrees, false, ExitIncomplete},
		{"fails on damage", broken, SecondWitness{Result: WitnessFailed}, WitnessFailed, false, ExitIncomplete},
		{"sees damage as well", broken, SecondWitness{Result: WitnessAgrees, Problems: []string{"x"}}, WitnessAgrees, false, ExitIncomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked string
			o := Options{FailOn: SeverityHigh, AllowEmpty: true, Witness: func(_ context.Context, s Source, sum string) (*SecondWitness, error) {
				asked = sum
				return &tt.word, nil
			}}
			r, _ := run(t, o, inMemory(tt.db))
			e := r.Evidence[0]
			if asked != e.SHA256 || e.SecondWitness == nil || e.SecondWitness.Result != tt.result || r.Verdict.ExitStatus != tt.status {
				t.Errorf("asked on %q, %+v, %+v", asked, r.Verdict, e.SecondWitness)
			}
			if clean := r.Verdict.Status == StatusEmpty; clean != (tt.status == ExitClean) {
				t.Errorf("%+v", r.Verdict)
			}
			i := slices.IndexFunc(r.Coverage.Damage, func(d Damage) bool { return strings.HasPrefix(d.What, "second witness ") })
			if (i >= 0) != tt.damaged || i >= 0 && (r.Coverage.Damage[i].Offset != tt.word.Offset || r.Coverage.Damage[i].Page != tt.word.Page) {
				t.Errorf("damage %+v", r.Coverage.Damage)
			}
		})
	}
	stop := errors.New("stopped")
	_, err = Run(t.Context(), []Source{inMemory(healthy)}, Options{Witness: func(context.Context, Source, string) (*SecondWitness, error) { return nil, stop }})
	if !errors.Is(err, stop) {
		t.Errorf("the witness's error does not end the run: %v", err)
	}
}
