// Package evidence is the files that a run examines: what kind each of them is, and a reader
// that remembers what the disk did not give.
package evidence
