// Package report is the words of etcdsift: what a run tells of a piece of evidence, as data.
//
// A Report is what `scan --format json` writes. It holds positions, names and counts, and never
// a byte of a Secret's value. Nothing in it points back into the run that made it: you can keep
// a report, compare it with another, or read it from JSON.
//
// Three words are everywhere. A copy is one place that holds one stored value. An exposure is
// an object with at least one plaintext copy. A finding is a rule, and the places that break
// it.
//
// What is not known is absent from JSON, and is the zero value here: no JSON field says 0 or ""
// of something that nobody looked at. The package imports nothing of this module, so writers
// and readers of reports depend on these words alone.
package report
