package carve

import (
	"bytes"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
	"github.com/etcdsift/etcdsift/decode/internal/unknown"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A jsonObject is what scanJSON read. Its slices are the contents of strings as they stand
// there; what holds an escape is not a name or a type.
type jsonObject struct {
	size   int  // of all that is JSON
	whole  bool // the closing brace was reached
	broken bool // what follows it cannot belong to it

	apiVersion, kind, namespace, name []byte
	first                             bool // apiVersion or kind is the first field
}

func (j *jsonObject) typeMeta() (t object.TypeMeta, first bool) {
	if s := string(limited(j.apiVersion)); kubename.IsAPIVersion(s) {
		t.APIVersion = s
	}
	if s := string(limited(j.kind)); kubename.IsKind(s) {
		t.Kind = s
	}
	return t, j.first && (t.APIVersion != "" || t.Kind != "")
}

func (j *jsonObject) names() (namespace, name string) {
	if kubename.IsLabel(j.namespace) {
		namespace = string(j.namespace)
	}
	if isName(j.name) {
		name = string(j.name)
	}
	return namespace, name
}

// limited drops what is too long to convert to a string.
func limited(b []byte) []byte {
	if len(b) > unknown.MaxTypeMeta {
		return nil
	}
	return b
}

// mayBeTyped tells from its first field whether the JSON object at the start of b can be one
// of Kubernetes, so that few inner ones have to be read. The fields of custom resources are
// sorted, so smaller ones go before apiVersion; those of built-in types start with kind.
func mayBeTyped(b []byte) bool {
	const start, longest = len(`{"`), 64
	field := b[start:min(len(b), start+longest)]
	end := bytes.IndexByte(field, '"')
	if end < 0 {
		return false
	}
	name := string(field[:end])
	return name <= "apiVersion" || name == "kind" || name == "metadata"
}

// maxDepth is how deep JSON may nest, as in the standard library.
const maxDepth = 10_000

// A jsonScanner reads one JSON value without knowing where it ends.
type jsonScanner struct {
	jsonObject
	b     []byte
	pos   int
	depth int
	kinds [maxDepth/64 + 1]uint64 // a bit for each level: 1 for an object

	field    []byte // name of the last field on the first level
	sub      []byte // and on the second, in metadata
	metadata bool   // the second level is that of metadata
}

// A step is what may come next.
type step uint8

const (
	aValue step = iota
	aValueOrEnd
	aName
	aNameOrEnd
	aColon
	aCommaOrEnd
	nothing
)

// scanJSON reads the object at the start of b as far as it follows the grammar of JSON. It
// does not look closely at numbers, nor at UTF-8.
func scanJSON(b []byte) jsonObject {
	j := jsonScanner{b: b}
	for next := aValue; next != nothing && !j.broken; {
		c, ok := j.skipSpace()
		if !ok {
			break
		}
		next = j.step(next, c)
		if !j.broken {
			j.size = j.pos
		}
	}
	j.whole = j.depth == 0 && !j.broken && j.size > 0
	return j.jsonObject
}

// skipSpace returns the first byte at or behind pos that is not white space.
func (j *jsonScanner) skipSpace() (byte, bool) {
	for ; j.pos < len(j.b); j.pos++ {
		switch c := j.b[j.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c, true
		}
	}
	return 0, false
}

// step reads one token, which starts with c, and says what may follow it.
func (j *jsonScanner) step(want step, c byte) step {
	switch {
	case c == '"' && (want == aName || want == aNameOrEnd):
		if s, ok := j.string(); ok {
			j.named(s)
			return aColon
		}
		return nothing
	case c == ':' && want == aColon:
		j.pos++
		return aValue
	case c == ',' && want == aCommaOrEnd:
		j.pos++
		if j.inObject() {
			return aName
		}
		return aValue
	case c == '}' && j.inObject() && (want == aCommaOrEnd || want == aNameOrEnd),
		c == ']' && !j.inObject() && (want == aCommaOrEnd || want == aValueOrEnd):
		return j.close()
	case want == aValue || want == aValueOrEnd:
		return j.value(c)
	}
	j.broken = true
	return nothing
}

// value reads a value, or the opening of one.
func (j *jsonScanner) value(c byte) step {
	switch {
	case c == '{', c == '[':
		return j.open(c == '{')
	case c == '"':
		if s, ok := j.string(); ok {
			j.valued(s)
			return aCommaOrEnd
		}
		return nothing
	}
	start := j.pos
	for j.pos < len(j.b) && isLiteral(j.b[j.pos]) {
		j.pos++
	}
	j.broken = j.pos == start
	return aCommaOrEnd
}

// isLiteral tells the bytes of numbers, true, false and null.
func isLiteral(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func (j *jsonScanner) inObject() bool {
	return j.depth > 0 && j.kinds[j.depth/64]>>(j.depth%64)&1 != 0
}

func (j *jsonScanner) open(object bool) step {
	if j.depth == maxDepth {
		j.broken = true
		return nothing
	}
	j.metadata = j.metadata || j.depth == 1 && string(j.field) == "metadata"
	j.pos++
	j.depth++
	bit := uint64(1) << (j.depth % 64)
	if !object {
		j.kinds[j.depth/64] &^= bit
		return aValueOrEnd
	}
	j.kinds[j.depth/64] |= bit
	return aNameOrEnd
}

func (j *jsonScanner) close() step {
	j.pos++
	j.depth--
	j.metadata = j.metadata && j.depth > 1
	if j.depth == 0 {
		return nothing
	}
	return aCommaOrEnd
}

// named takes the name of a field.
func (j *jsonScanner) named(s []byte) {
	switch j.depth {
	case 1:
		j.first = j.first || j.field == nil && (string(s) == "apiVersion" || string(s) == "kind")
		j.field = s
	case 2:
		j.sub = s
	}
}

// valued takes a value that is a string.
func (j *jsonScanner) valued(s []byte) {
	switch {
	case !j.inObject():
	case j.depth == 1 && string(j.field) == "apiVersion":
		j.apiVersion = s
	case j.depth == 1 && string(j.field) == "kind":
		j.kind = s
	case j.depth == 2 && j.metadata && string(j.sub) == "name":
		j.name = s
	case j.depth == 2 && j.metadata && string(j.sub) == "namespace":
		j.namespace = s
	}
}

// string reads the string at pos and returns what is between its quotes. If the string is
// cut, it returns false, and pos is behind what is there; if a byte cannot be in a string,
// the JSON is broken there.
func (j *jsonScanner) string() ([]byte, bool) {
	start := j.pos + 1
	for i := start; i < len(j.b); i++ {
		switch c := j.b[i]; {
		case c == '"':
			j.pos = i + 1
			return j.b[start:i:i], true
		case c == '\\':
			i++
		case c < ' ':
			j.size, j.broken = i, true
			return nil, false
		}
	}
	j.pos = len(j.b)
	return nil, false
}
