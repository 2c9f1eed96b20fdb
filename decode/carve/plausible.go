package carve

import "github.com/etcdsift/etcdsift/decode/internal/kubename"

// This package believes what it finds in unknown bytes only if an API server could have
// stored it: package kubename tells, and has the sources.

// isName tells the name of an object. Kubernetes bounds no segment of a path, but unknown
// bytes that go on for longer than any name does are not a name.
func isName(b []byte) bool {
	return len(b) <= kubename.MaxSubdomain && kubename.IsSegment(string(b))
}
