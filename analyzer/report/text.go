package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is bytes out of the evidence: they may not be UTF-8, and may hold control characters and
// anything else that an attacker chose. Reports must quote it for their output.
type Text string

// MarshalJSON writes what ValidUTF8 gives: different texts stay different.
func (t Text) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.ValidUTF8())
}

// ValidUTF8 is the text with each byte that is not UTF-8 spelled out as \xNN. If the text
// itself holds such letters, their backslash is spelled out likewise.
func (t Text) ValidUTF8() string {
	if utf8.ValidString(string(t)) && !strings.Contains(string(t), `\x`) {
		return string(t)
	}
	var b strings.Builder
	for i := 0; i < len(t); {
		r, n := utf8.DecodeRuneInString(string(t[i:]))
		if r == utf8.RuneError && n == 1 || strings.HasPrefix(string(t[i:]), `\x`) {
			fmt.Fprintf(&b, `\x%02x`, t[i])
		} else {
			b.WriteString(string(t[i : i+n]))
		}
		i += n
	}
	return b.String()
}

func Texts[T ~string](list []T) []Text {
	out := make([]Text, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}
