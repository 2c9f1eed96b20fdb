package analyzer

import (
	"context"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// askWitness asks the second witness on the db of a survey. In a file that is whole as far as
// this program can tell, any other answer than its own is damage: one of the two is wrong.
func askWitness(ctx context.Context, s *survey, o Options) error {
	if o.Witness == nil || s.Kind == report.KindOther {
		return nil
	}
	w, err := o.Witness(ctx, s.Source, s.evidence.SHA256)
	if w == nil || err != nil {
		return err
	}
	s.evidence.SecondWitness = w
	if w.Changed {
		s.evidence.Changed = "other bytes were read the second time"
	}
	damaged := s.damageMore > 0 || slices.ContainsFunc(s.damage, func(d report.Damage) bool { return d.Path == s.Path })
	if damaged || w.Result == report.WitnessNotRun || w.Result == report.WitnessAgrees && len(w.Problems) == 0 {
		return nil
	}
	if w.Result == report.WitnessAgrees {
		w.Result = report.WitnessDiffers // on the structure, if not on the records
	}
	s.damage = append(s.damage, report.Damage{Path: s.Path, Offset: w.Offset, Page: w.Page, What: "second witness " + w.String()})
	return nil
}

// unconfirmed reports whether the second witness was asked and did not agree.
func unconfirmed(e report.Evidence) bool {
	return e.SecondWitness != nil && e.SecondWitness.Result != report.WitnessAgrees
}
