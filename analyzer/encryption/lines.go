package encryption

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lines finds the line of a field in the file, because the API server's errors name only its
// path.
type lines struct {
	root *yaml.Node
}

// newLines reads the file as YAML. Its error, for a file that is not YAML, has the line, and no
// text of the file but YAML's own signs.
func newLines(file []byte) (*lines, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		if json.Valid(file) { // tabs and escapes that YAML does not know
			return &lines{root: &yaml.Node{}}, nil
		}
		return nil, fmt.Errorf("not YAML: %w", syntaxError(err))
	}
	l := &lines{root: &yaml.Node{}}
	if len(document.Content) > 0 {
		l.root = document.Content[0]
	}
	if l.root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("not an %s: no fields at the top", kind)
	}
	return l, nil
}

// yamlLine finds the line in an error of the YAML library.
var yamlLine = regexp.MustCompile(`line (\d+)`)

// syntaxError keeps the line and the known part of a YAML library error, because the rest may
// quote the file.
func syntaxError(err error) error {
	text := err.Error()
	what := "it breaks the syntax"
	for _, known := range []string{
		"found character that cannot start any token", "could not find expected ':'", "did not find expected key",
		"mapping values are not allowed in this context", "found a tab character", "did not find expected '-' indicator",
		"did not find expected node content", "found unexpected end of stream", "control characters are not allowed",
		"invalid leading UTF-8 octet", "unknown anchor", "exceeded max depth", "excessive aliasing",
	} {
		if strings.Contains(text, known) {
			what = known
			break
		}
	}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("near line %s: %s", m[1], what) // it may be the line before
	}
	return errors.New(what)
}

// of is the line of a field such as "resources[0].providers[1].aescbc.keys[0].secret", or of
// its nearest ancestor in the file; 0 if there is no ancestor.
func (l *lines) of(path string) int {
	line := 0
	node := l.root
	for _, step := range steps(path) {
		key, next := child(node, step)
		if next == nil {
			break
		}
		line, node = key.Line, next
	}
	return line
}

// text is the value of a field at the top, empty if it is not a text.
func (l *lines) text(name string) string {
	if _, value := child(l.root, name); value != nil && value.Kind == yaml.ScalarNode {
		return value.Value
	}
	return ""
}

// steps takes a path apart: names, and indexes as numbers.
func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// child is the node below node that step names, and the node that names it. It compares names
// as the API server's decoder and its internal field paths write them.
func child(node *yaml.Node, step string) (key, value *yaml.Node) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if strings.EqualFold(node.Content[i].Value, step) {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	}
	return nil, nil
}

// errorAt says what is wrong with a field.
func (l *lines) errorAt(path, what string) error {
	if line := l.of(path); line > 0 {
		return fmt.Errorf("line %d: %s: %s", line, path, what)
	}
	return fmt.Errorf("%s: %s", path, what)
}

// strictMessage is what the API server's strict decoder says: the path of a field
// that it does not know or has met twice.
var strictMessage = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)

// Errors show only the fields of a path that the API server knows, and a name behind them that
// is too short for a key: a secret may stand where a field's name should.
var (
	knownPath = regexp.MustCompile(`^(?:(?:resources|providers|aescbc|aesgcm|secretbox|identity|kms|keys)(?:\[\d+\])?\.)*`)
	plainName = regexp.MustCompile(`^[A-Za-z]{1,15}$`)
)

// strictError says what a strict decoder does not accept.
func (l *lines) strictError(err error) error {
	if m := strictMessage.FindStringSubmatch(err.Error()); m != nil {
		line := l.of(m[2])
		known := knownPath.FindString(m[2])
		if rest := m[2][len(known):]; plainName.MatchString(rest) {
			known += rest
		}
		if known = strings.TrimSuffix(known, "."); known == "" {
			known = "at the top"
		}
		if line > 0 {
			return fmt.Errorf("line %d: %s: %s field", line, known, m[1])
		}
		return fmt.Errorf("%s: %s field", known, m[1])
	}
	if line := duplicate(l.root); line > 0 {
		return fmt.Errorf("line %d: a field that is there twice", line)
	}
	return errors.New("a field that is not known, or there twice")
}

// duplicate is the line of the first field that its map has already; 0 if no map repeats one.
func duplicate(node *yaml.Node) int {
	seen := map[string]bool{}
	for i, below := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[below.Value] {
				return below.Line
			}
			seen[below.Value] = true
		}
		if line := duplicate(below); line > 0 {
			return line
		}
	}
	return 0
}

// misplaced is an error for a value of the wrong type: the decoder does not tell the place, so
// misplaced looks for the first field that cannot be right.
func (l *lines) misplaced(what string) error {
	if node := wrongType(l.root, topShape, map[*yaml.Node]bool{}); node != nil {
		return fmt.Errorf("line %d: %s", node.Line, what)
	}
	return errors.New(what)
}
