package main

import (
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
)

// placeOf is the file that an output goes to, whether it is there or not: placeOf resolves the
// folder once, so that the run checks the place that it writes. Without a folder, it is the
// path as it is, and open will say so.
func placeOf(output string) string {
	path := followLinks(output)
	if p, err := evidence.Physical(path); err == nil {
		return p
	}
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	dir, err := evidence.Physical(dir)
	if err != nil || name == "" {
		return path
	}
	return filepath.Join(dir, name)
}
