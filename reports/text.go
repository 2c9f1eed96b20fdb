package reports

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// maxShown bounds a text from the evidence where people read it, in characters: a key
// of 64 KiB must not bury the rest. JSON has it whole. The longest key that an API
// server writes has 645: those of a custom resource with a long group.
const maxShown = 768

// visible is a name from the evidence as a terminal may show it. Nobody can take it for
// anything else: visible writes what is not printable as an escape of Go, doubles a backslash,
// leaves spaces only between words, and makes no name look like what this package writes itself
// ("-", "(not Kubernetes)", "…").
func visible[T ~string](t T) string { return shown(string(t), true) }

// Visible is a message as a terminal may show it, with names in it or not.
func Visible(s string) string { return shown(s, false) }

// shown escapes a name or a message, and takes out the middle of one that is too long:
// a message says at its end what is wrong.
func shown(s string, name bool) string {
	if isPlain(s) {
		return s
	}
	if all, n := head(s, maxShown, name); n == len(s) {
		return all
	}
	mark := fmt.Sprintf("… (%d bytes) …", len(s))
	const end = maxShown / 4
	first, _ := head(s, maxShown-end-utf8.RuneCountInString(mark), name)
	return first + mark + tail(s, end, name)
}

// head escapes as many characters of s as take at most limit, and says how many bytes
// these are.
func head(s string, limit int, name bool) (string, int) {
	var b strings.Builder
	for i := 0; i < len(s); {
		piece, size := escape(s, i, name)
		if limit -= utf8.RuneCountInString(piece); limit < 0 {
			return b.String(), i
		}
		b.WriteString(piece)
		i += size
	}
	return b.String(), len(s)
}

// tail is the same from the end.
func tail(s string, limit int, name bool) string {
	text := ""
	for i := len(s); i > 0; {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
		piece, _ := escape(s, i, name)
		if limit -= utf8.RuneCountInString(piece); limit < 0 {
			break
		}
		text = piece + text
	}
	return text
}

// isPlain reports whether a text needs no escapes, as nearly none does.
func isPlain(s string) bool {
	if s == "" || len(s) > maxShown || s == "-" || s[0] == '(' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= utf8.RuneSelf, c == 0x7f, c == '\\':
			return false
		case c == ':' && (i == 0 || i == len(s)-1 || s[i-1] == ':'), c == '#' && i > 0 && s[i-1] == '#':
			return false
		}
	}
	return true
}

// escape is how the character at offset i of s is shown, and its size in bytes. Two colons at
// the start of a line, and two number signs anywhere, begin a command to some CI systems:
// escape changes the second. It leaves a name neither a colon nor a space at its ends, because
// others may follow.
func escape(s string, i int, name bool) (string, int) {
	r, size := utf8.DecodeRuneInString(s[i:])
	twice := i > 0 && s[i-1] == s[i]
	start, atEnd := name && i == 0, name && (i == 0 || i+size == len(s))
	switch {
	case r == utf8.RuneError && size == 1,
		(r == ':' || r == '#') && twice,
		(r == ':' || r == ' ') && atEnd,
		r == ' ' && name && twice,
		r == '(' && start,
		r == '-' && start && len(s) == 1:
		return fmt.Sprintf(`\x%02x`, s[i]), size
	case r == '\\':
		return `\\`, size
	case r == ' ' || isPrintable(r) && r != '…':
		return s[i : i+size], size
	}
	return strings.Trim(strconv.QuoteRuneToASCII(r), "'"), size
}

// isPrintable reports whether a character shows on a terminal, and does nothing to those
// around it: of those that Unicode lets a program ignore some are letters or marks.
func isPrintable(r rune) bool {
	const blank = '\u2800' // a pattern of Braille without a dot
	return unicode.IsPrint(r) && r != blank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// orDash is what a table shows: a dash for nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// maxListed bounds the items of a list in a table; maxShown the characters of all but
// the last.
const maxListed = 32

func list[T ~string](items []T) string {
	var shown []string
	length := 0
	for i, t := range items {
		if i == maxListed || length > maxShown {
			shown = append(shown, fmt.Sprintf("and %d more", len(items)-i))
			break
		}
		shown = append(shown, item(t))
		length += len(shown[i])
	}
	return strings.Join(shown, ", ")
}

// item is a name in a list: it cannot be taken for two.
func item[T ~string](t T) string { return strings.ReplaceAll(visible(t), ", ", `\x2c `) }

// and joins the items as a sentence does.
func and(items []string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// bytesSize writes a size as people read it, in powers of 1024.
func bytesSize(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.95 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// wrap breaks s into lines that take at most width columns of a terminal: at
// spaces, else behind one of a few characters, else anywhere. Nothing is lost.
func wrap(s string, width int) []string {
	var lines []string
	runes := []rune(s)
	for {
		n := fitting(runes, width)
		if n == len(runes) {
			return append(lines, string(runes))
		}
		cut := breakAt(runes, n)
		lines = append(lines, strings.TrimRight(string(runes[:cut]), " "))
		runes = runes[cut:]
	}
}

// fitting is how many of the runes take at most width columns, at least one.
func fitting(runes []rune, width int) int {
	columns := 0
	for i, r := range runes {
		if columns += displayWidth(string(r)); columns > width && i > 0 {
			return i
		}
	}
	return len(runes)
}

// displayWidth is how many columns of a terminal a text takes.
func displayWidth(s string) int { return twwidth.Width(s) }

// breakAt is where to break runes; n of them fit on a line.
func breakAt(runes []rune, n int) int {
	for i := n; i > n/3; i-- {
		if runes[i] == ' ' {
			return i + 1
		}
	}
	for i := n; i > n/2; i-- {
		if strings.ContainsRune("/-.,_:", runes[i-1]) {
			return i
		}
	}
	return n
}

// An errWriter keeps the first error of w, because the libraries above it lose it, and cuts the
// spaces at the ends of lines.
type errWriter struct {
	w       io.Writer
	pending []byte // an unfinished line
	err     error
}

func (e *errWriter) Write(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	e.pending = append(e.pending, p...)
	for {
		line, rest, ok := bytes.Cut(e.pending, []byte{'\n'})
		if !ok {
			return len(p), nil
		}
		line = append(bytes.TrimRight(line, " "), '\n')
		if _, e.err = e.w.Write(line); e.err != nil {
			return 0, e.err
		}
		e.pending = rest
	}
}

func (e *errWriter) printf(format string, args ...any) {
	fmt.Fprintf(e, format, args...)
}

// paragraph prints a text wrapped at the width of a table, its further lines
// indented.
func (e *errWriter) paragraph(indent, text string) {
	for i, line := range wrap(text, tableWidth-len(indent)) {
		if i > 0 {
			line = indent + line
		}
		e.printf("%s\n", line)
	}
}
