package reports

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// JSON writes the report as one object, described by schema.json.
type JSON struct{}

// Write is the writer of ScanFormats.
func (JSON) Write(w io.Writer, r *report.Report) error { return writeReport(w, r, "  ") }

// textToJSON writes text of the evidence as report.Text does on its own, without a slice for
// each.
var textToJSON = json.MarshalToFunc(func(enc *jsontext.Encoder, t report.Text) error {
	return enc.WriteToken(jsontext.String(t.ValidUTF8()))
})

// messaged is a finding with its message.
type messaged struct {
	findingFields
	Message string `json:"message"`
}

type findingFields report.Finding

// findingToJSON writes a finding as it does on its own, with the options of the text around it.
var findingToJSON = json.MarshalToFunc(func(enc *jsontext.Encoder, f report.Finding) error {
	return json.MarshalEncode(enc, messaged{findingFields(f), f.Message()})
})

// jsonDefaults make output as encoding/json does. They are made once, because the marshalers
// remember which types they have met.
var jsonDefaults = json.JoinOptions(jsonv1.DefaultOptionsV1(), json.WithMarshalers(json.JoinMarshalers(textToJSON, findingToJSON)))

// jsonOptions are the defaults with an indent.
func jsonOptions(indent string) json.Options {
	if indent == "" {
		return jsonDefaults
	}
	return json.JoinOptions(jsonDefaults, jsontext.WithIndent(indent))
}

// writeJSON writes v and a newline, as encoding/json would. It holds only a part of the text in
// memory: a report may have tens of megabytes. It escapes every character that a terminal might
// act on, beyond what JSON asks for.
func writeJSON(w io.Writer, v any, indent string) error {
	if err := writeValue(w, v, jsonOptions(indent)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// writeValue is writeJSON without the newline.
func writeValue(w io.Writer, v any, options ...json.Options) error {
	out := bufio.NewWriterSize(&escaper{w: w}, 64<<10)
	if err := json.MarshalWrite(out, v, options...); err != nil {
		return err
	}
	return out.Flush()
}

// An escaper writes to w and replaces what is not printable, other than the newlines between
// JSON's tokens, by \u escapes, and the second of two number signs: to some CI systems they
// begin a command. All of these stand in strings alone.
type escaper struct {
	w      io.Writer
	cut    []byte // the start of a character; the next Write has the rest
	number bool   // a number sign came last
}

func (e *escaper) Write(b []byte) (int, error) {
	n := len(b)
	if len(e.cut) > 0 {
		b = append(e.cut, b...)
	}
	whole := wholeRunes(b)
	b, e.cut = b[:whole], bytes.Clone(b[whole:])
	for len(b) > 0 {
		plain := e.plainLength(b)
		if plain > 0 {
			if _, err := e.w.Write(b[:plain]); err != nil {
				return 0, err
			}
			e.number = b[plain-1] == '#'
			b = b[plain:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		if _, err := e.w.Write(escaped(r)); err != nil {
			return 0, err
		}
		e.number = r == '#'
		b = b[size:]
	}
	return n, nil
}

// wholeRunes is the length of b without the start of a character at its end.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax); i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				break
			}
			return i
		}
	}
	return len(b)
}

// plainLength is how much of b is as it may be, from its start on.
func (e *escaper) plainLength(b []byte) int {
	number := e.number
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '#':
			if number {
				return i
			}
			number = true
			i++
		case c >= ' ' && c < 0x7F || c == '\n':
			number = false
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r != utf8.RuneError && !isPrintable(r) {
				return i
			}
			number = false
			i += n
		}
	}
	return len(b)
}

func escaped(r rune) []byte {
	if r > 0xFFFF {
		hi, lo := utf16.EncodeRune(r)
		return fmt.Appendf(nil, `\u%04x\u%04x`, hi, lo)
	}
	return fmt.Appendf(nil, `\u%04x`, r)
}

// listJSONL writes a line of JSON a value.
type listJSONL struct {
	out  *escaper
	line bytes.Buffer // used again for each
}

func newListJSONL(w io.Writer) ValueFormat { return &listJSONL{out: &escaper{w: w}} }

// Value implements ValueFormat.
func (l *listJSONL) Value(v report.Value) error {
	l.line.Reset()
	if err := json.MarshalWrite(&l.line, v, jsonOptions("")); err != nil {
		return err
	}
	l.line.WriteByte('\n')
	_, err := l.out.Write(l.line.Bytes())
	return err
}

// Close implements ValueFormat.
func (l *listJSONL) Close() error { return nil }
