package page

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// A codePage is what a program takes each byte from 0x80 on for.
type codePage func(b byte) rune

func windows1252(b byte) rune { return rune(b) }
func lossy(byte) rune         { return '\ufffd' }
func greek(b byte) rune       { return 'α' + rune(b) }

func textOf(b []byte, page codePage) string {
	var text strings.Builder
	for _, c := range b {
		switch {
		case c == '\n':
			text.WriteString("\r\n")
		case c < 0x80:
			text.WriteByte(c)
		default:
			text.WriteRune(page(c))
		}
	}
	return text.String()
}

func utf16Of(b []byte, page codePage) []byte {
	file := []byte("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(textOf(b, page))) {
		file = binary.LittleEndian.AppendUint16(file, unit)
	}
	return file
}

func TestDetectConversion(t *testing.T) {
	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	for _, pageSize := range []int{1024, 4096, 16384} {
		b, w := makeDB(t, boltOptions(pageSize), putKeys("key", 3, 20), putKeys("members", 2, 30), putKeys("key", 300, 200))
		snapshot := withHash(b, w)
		for name, db := range map[string][]byte{"little": snapshot, "big": toBigEndian(b[:w.HighSize])} {
			for _, before := range []string{"", stderrLine} {
				db := append([]byte(before), db...)
				for _, c := range []struct {
					what string
					b    []byte
					want Conversion
				}{
					{"as it is", db, NoConversion},
					{"CR LF before it alone", append([]byte("one\r\ntwo\r\n"), db...), NoConversion},
					{"CR LF", crlf(db), CRLF},
					{"CR LF twice", crlf(crlf(db)), CRLF},
					{"UTF-16, windows-1252", utf16Of(db, windows1252), UTF16},
					{"UTF-16, bytes lost", utf16Of(db, lossy), UTF16},
					{"UTF-16, another code page", utf16Of(db, greek), UTF16},
					{"UTF-8, windows-1252", []byte(textOf(db, windows1252)), UTF8},
					{"UTF-8, bytes lost, with a mark", []byte("\ufeff" + textOf(db, lossy)), UTF8},
				} {
					if got := DetectConversion(bytes.NewReader(c.b), int64(len(c.b))); got != c.want {
						t.Errorf("%s-endian, pages of %d, %d bytes before, %s: %d, want %d", name, pageSize, len(before), c.what, got, c.want)
					}
				}
			}
		}
	}
	for _, other := range []string{"", "\r\n", strings.Repeat("a text file\r\n", 1000), "\xff\xfea\x00\r\x00\n\x00"} {
		if got := DetectConversion(strings.NewReader(other), int64(len(other))); got != NoConversion {
			t.Errorf("%.20q: %d", other, got)
		}
	}
}
