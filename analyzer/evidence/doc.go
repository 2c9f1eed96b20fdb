// Package evidence finds and opens the files that a run examines. Open finds out what PATHs
// lead to: the files that an etcd works with, those that it left behind or that lie beside
// them, and those that it cannot read. Each file is a Source: opened once, read-only, without a
// lock, and in a way that leaves its access time alone if the kernel allows that. A Source
// tells whether it has changed since, and who may write to it. A Reader remembers what the disk
// did not give.
//
// Other packages say what a file holds: this one looks at first bytes, names and places.
package evidence
