package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/analyzer"
)

// JSON writes the report as one object, described by schema.json.
type JSON struct{}

// Write implements Format.
func (JSON) Write(w io.Writer, r *analyzer.Report) error { return writeJSON(w, r, "  ") }

// writeJSON writes v and a newline. Every character that a terminal might act on
// is escaped, beyond what JSON asks for.
func writeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeUnprintable(b.Bytes()))
	return err
}

// escapeUnprintable replaces what is not printable, other than the newlines
// between JSON's tokens, by \u escapes. It stands in strings alone.
func escapeUnprintable(b []byte) []byte {
	plain := func(r rune) bool { return r == '\n' || r == utf8.RuneError || unicode.IsPrint(r) }
	if bytes.IndexFunc(b, func(r rune) bool { return !plain(r) }) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case plain(r):
			out = append(out, b[:n]...)
		case r > 0xFFFF:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}

// listJSONL writes a line of JSON a value.
type listJSONL struct{ w io.Writer }

func newListJSONL(w io.Writer) listJSONL { return listJSONL{w} }

// Value implements ValueFormat.
func (l listJSONL) Value(v analyzer.Value) error { return writeJSON(l.w, v, "") }

// Close implements ValueFormat.
func (l listJSONL) Close() error { return nil }
