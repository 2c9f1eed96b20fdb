package analyzer

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/carve"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// NoObject says of a stored value that is no Kubernetes object what it is, such as "312 bytes of
// text". It holds no byte of the value: of an envelope it holds the part that says how the value
// was encrypted.
func NoObject(value []byte) string {
	size := fmt.Sprintf("%d bytes", len(value))
	if len(value) == 1 {
		size = "1 byte"
	}
	env, err := envelope.Parse(value, 0)
	if env.Provider != envelope.Identity {
		what := size + ", an encrypted value"
		if err != nil {
			what += " (" + causeOf(err) + ")"
		}
		return what
	}
	if env.Encoding != envelope.Other {
		what := fmt.Sprintf("%s of %v", size, env.Encoding)
		if _, err := object.ParseMeta(value, 0); err != nil {
			what += " (" + causeOf(err) + ")"
		}
		return what
	}
	switch blank := seen.BlankOf(&env, value); {
	case blank == seen.BlankEmpty:
		return "empty"
	case blank == seen.BlankRandom:
		return fmt.Sprintf("%d %v", len(value), blank)
	case blank != seen.NotBlank:
		return fmt.Sprintf("%s, %v", size, blank)
	case isText(value), carve.Classify(value) == carve.Text:
		return size + " of text"
	case seen.HasRun(value):
		return size + ", some of them text"
	}
	return size + ", neither text nor random enough to be sure"
}

// causeOf is what is wrong with a form, in words without a place or a colon.
func causeOf(err error) string {
	if f := new(decode.FormatError); errors.As(err, &f) {
		return fmt.Sprintf("%s %v", f.What, f.Err)
	}
	return err.Error()
}

// isText reports whether a value is text alone, however short.
func isText(value []byte) bool {
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRune(value[i:])
		if r == utf8.RuneError && size <= 1 || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
		i += size
	}
	return true
}

// Opens reports whether a stored value may be an encrypted one, of which nothing is missing.
func Opens(value []byte) bool {
	env, err := envelope.Parse(value, 0)
	return err == nil && env.Provider != envelope.Identity
}
