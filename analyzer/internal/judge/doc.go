// Package judge answers: it turns what was seen of all evidence into a report.
//
// New finds out which keys the question is about, and what each of them is; a key that several
// files of one cluster have is one key. Compare and ProveCopies read values, and may ask a KMS.
// Report then builds the report out of what is known, and reads nothing.
package judge
