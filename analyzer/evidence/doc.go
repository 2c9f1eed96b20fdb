// Package evidence is about the files that a run examines: what kind of evidence each of them is,
// and a reader that remembers what the disk did not give.
package evidence
