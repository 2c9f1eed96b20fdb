// Package evidence is about the files that a run examines. Open finds out what PATHs lead to: which
// files an etcd works with, what it left behind, which lie beside them, and what can not be read.
// Each file is a Source: opened once, read-only, without a lock, and in a way that leaves its
// access time alone where the kernel allows that. A Source tells whether it has changed since, and
// who may write to it. A Reader remembers what the disk did not give.
//
// What a file holds is for others to say: this package looks at first bytes, names and places.
package evidence
