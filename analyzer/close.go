package analyzer

import (
	"cmp"
	"context"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// closeEvidence notes what became of an evidence's files after the last read: what they did not
// give, what a second witness reads in them, and whether they changed. Its error is that of
// witness.
func closeEvidence(ctx context.Context, ev *seen.Evidence, witness Witness) error {
	if ev.File != nil {
		ev.AddUnread(&ev.Source)
		if err := askWitness(ctx, ev, witness); err != nil {
			return err
		}
		settleFile(&ev.Facts, &ev.Source)
	}
	for _, seg := range ev.Segments {
		ev.AddUnread(&seg.Source)
		settleFile(&seg.Facts, &seg.Source)
	}
	return nil
}

// settleFile notes what became of the file during the run.
func settleFile(e *report.Evidence, s *evidence.Source) {
	if s.Changed != nil {
		e.Changed = cmp.Or(s.Changed(), e.Changed)
	}
	if s.Lock != nil {
		e.Lock = s.Lock()
		e.Live = e.Lock != ""
	}
}

// askWitness asks the second witness on the db of an evidence. If this program finds the file
// whole, an answer that differs from its own is damage: one of the two is wrong.
func askWitness(ctx context.Context, ev *seen.Evidence, witness Witness) error {
	if witness == nil || !ev.HasTree() || ev.Facts.SecondWitness != nil {
		return nil
	}
	w, err := witness(ctx, ev.Source, ev.Facts.SHA256)
	if w == nil || err != nil {
		return err
	}
	ev.Facts.SecondWitness = w
	if w.Changed {
		ev.Facts.Changed = "other bytes were read the second time"
	}
	damaged := ev.DamageMore > 0 || slices.ContainsFunc(ev.Damage, func(d report.Damage) bool { return d.Path == ev.Path })
	if damaged || w.Result == report.WitnessNotRun || w.Result == report.WitnessAgrees && len(w.Problems) == 0 {
		return nil
	}
	if w.Result == report.WitnessAgrees {
		w.Result = report.WitnessDiffers // on the structure, if not on the records
	}
	ev.Damage = append(ev.Damage, report.Damage{Path: ev.Path, Offset: w.Offset, Page: w.Page, What: "second witness " + w.String()})
	return nil
}
