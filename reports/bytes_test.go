package reports

import (
	"bytes"
	"encoding/base64"
	"testing"

	"sigs.k8s.io/yaml"
)

// What is written of a value that is no object does nothing to a terminal and reads as the same
// bytes; without Reveal there is none of them.
func TestBytes(t *testing.T) {
	for _, value := range append([]string{"hunter2\n", "\x00\xff\x1b[31m", "a\n::error::x ##[x]"}, hostileTexts...) {
		b := Bytes{What: "7 bytes of text (object, JSON cut short)"}
		var redacted, revealed bytes.Buffer
		if err := b.Write(&redacted, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, want := redacted.String(), "no Kubernetes object: 7 bytes of text (object, JSON cut short)\n"; got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		b.Reveal = true
		if err := b.Write(&revealed, []byte(value)); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, revealed.String())
		var read map[string]string
		if err := yaml.UnmarshalStrict(revealed.Bytes(), &read); err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		got, isText := read["text"]
		if !isText {
			raw, err := base64.StdEncoding.DecodeString(read["base64"])
			if err != nil {
				t.Errorf("%q: %v", value, err)
			}
			got = string(raw)
		}
		if got != value || read["no Kubernetes object"] != b.What || len(read) != 2 {
			t.Errorf("%q: %q", value, read)
		}
	}
}
