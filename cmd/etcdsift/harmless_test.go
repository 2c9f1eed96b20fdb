package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// widest bounds a line that people read, in characters: a name, and what stands beside it.
const widest = 768 + 200

// checkHarmless says what is wrong with an output: it must do nothing to a terminal, to
// a CI system that reads it line by line, or to the program that reads its format. A
// format without checks of its own is held to those that are for all.
func checkHarmless(format string, out []byte) error {
	var errs []error
	if !utf8.Valid(out) {
		errs = append(errs, errors.New("not UTF-8"))
	}
	for _, r := range string(out) {
		if r != '\n' && !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			errs = append(errs, fmt.Errorf("prints %U", r))
			break
		}
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso[") {
			errs = append(errs, fmt.Errorf("a command for CI: %.200q", line))
		}
	}
	if check := formatChecks[format]; check != nil {
		errs = append(errs, check(out))
	}
	return errors.Join(errs...)
}

// formatChecks are what the programs that read a format ask of it.
var formatChecks = map[string]func([]byte) error{
	"text":  narrow,
	"table": func(out []byte) error { return errors.Join(narrow(out), trimmed(out)) },
	"json":  oneJSON,
	"sarif": oneJSON,
	"jsonl": jsonLines,
	"yaml":  oneYAML,
	"csv":   noFormulas,
	"html":  noScript,
}

func narrow(out []byte) error {
	for line := range strings.Lines(string(out)) {
		if n := utf8.RuneCountInString(line); n > widest {
			return fmt.Errorf("a line of %d characters: %.200s", n, line)
		}
	}
	return nil
}

func trimmed(out []byte) error {
	for line := range strings.Lines(string(out)) {
		if strings.HasSuffix(line, " \n") {
			return fmt.Errorf("a space at the end of %.200q", line)
		}
	}
	return nil
}

func oneJSON(out []byte) error {
	d := json.NewDecoder(bytes.NewReader(out))
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

func jsonLines(out []byte) error {
	for line := range bytes.Lines(out) {
		if err := oneJSON(line); err != nil {
			return err
		}
	}
	return nil
}

// oneYAML reads one document that is an object, as kubectl and as YAML 1.2 do.
func oneYAML(out []byte) error {
	d := yamlv3.NewDecoder(bytes.NewReader(out))
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if err := d.Decode(&v); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document")
	}
	return yaml.UnmarshalStrict(out, &v)
}

// noFormulas finds cells that a spreadsheet would compute.
func noFormulas(out []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				return fmt.Errorf("a formula: %.100q", cell)
			}
		}
	}
	return err
}

// active is markup that HTML makes of HostileTexts.
var active = regexp.MustCompile(`(?i)<(script>alert|img src=x|svg/onload|b>)|javascript:alert|="[^"]*<`)

func noScript(out []byte) error {
	if found := active.Find(out); found != nil {
		return fmt.Errorf("markup: %q", found)
	}
	return nil
}

// The checks find what they are for, and let pass what is well.
func TestCheckHarmless(t *testing.T) {
	bad := map[string][]string{
		"any":   {"a\x1b[31m", "a\tb", "\u202ea", "db\ufe0f", "\u3164", "a\xff", "  ::error::x\n", "a ##[error]\n", "##vso[x]"},
		"table": {strings.Repeat("x", widest+1), "a \nb\n"},
		"json":  {"{", "{} {}", `{"a": "b"`},
		"sarif": {"<xml/>"},
		"jsonl": {"{}\n{} {}\n", "{}\nx\n"},
		"yaml":  {"a: b\n---\nc: d\n", "a: b\na: c\n", "- a\n", "text\n"},
		"csv":   {"a,=1+1\n", "\"+a\",b\n", "a,@b\n", "a,\"b\n"},
		"html":  {"<td><script>alert(1)</script>", `<a href="javascript:alert(1)">`, `<td title="<">`},
	}
	for format, outputs := range bad {
		for _, out := range outputs {
			if checkHarmless(format, []byte(out)) == nil {
				t.Errorf("%s: nothing is wrong with %.100q", format, out)
			}
		}
	}
	good := map[string]string{
		"any": "a:: b, # c\n", "table": "a  b\n", "json": "{\n}\n", "jsonl": "{}\n{}\n", "yaml": "a: '::b'\n",
		"csv": "a,'=1\n\"b, c\",d\n", "html": "<td>&lt;script>alert(1)</td>",
	}
	for format, out := range good {
		if err := checkHarmless(format, []byte(out)); err != nil {
			t.Errorf("%s: %q: %v", format, out, err)
		}
	}
}
