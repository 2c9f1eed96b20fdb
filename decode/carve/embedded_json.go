package carve

import (
	"encoding/binary"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonWalk goes through JSON that scanJSON has found whole, and looks for Secrets in it.
type jsonWalk struct {
	f   *secretFinder
	p   part
	pos int
	// items says that the objects of a list at hand are Secrets, whatever they say of themselves.
	items bool
}

// space skips white space.
func (w *jsonWalk) space() {
	for w.pos < len(w.p.b) && (w.p.b[w.pos] == ' ' || w.p.b[w.pos] == '\t' || w.p.b[w.pos] == '\r' || w.p.b[w.pos] == '\n') {
		w.pos++
	}
}

// peek is the next byte that is no white space, 0 at the end.
func (w *jsonWalk) peek() byte {
	w.space()
	if w.pos >= len(w.p.b) {
		return 0
	}
	return w.p.b[w.pos]
}

// value goes through the value at pos. secret says that it is a Secret if it is an object.
func (w *jsonWalk) value(secret bool) {
	switch w.peek() {
	case '{':
		w.items = secret
		w.object()
	case '[':
		w.pos++
		for c := w.peek(); c != ']' && c != 0; c = w.peek() {
			if c == ',' {
				w.pos++
			}
			w.value(secret)
		}
		w.pos++
	case '"':
		w.text()
	default:
		start := w.pos
		for w.pos < len(w.p.b) && isLiteral(w.p.b[w.pos]) {
			w.pos++
		}
		if w.pos == start {
			w.pos++ // no JSON: go on all the same
		}
	}
}

// text goes through the string at pos, and returns what is between its quotes.
func (w *jsonWalk) text() []byte {
	s := w.string()
	if MayHoldSecrets(s) {
		w.f.unescaped(w.p.sub(w.pos-1-len(s), w.pos-1))
	}
	return s
}

// string reads the string at pos.
func (w *jsonWalk) string() []byte {
	start := w.pos + 1
	for i := start; i < len(w.p.b); i++ {
		switch w.p.b[i] {
		case '"':
			w.pos = i + 1
			return w.p.b[start:i]
		case '\\':
			i++
		}
	}
	w.pos = len(w.p.b)
	return nil
}

// object goes through the object at pos, and adds it if it is a Secret.
func (w *jsonWalk) object() {
	start, first, given := w.pos, len(w.f.found), w.items
	var kind, items string
	itemsAt := -1
	w.pos++
	for c := w.peek(); c != '}' && c != 0; c = w.peek() {
		if c == ',' {
			w.pos++
			continue
		}
		if c != '"' {
			w.pos++
			continue
		}
		name := string(w.string())
		if w.peek() == ':' {
			w.pos++
		}
		c := w.peek()
		switch {
		case name == "kind" && c == '"':
			kind = string(w.string())
		case name == "items" && c == '[':
			itemsAt, items = w.pos, kind
			w.value(kind == secretList)
		default:
			w.value(false)
		}
	}
	w.pos = min(w.pos+1, len(w.p.b))
	if kind == secretList && itemsAt >= 0 && items != secretList && w.f.spend(w.pos-itemsAt) {
		// The kind stands behind the items.
		inner := jsonWalk{f: w.f, p: w.p, pos: itemsAt}
		w.f.found = w.f.found[:first]
		inner.value(true)
	}
	b := w.p.b[start:w.pos]
	switch {
	case given && kind == "":
		b = append([]byte(`{"apiVersion":"v1","kind":"Secret",`), b[1:]...)
	case kind != "Secret":
		return
	}
	inner := slices.Clone(w.f.found[first:])
	w.f.found = w.f.found[:first] // what lies in a Secret is a part of it
	if !w.f.spend(len(b)) || !w.f.add(w.p.sub(start, w.pos), b) {
		w.f.found = append(w.f.found, inner...)
	}
}

const secretList = "SecretList"

// unescaped looks through the contents of a string of JSON.
func (f *secretFinder) unescaped(p part) {
	if !f.spend(2 * len(p.b)) {
		return
	}
	text, places := unescape(p.b)
	f.find(part{text, func(i int) int { return p.at(int(places[i])) }, true, p.depth + 1})
}

// unescape undoes the escapes of JSON in b. places says where in b each byte of the text is, and
// where the text ends. What is no escape stays as it is.
func unescape(b []byte) (text []byte, places []uint32) {
	text, places = make([]byte, 0, len(b)), make([]uint32, 0, len(b)+1)
	for n := 0; n < len(b); {
		first, size := len(text), 1
		if b[n] == '\\' && n+1 < len(b) {
			text, size = appendEscape(text, b[n:])
		} else {
			text = append(text, b[n])
		}
		for range len(text) - first {
			places = append(places, uint32(n))
		}
		n += size
	}
	return text, append(places, uint32(len(b)))
}

// appendEscape appends what the escape at the start of b stands for, and returns how long it is.
func appendEscape(text, b []byte) ([]byte, int) {
	switch b[1] {
	case 'n':
		return append(text, '\n'), 2
	case 't':
		return append(text, '\t'), 2
	case 'r':
		return append(text, '\r'), 2
	case 'b':
		return append(text, '\b'), 2
	case 'f':
		return append(text, '\f'), 2
	case 'u':
		r, ok := hexRune(b)
		if !ok {
			break
		}
		if low, ok := hexRune(b[6:]); ok && utf16.IsSurrogate(r) {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return utf8.AppendRune(text, both), 12
			}
		}
		return utf8.AppendRune(text, r), 6
	}
	return append(text, b[1]), 2
}

// hexRune reads the escape of a UTF-16 unit at the start of b: a backslash, u and four digits.
func hexRune(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 8*binary.Size(uint16(0)))
	return rune(n), err == nil
}
