package report

import (
	"encoding"
	"encoding/json"
	"fmt"
	"testing"
)

// A word that is read is the word that was written, and no other is read.
func TestWords(t *testing.T) {
	testWords(t, Providers())
	testWords(t, Encodings())
	testWords(t, AllLooks())
	testWords(t, Proofs())
	testWords(t, Policies())
	testWords(t, ConfigUses())
}

func testWords[W interface {
	~string
	fmt.Stringer
}](t *testing.T, words []W) {
	t.Helper()
	if len(words) < 3 {
		t.Errorf("%d words", len(words))
	}
	for _, w := range append(words, "") {
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		var got W
		if err := json.Unmarshal(b, &got); err != nil || got != w {
			t.Errorf("%s is read as %q (%v)", b, got, err)
		}
		if w.String() != string(w) {
			t.Errorf("%q is %q", string(w), w)
		}
	}
	var got W
	if err := any(&got).(encoding.TextUnmarshaler).UnmarshalText([]byte("nonsense")); err == nil || got != "" {
		t.Errorf("nonsense is read as %q", got)
	}
}

// A page has its number, page 0 too, and none has none.
func TestPage(t *testing.T) {
	for _, tt := range []struct {
		page Page
		json string
	}{{Page{}, "null"}, {PageOf(0), "0"}, {PageOf(37), "37"}, {PageAt(4095, 4096), "0"}, {PageAt(4096, 4096), "1"}, {PageAt(4096, 0), "null"}} {
		b, err := json.Marshal(tt.page)
		if err != nil || string(b) != tt.json {
			t.Errorf("%+v is %s (%v), want %s", tt.page, b, err, tt.json)
		}
		got := PageOf(99)
		if err := json.Unmarshal(b, &got); err != nil || got != tt.page {
			t.Errorf("%s is read as %+v (%v), want %+v", b, got, err, tt.page)
		}
		if _, ok := got.Number(); ok == got.IsZero() {
			t.Errorf("%+v: it has a number: %v", got, ok)
		}
	}
	var got Page
	for _, text := range []string{"-1", "18446744073709551615", `"a"`, "1.5"} {
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}
