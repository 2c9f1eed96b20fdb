package carve

import (
	"bytes"

	"sigs.k8s.io/yaml"

	"github.com/etcdsift/etcdsift/decode/internal/kubename"
)

// yaml looks for a YAML mapping whose kind stands at at, and adds the Secret that it is. It returns
// from where on to look for the next.
func (f *secretFinder) yaml(p part, at int) int {
	next := at + len(secretWord)
	key, ok := fieldBefore(p.b, at)
	if !ok {
		return next
	}
	m, ok := mappingAround(p.b, key)
	if !f.spend(m.looked) || !ok || m.end-m.start > maxManifest {
		return next
	}
	block := m.dedented(p.b)
	if !mayHaveData(block) || hasAlias(block) || !f.spend(yamlEffort*len(block)) {
		return next
	}
	document, err := yaml.YAMLToJSON(block)
	if err != nil || len(document) == 0 || document[0] != '{' {
		return next
	}
	inner := secretFinder{effort: f.effort}
	w := jsonWalk{f: &inner, p: part{b: document, at: func(i int) int { return i }, depth: p.depth + 1}}
	w.object()
	f.effort = inner.effort
	covers := p.sub(m.start, m.end)
	first := len(f.found)
	for _, e := range inner.found {
		if e.Off == 0 || bytes.HasPrefix(p.b[at:], []byte(secretList)) {
			f.add(covers, e.Object)
		}
	}
	if len(f.found) > first {
		return max(next, m.end)
	}
	return next
}

// yamlEffort is what it costs to parse a byte of YAML, as so many bytes.
const yamlEffort = 4

// hasAlias reports whether YAML may have an alias: with it a short text can stand for a very long
// one. A manifest with an alias is not read.
func hasAlias(block []byte) bool {
	for i := 1; i < len(block); i++ {
		if block[i-1] == '*' && kubename.IsAlphanumeric(block[i]) && (i == 1 || bytes.IndexByte([]byte(" \t\n[{,:-"), block[i-2]) >= 0) {
			return bytes.IndexByte(block, '&') >= 0
		}
	}
	return false
}

// mayHaveData reports whether a mapping can be a Secret with data, or a list of such.
func mayHaveData(block []byte) bool {
	for _, field := range []string{"data", "stringData", "items"} {
		for _, quote := range []string{"", `"`, "'"} {
			name := []byte(quote + field + quote)
			if bytes.HasPrefix(block, name) || bytes.Contains(block, append([]byte("\n"), name...)) {
				return true
			}
		}
	}
	return false
}

// A mapping is the lines of a block mapping of YAML.
type mapping struct {
	start, end int // from its first key on
	indent     int // columns before its keys
	looked     int // bytes that were looked at to find it
}

// maxIndent bounds the columns before a key.
const maxIndent = 256

// mappingAround finds the mapping that has a key at key.
func mappingAround(b []byte, key int) (mapping, bool) {
	low := max(0, key-maxIndent)
	line := low + bytes.LastIndexByte(b[low:key], '\n') + 1
	indent, item, ok := indentOf(b[line:key])
	if !ok || line == low && low > 0 {
		return mapping{}, false
	}
	m := mapping{start: line + indent, indent: indent}
	top := line
	for cur := line; !item && cur > 0; {
		prev := bytes.LastIndexByte(b[:cur-1], '\n') + 1
		text := b[prev : cur-1]
		cur, top = prev, prev
		if isIgnored(text) {
			continue
		}
		spaces, column, isItem := columnOf(text)
		switch {
		case isMarker(text), spaces < indent && !(isItem && column == indent):
			cur = 0
			continue
		case spaces < indent:
			item = true // the mapping is an item of a list, and starts in this line
		}
		m.start = prev + indent
	}
	m.end = lineEnd(b, key)
	bottom := m.end
	for cur := m.end; cur < len(b); {
		end := lineEnd(b, cur+1)
		text := b[cur+1 : end]
		cur, bottom = end, end
		if isIgnored(text) {
			continue
		}
		if spaces, _, _ := columnOf(text); spaces < indent || isMarker(text) {
			break
		}
		m.end = end
	}
	m.looked = bottom - top
	return m, m.start <= m.end
}

// lineEnd is where the line of position i ends.
func lineEnd(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}

// indentOf is how many columns there are before a key, which may be the first of an item of a list.
// It is false if another thing stands there.
func indentOf(before []byte) (indent int, item, ok bool) {
	before = bytes.TrimRight(before, `"'`)
	for _, c := range before {
		if c != ' ' && c != '-' {
			return 0, false, false
		}
	}
	return len(before), bytes.Contains(before, []byte("- ")), true
}

// columnOf is how many spaces a line starts with, and at which column its first key would be if it
// is an item of a list.
func columnOf(line []byte) (spaces, column int, item bool) {
	rest := bytes.TrimLeft(line, " ")
	spaces = len(line) - len(rest)
	for bytes.HasPrefix(rest, []byte("- ")) {
		item = true
		rest = bytes.TrimLeft(rest[1:], " ")
	}
	return spaces, len(line) - len(rest), item
}

// isIgnored reports whether a line is blank or a comment.
func isIgnored(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || text[0] == '#'
}

// isMarker reports whether a line starts or ends a document.
func isMarker(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("..."))
}

// dedented is the mapping as a document of its own.
func (m mapping) dedented(b []byte) []byte {
	out := make([]byte, 0, m.end-m.start+1)
	for i, line := range bytes.Split(b[m.start:m.end], []byte("\n")) {
		if i > 0 {
			spaces := len(line) - len(bytes.TrimLeft(line, " "))
			line = line[min(m.indent, spaces):]
		}
		out = append(append(out, line...), '\n')
	}
	return out
}
