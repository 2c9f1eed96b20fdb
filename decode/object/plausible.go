package object

import (
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
)

// One damaged byte is enough to shift the lengths in a protobuf or CBOR value, and put a part
// of a Secret's data where a name ought to be. So a text leaves this package only if an API
// server could have stored it in its place. Such a part nearly always holds the bytes that
// frame a field: the package drops it, and reports ErrValue.
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
	keepIf(kubename.IsAPIVersion, &t.APIVersion, "object, apiVersion", off, err)
	keepIf(kubename.IsKind, &t.Kind, "object, kind", off, err)
}

func (m *Meta) check(off int64, err *error) {
	m.TypeMeta.check(off, err)
	keepIf(kubename.IsSegment, &m.Name, "object, metadata.name", off, err)
	keepIf(kubename.IsLabel, &m.Namespace, "object, metadata.namespace", off, err)
	keepIf(kubename.IsLabel, &m.UID, "object, metadata.uid", off, err)
	for i := range m.Managers {
		keepIf(isManager, &m.Managers[i].Name, "object, managedFields, manager", off, err)
		keepIf(isOperation, &m.Managers[i].Operation, "object, managedFields, operation", off, err)
	}
}

func (s *Secret) check(off int64, err *error) {
	s.Meta.check(off, err)
	keepIf(kubename.IsSubdomain, &s.Name, "Secret, metadata.name", off, err)
	keepIf(kubename.IsPrintable, &s.Type, "Secret, type", off, err)
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
	keepIf(kubename.IsGroup, &c.Group, "CustomResourceDefinition, group", off, err)
	keepIf(kubename.IsLabel, &c.Plural, "CustomResourceDefinition, plural", off, err)
	keepIf(kubename.IsKind, &c.Kind, "CustomResourceDefinition, kind", off, err)
}

// isOperation tells "Update", "Apply", or what else a manager may do.
func isOperation(s string) bool {
	return len(s) <= kubename.MaxLabel && only(s, kubename.IsAlphanumeric)
}

// isManager tells the name of a program, as the API server derives it from a
// user agent.
func isManager(s string) bool { return len(s) <= 128 && kubename.IsPrintable(s) }

// isDataKey tells a key of a Secret's data.
func isDataKey(s string) bool {
	return len(s) <= kubename.MaxSubdomain && only(s, func(c byte) bool { return kubename.IsAlphanumeric(c) || c == '.' || c == '-' || c == '_' })
}

func only(s string, good func(byte) bool) bool {
	for i := range len(s) {
		if !good(s[i]) {
			return false
		}
	}
	return true
}
