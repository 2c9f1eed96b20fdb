package object

import (
	"strings"
	"unicode"

	"github.com/etcdsift/etcdsift/decode"
)

// One damaged byte is enough to shift the lengths in a protobuf or CBOR value,
// and put a part of a Secret's data where a name ought to be. So a text leaves
// this package only if an API server could have stored it in its place: what
// holds the bytes that frame a field, as such a part nearly always does, is
// dropped, and reported as ErrValue.
//
// The limits are those of validation in k8s.io/apimachinery and of the core
// types (pkg/apis/core/validation in kubernetes/kubernetes).

// keepIf empties s, and notes the fault in err, unless s is empty or good.
func keepIf(good func(string) bool, s *string, what string, off int64, err *error) {
	if *s == "" || good(*s) {
		return
	}
	*s = ""
	if *err == nil {
		*err = formatError(off, what, decode.ErrValue)
	}
}

func (t *TypeMeta) check(off int64, err *error) {
	keepIf(isAPIVersion, &t.APIVersion, "object, apiVersion", off, err)
	keepIf(isWord, &t.Kind, "object, kind", off, err)
}

func (m *Meta) check(off int64, err *error) {
	m.TypeMeta.check(off, err)
	keepIf(isSegment, &m.Name, "object, metadata.name", off, err)
	keepIf(isLabel, &m.Namespace, "object, metadata.namespace", off, err)
	keepIf(isLabel, &m.UID, "object, metadata.uid", off, err)
	for i := range m.Managers {
		keepIf(isManager, &m.Managers[i].Name, "object, managedFields, manager", off, err)
		keepIf(isWord, &m.Managers[i].Operation, "object, managedFields, operation", off, err)
	}
}

func (s *Secret) check(off int64, err *error) {
	s.Meta.check(off, err)
	keepIf(isSubdomain, &s.Name, "Secret, metadata.name", off, err)
	keepIf(isPrintable, &s.Type, "Secret, type", off, err)
	kept := s.DataKeys[:0]
	for _, key := range s.DataKeys {
		if keepIf(isDataKey, &key, "Secret, data key", off, err); key != "" {
			kept = append(kept, key)
		}
	}
	s.DataKeys = kept
	if len(kept) == 0 {
		s.DataKeys = nil
	}
}

func (c *CRD) check(off int64, err *error) {
	keepIf(isGroup, &c.Group, "CustomResourceDefinition, group", off, err)
	keepIf(isLabel, &c.Plural, "CustomResourceDefinition, plural", off, err)
	keepIf(isWord, &c.Kind, "CustomResourceDefinition, kind", off, err)
}

func isAPIVersion(s string) bool {
	_, ok := groupOf(s)
	return ok
}

// isWord tells a kind, or the operation of a manager.
func isWord(s string) bool {
	return len(s) <= 63 && only(s, isAlphanumeric)
}

// isSegment tells what can be a segment of a URL's path, which is all that is
// asked of the names of some kinds.
func isSegment(s string) bool {
	return s != "." && s != ".." && !strings.ContainsAny(s, "/%") && isPrintable(s)
}

// isManager tells the name of a program, as the API server derives it from a
// user agent.
func isManager(s string) bool { return len(s) <= 128 && isPrintable(s) }

func isPrintable(s string) bool {
	for _, r := range s {
		// Bytes that are not UTF-8 come out of range as U+FFFD, which counts as
		// printable by itself.
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// isDataKey tells a key of a Secret's data.
func isDataKey(s string) bool {
	return len(s) <= 253 && only(s, func(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' || c == '_' })
}

func only(s string, good func(byte) bool) bool {
	for i := range len(s) {
		if !good(s[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
