package unknown

import (
	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/wire"
)

// A Start is an Object in bytes with an unknown end. Only its form tells it, so it must have
// the form that the API server gives it: each field once, in the order of their numbers, the
// last two always there, and nearly always empty. Where they are not, the object was cut, or
// others' bytes stand where its end was.
type Start struct {
	APIVersion, Kind string // what can be a type
	Raw              []byte // the object, as far as it is there; aliases the bytes
	Size             int    // of all that is there, with Magic, in bytes
	Whole            bool   // all fields are there
}

// MaxTypeMeta is a length in bytes over that of any type that the API server accepts.
const MaxTypeMeta = 512

const maxContentType = 256

// The tags of the fields. All of them are bytes.
const (
	tagAPIVersion      = fieldAPIVersion<<3 | 2
	tagKind            = fieldKind<<3 | 2
	tagTypeMeta        = fieldTypeMeta<<3 | 2
	tagRaw             = fieldRaw<<3 | 2
	tagContentEncoding = fieldContentEncoding<<3 | 2
	tagContentType     = fieldContentType<<3 | 2
)

// ParseStart reads the start of b, which begins with Magic. It is false without a
// type that an API server could have stored.
func ParseStart(b []byte) (Start, bool) {
	var u Start
	r := wire.Reader{B: b[:min(len(b), len(Magic)+MaxTypeMeta)], Pos: len(Magic)}
	t := wire.Reader{B: r.Bytes(tagTypeMeta)}
	apiVersion, kind := string(t.Bytes(tagAPIVersion)), string(t.Bytes(tagKind))
	if t.Failed || t.Pos != len(t.B) || !kubename.IsAPIVersion(apiVersion) || !kubename.IsKind(kind) {
		return u, false
	}
	u.APIVersion, u.Kind = apiVersion, kind
	r.B, u.Size = b, r.Pos
	if r.Pos == len(b) {
		return u, true
	}
	n := r.Field(tagRaw)
	if r.Failed {
		// Cut in the length itself, or no object.
		u.Size = len(b)
		return u, r.Is(tagRaw) && len(b)-r.Pos < 10
	}
	u.Raw = b[r.Pos:]
	if n > uint64(len(u.Raw)) {
		u.Size = len(b)
		return u, true
	}
	u.Raw = u.Raw[:n]
	r.Pos += int(n)
	u.Size = r.Pos
	encoding, contentType := r.Bytes(tagContentEncoding), r.Bytes(tagContentType)
	if u.Whole = !r.Failed && len(encoding) <= maxContentType && len(contentType) <= maxContentType; u.Whole {
		u.Size = r.Pos
	}
	return u, true
}
