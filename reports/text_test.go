package reports

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  []string
	}{
		{"short", 10, []string{"short"}},
		{"two words here", 9, []string{"two words", "here"}},
		{"kubernetes.io/dockerconfigjson", 16, []string{"kubernetes.io/", "dockerconfigjson"}},
		{"0123456789abcdef", 6, []string{"012345", "6789ab", "cdef"}},
		{"", 5, []string{""}},
		{"名前空間の名前", 6, []string{"名前空", "間の名", "前"}},
	}
	for _, tt := range tests {
		got := wrap(tt.text, tt.width)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("wrap(%q, %d): %s", tt.text, tt.width, diff)
		}
	}
}

func TestVisible(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain text", "plain text"},
		{"\x1b[31m", `\x1b[31m`},
		{"a\nb\x00", `a\nb\x00`},
		{`a\nb`, `a\\nb`},
		{"\xff\xfe", `\xff\xfe`},
		{"ключ", "ключ"},
		{"\u202egnp", `\u202egnp`},
		{"'", "'"},
		{"::error::", `\x3a\x3aerror:\x3a`},
		{"a:b", "a:b"},
		{"##vso[x]", `#\x23vso[x]`},
		{"a #", "a #"},
		{"", ""},
		{"-", `\x2d`},
		{"--", "--"},
		{"(not Kubernetes)", `\x28not Kubernetes)`},
		{" a  b ", `\x20a \x20b\x20`},
		{"…", `\u2026`},
		{"a\ufe0fb\u3164\u200b", `a\ufe0fb\u3164\u200b`},
		{"\u0080\x80", `\u0080\x80`},
		{strings.Repeat("x", maxShown), strings.Repeat("x", maxShown)},
		{strings.Repeat("x", 65536), strings.Repeat("x", 559) + "… (65536 bytes) …" + strings.Repeat("x", 192)},
		{strings.Repeat("\u202e", 300), strings.Repeat(`\u202e`, 93) + "… (900 bytes) …" + strings.Repeat(`\u202e`, 32)},
		{strings.Repeat("名", 1000), strings.Repeat("名", 560) + "… (3000 bytes) …" + strings.Repeat("名", 192)},
	}
	for _, tt := range tests {
		got := visible(tt.in)
		if got != tt.want {
			t.Errorf("visible(%.100q) = %s, want %s", tt.in, got, tt.want)
		}
		if n := utf8.RuneCountInString(got); n > maxShown {
			t.Errorf("visible of %d bytes has %d characters", len(tt.in), n)
		}
	}
	if got := Visible("see: ::a"); got != `see: :\x3aa` {
		t.Errorf("Visible: %s", got)
	}
}

// What needs no escape is not looked at twice, and is shown as all else is.
func TestPlain(t *testing.T) {
	for _, b := range []string{"", "-", "(", ":", "#", " ", "\\", "a", "\x7f", "é"} {
		for _, s := range []string{b, "a" + b, b + "a", "a" + b + "a", "a" + b + b + "a"} {
			for _, name := range []bool{true, false} {
				if got, _ := head(s, maxShown, name); isPlain(s) && got != s {
					t.Errorf("%q is shown as %q", s, got)
				}
			}
		}
	}
	if !isPlain("/registry/secrets/payments/db") {
		t.Error("a key is not plain")
	}
}

// A row of a table starts at the edge, and what is left of a wrapped cell does not: no
// name looks like a row of its own.
func TestRowsStartAtTheEdge(t *testing.T) {
	g := grid{header: []string{"NAMESPACE", "NAME", "COPIES"}}
	g.add(strings.Repeat("a", 40)+" payments", strings.Repeat("b", 60)+" db", "live")
	g.add("payments", "db", "live")
	var b bytes.Buffer
	g.write(&b)
	rows := 0
	for line := range strings.Lines(b.String()) {
		if line[0] != ' ' {
			rows++
		}
	}
	if rows != 3 || strings.Count(b.String(), "\n") < 4 {
		t.Errorf("%d rows:\n%s", rows, b.String())
	}
}

func TestList(t *testing.T) {
	long := strings.Repeat("x", 500)
	if got, want := list([]string{"a, b", "c", long, long, "d", "e"}), `a\x2c b, c, `+long+", "+long+", and 2 more"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := list(make([]string, 40)); !strings.HasSuffix(got, ", and 8 more") {
		t.Error(got)
	}
}

// Whatever a name is, what is shown of it is bounded, has words with single spaces between
// them and nothing that acts on a terminal or a CI system, and is another one than that of
// any name that is not cut.
func FuzzVisible(f *testing.F) {
	for _, s := range []string{"", "-", "db", " a  b ", "::error::", "##vso[x]", "\xff\u0080\u202e…", `\x41`, "(root)", strings.Repeat("\x1b", 900)} {
		f.Add(s, "A"+s)
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		got := visible(s)
		if n := utf8.RuneCountInString(got); n > maxShown || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !isPrintable(r) }) {
			t.Errorf("%q: %q, of %d characters", s, got, n)
		}
		for _, bad := range []string{"::", "##", "  "} {
			if strings.Contains(got, bad) {
				t.Errorf("%q: %q holds %q", s, got, bad)
			}
		}
		if got != strings.Trim(got, " :") || got == "-" || strings.HasPrefix(got, "(") {
			t.Errorf("%q: %q", s, got)
		}
		if s != other && got == visible(other) && !strings.Contains(got, "… (") {
			t.Errorf("%q and %q are both shown as %q", s, other, got)
		}
		message := Visible(s)
		if strings.Contains(message, "::") || strings.Contains(message, "##") || strings.ContainsFunc(message, func(r rune) bool { return !isPrintable(r) }) {
			t.Errorf("%q: %q", s, message)
		}
	})
}
