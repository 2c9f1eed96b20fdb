// Package report is the words of etcdsift: what a run tells of a piece of evidence, as data.
//
// A Report is what `scan --format json` writes. It holds positions, names and counts, and
// never a byte of a Secret's value. Nothing in it points back into the run that made it: a
// report can be kept, compared with another one, or read from JSON.
//
// Three words are everywhere. A copy is one place where one stored value was seen. An
// exposure is an object with at least one plaintext copy. A finding is a rule, and the places
// where it is broken.
//
// What is not known is absent from JSON, and is the zero value here: no field says 0 or ""
// of something that nobody looked at. The package imports nothing of this module, so that
// whoever writes or reads reports depends on these words alone.
package report
