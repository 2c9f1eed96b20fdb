// Package judge answers the question of a run: it turns what was seen of all evidence into a
// report.
//
// New finds out which keys the question is about, and what each of them is. A key that several
// files of one cluster have is one key. Compare and ProveCopies read values, and may ask a KMS.
// Report then makes the report out of what is known by then, and reads nothing.
package judge
