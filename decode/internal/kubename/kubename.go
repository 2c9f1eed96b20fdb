// Package kubename tells which texts Kubernetes takes for a name: of an object, a
// namespace, a kind, a group. One damaged byte is enough to put another text where a
// name ought to be, and unknown bytes look like a name by chance: what an API server
// could not have stored there is no name.
//
// Source: pkg/util/validation and pkg/api/validate/content in k8s.io/apimachinery v0.37.2.
package kubename

import (
	"strings"
	"unicode"
)

// Lengths in bytes.
const (
	MaxSubdomain = 253
	MaxLabel     = 63
)

// IsAPIVersion tells "v1" or "apps/v1".
func IsAPIVersion(s string) bool {
	_, ok := GroupOf(s)
	return ok
}

// GroupOf returns the group of an apiVersion, "" for the core group; false for a text
// that is no apiVersion.
func GroupOf(apiVersion string) (string, bool) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return "", IsLabel(apiVersion)
	}
	return group, IsGroup(group) && IsLabel(version)
}

// IsGroup tells what can be the name of an API group other than the core group.
func IsGroup(s string) bool { return IsSubdomain(s) }

// IsSubdomain tells a DNS subdomain of RFC 1123: labels with dots between them. Only all
// of it has a limit, as in Kubernetes: a label in it may be longer than MaxLabel.
func IsSubdomain(s string) bool {
	if len(s) > MaxSubdomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isHostname(label) {
			return false
		}
	}
	return true
}

// IsLabel tells a DNS label of RFC 1123.
func IsLabel[T string | []byte](s T) bool { return len(s) <= MaxLabel && isHostname(s) }

// isHostname tells a-z, 0-9 and, not at the ends, hyphens.
func isHostname[T string | []byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '-' && 0 < i && i < len(s)-1:
		default:
			return false
		}
	}
	return len(s) > 0
}

// IsKind tells a kind: a DNS label of RFC 1035 in letters of any case. A kind of Kubernetes' own is
// the name of a type in Go, but that of a CRD may hold hyphens.
//
// Source: ValidateCustomResourceDefinitionNames in pkg/apis/apiextensions/validation/validation.go
// in k8s.io/apiextensions-apiserver v0.37.2.
func IsKind(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case '0' <= c && c <= '9' && i > 0:
		case c == '-' && 0 < i && i < len(s)-1:
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= MaxLabel
}

// IsAlphanumeric tells a letter or a digit of ASCII.
func IsAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// IsSegment tells what can be a segment of a URL's path: Kubernetes asks no more of the names
// of some kinds.
func IsSegment(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/%") && IsPrintable(s)
}

// IsPrintable tells UTF-8 of printable characters.
func IsPrintable(s string) bool {
	for _, r := range s {
		// Bytes that are not UTF-8 come out of range as U+FFFD, which counts as
		// printable by itself.
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
