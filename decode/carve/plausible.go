package carve

import (
	"strings"
	"unicode"
)

// What was found in unknown bytes is believed only if an API server could have
// stored it: package object says why, and has the sources.

func isAPIVersion(s string) bool {
	group, version, ok := strings.Cut(s, "/")
	if !ok {
		return isLabel([]byte(s))
	}
	return len(group) <= 253 && isLabel([]byte(version)) && isSubdomain(group)
}

func isSubdomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel([]byte(label)) {
			return false
		}
	}
	return true
}

// isKind tells the name of a type in Go, which a kind is.
func isKind(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (i == 0 || c < '0' || '9' < c) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 63
}

// isLabel tells a DNS label of RFC 1123.
func isLabel(b []byte) bool {
	for i, c := range b {
		inner := c == '-' && 0 < i && i < len(b)-1
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && !inner {
			return false
		}
	}
	return 0 < len(b) && len(b) <= 63
}

// isName tells what can be a segment of a URL's path.
func isName(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	s := string(b)
	return s != "." && s != ".." && !strings.ContainsAny(s, "/%") && isPrintable(s)
}

func isPrintable(s string) bool {
	for _, r := range s {
		// Bytes that are not UTF-8 come out of range as U+FFFD.
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
