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

// maxCell bounds a text from the evidence in a table, in characters: a key of 64
// KiB must not bury the rest. JSON has it whole.
const maxCell = 512

// visible is a text from the evidence as a terminal may show it: what is not
// printable is written as an escape of Go, and a backslash doubled so that no key
// can look like another. A second colon is escaped too: a line that starts with
// two is a command to some CI systems.
func visible[T ~string](t T) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(t); n++ {
		if n == maxCell {
			fmt.Fprintf(&b, "... (%d bytes)", len(t))
			break
		}
		r, size := utf8.DecodeRuneInString(string(t[i:min(i+utf8.UTFMax, len(t))]))
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, t[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == ':' && strings.HasSuffix(b.String(), ":"):
			b.WriteString(`\x3a`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += size
	}
	return b.String()
}

// Visible is a text as a terminal may show it, for messages that are no report.
func Visible(s string) string { return visible(s) }

// orDash is what a table shows: a dash for nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// maxListed bounds the items of a list in a table.
const maxListed = 32

func list[T ~string](items []T) string {
	shown := make([]string, min(len(items), maxListed))
	for i := range shown {
		shown[i] = visible(items[i])
	}
	if more := len(items) - maxListed; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

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

// breakAt is where to break runes, of which n fit on a line.
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

// An errWriter keeps the first error of w, as the libraries above it lose it,
// and cuts the spaces at the ends of lines.
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
