package report

import (
	"fmt"
)

// A SecondWitness is what another program says of a db that it read on its own: whether
// it finds the same records in it. It holds no byte of a key or value, and no hash.
type SecondWitness struct {
	Tool    string        `json:"tool"`
	Version string        `json:"version"`
	Result  WitnessResult `json:"result"`
	Records int           `json:"records,omitempty"` // that it read in all buckets
	// Problems are the first 100 that its own check of the file reports.
	Problems []string `json:"problems"`
	Detail   string   `json:"detail"` // why Result is what it is; may be empty

	// Offset and Page are where the first differing record lies; Page is zero if that is not
	// known.
	Offset int64 `json:"-"`
	Page   Page  `json:"-"`
	// Changed says that the file changed after the run examined it.
	Changed bool `json:"-"`
}

// WitnessResult is how a second witness's reading compares.
type WitnessResult string

// The results. Only the first lets a run be complete.
const (
	WitnessAgrees  WitnessResult = "agrees"  // the same records in the same buckets
	WitnessDiffers WitnessResult = "differs" // others
	WitnessFailed  WitnessResult = "failed"  // it crashed, gave up or was stopped
	WitnessNotRun  WitnessResult = "not-run" // it cannot read such a file, or nothing could ask it
)

// WitnessResults lists all of them.
func WitnessResults() []WitnessResult {
	return []WitnessResult{WitnessAgrees, WitnessDiffers, WitnessFailed, WitnessNotRun}
}

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
