package analyzer

import (
	"fmt"
	"slices"
)

// A SecondWitness is what another program says of a db that it read on its own: whether
// it finds the same records in it. It holds no byte of a key or value, and no hash.
type SecondWitness struct {
	Tool    string        `json:"tool"`
	Version string        `json:"version"`
	Result  WitnessResult `json:"result"`
	Records int           `json:"records"` // that it read, in all buckets
	// Problems are those that its own check of the file reports, the first 100 of them.
	Problems []string `json:"problems"`
	Detail   string   `json:"detail"` // why Result is what it is; empty where nothing is to be said

	// Offset and Page are where the first record lies that differs, 0 if that is not known.
	Offset int64  `json:"-"`
	Page   uint64 `json:"-"`
	// Changed says that the file was not any more what had been examined.
	Changed bool `json:"-"`
}

// WitnessResult is how a second witness's reading compares.
type WitnessResult string

// The results. Only the first lets a run be complete.
const (
	WitnessAgrees  WitnessResult = "agrees"  // the same records in the same buckets
	WitnessDiffers WitnessResult = "differs" // others
	WitnessFailed  WitnessResult = "failed"  // it crashed, gave up or was stopped
	WitnessNotRun  WitnessResult = "not-run" // it can not read such a file, or could not be asked
)

// String is the witness's word in a line.
func (w *SecondWitness) String() string {
	s := fmt.Sprintf("%s %s: %s", w.Tool, w.Version, w.Result)
	if w.Result == WitnessAgrees {
		s += fmt.Sprintf(", %d records", w.Records)
	}
	if w.Detail != "" {
		s += ", " + w.Detail
	}
	if len(w.Problems) > 0 {
		s += ": " + w.Problems[0]
	}
	return s
}

// addWitness asks the second witness on the db of a survey. In a file that is whole as
// far as this program can tell, any other answer than its own is damage: one of the two
// is wrong.
func (b *builder) addWitness(s *survey) {
	if b.options.Witness == nil || s.Kind == KindOther || b.err != nil {
		return
	}
	w, err := b.options.Witness(b.ctx, s.Source, s.evidence.SHA256)
	if err != nil {
		b.err = err
	}
	if w == nil || err != nil {
		return
	}
	s.evidence.SecondWitness = w
	if w.Changed {
		s.evidence.Changed = "other bytes were read the second time"
	}
	damaged := s.damageMore > 0 || slices.ContainsFunc(s.damage, func(d Damage) bool { return d.Path == s.Path })
	if damaged || w.Result == WitnessNotRun || w.Result == WitnessAgrees && len(w.Problems) == 0 {
		return
	}
	if w.Result == WitnessAgrees {
		w.Result = WitnessDiffers // on the structure, if not on the records
	}
	s.damage = append(s.damage, Damage{Path: s.Path, Offset: w.Offset, Page: w.Page, What: "second witness " + w.String()})
}

// unconfirmed reports whether the second witness was asked and did not agree.
func unconfirmed(e Evidence) bool {
	return e.SecondWitness != nil && e.SecondWitness.Result != WitnessAgrees
}
