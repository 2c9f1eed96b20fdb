package reports

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Bytes writes a value that is no Kubernetes object as YAML: what it is, and with Reveal its bytes,
// as a text, or in base64 where they are not UTF-8.
//
//	no Kubernetes object: 312 bytes of text
//	text: "..."
type Bytes struct {
	Reveal bool
	What   string // what the value is, without a byte of it, such as "312 bytes of text": words, without a colon
}

// Write writes a value. Like that of a Manifest its output is harmless on a terminal, revealed or
// not, and goes out in one piece.
func (b Bytes) Write(w io.Writer, value []byte) error {
	out := fmt.Sprintf("no Kubernetes object: %s\n", Visible(b.What))
	if b.Reveal {
		field := map[string]any{"text": string(value)}
		if !utf8.Valid(value) {
			field = map[string]any{"base64": base64.StdEncoding.EncodeToString(value)}
		}
		var q quoter
		text, err := yaml.Marshal(q.value("", field))
		if err != nil {
			// The library's error may quote its input.
			return errors.New("the value can not be written as YAML")
		}
		out += q.restore(string(text))
	}
	_, err := io.WriteString(w, out)
	return err
}
