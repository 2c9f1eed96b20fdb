package page

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A Conversion is what a copy in text mode did to the bytes of a db.
type Conversion uint8

const (
	NoConversion Conversion = iota
	CRLF                    // each line feed became a carriage return and a line feed
	UTF16                   // each byte became a character, stored as UTF-16
	UTF8                    // each byte became a character, stored as UTF-8: bytes from 0x80 on are lost, or two
)

// convertedHead is how many bytes DetectConversion looks at.
const convertedHead = 1 << 20

// DetectConversion tells by the first MiB of the file r of size bytes whether it was a db that
// somebody copied in text mode, perhaps with messages before it. It is sure of what it finds: a
// conversion of line feeds counts only if its undoing brings pages to their places, and a
// conversion of characters if those of a meta page are there.
func DetectConversion(r io.ReaderAt, size int64) Conversion {
	b := make([]byte, min(size, convertedHead))
	n, _ := r.ReadAt(b, 0) // what the disk did not give tells nothing
	b = b[:n]
	if isCRLF(b) {
		return CRLF
	}
	if _, err := Locate(r, size); err == nil {
		return NoConversion
	}
	switch {
	case hasWideMeta(fromUTF16(b, 0)), hasWideMeta(fromUTF16(b, 1)):
		return UTF16
	case hasWideMeta(fromUTF8(b)):
		return UTF8
	}
	return NoConversion
}

// maxConverted is how many times over isCRLF undoes the conversion of line feeds: a terminal and
// then a shell may each have made one.
const maxConverted = 3

// isCRLF reports whether b, the start of a file, is that of a db in which a carriage return stands
// before each line feed. No db of an etcd is like that by itself: each KeyValue starts with 0x0a.
func isCRLF(b []byte) bool {
	undone := b
	for range maxConverted {
		pairs := bytes.Count(undone, []byte("\r\n"))
		if pairs == 0 || pairs < bytes.Count(undone, []byte("\n")) {
			return false
		}
		undone = bytes.ReplaceAll(undone, []byte("\r\n"), []byte("\n"))
		if pagesIn(undone) > pagesIn(b) {
			return true
		}
	}
	return false
}

// pagesIn counts the pages at the start of a file that are where their headers say.
func pagesIn(b []byte) int {
	r, size := bytes.NewReader(b), int64(len(b))
	at, err := Locate(r, size)
	if err != nil {
		return 0
	}
	n := size - at.Off
	f, err := Open(io.NewSectionReader(r, at.Off, n), n)
	if err != nil {
		return 0
	}
	return f.plausiblePages(f.PageSize, f.Order)
}

// fromUTF16 is the text in b, in which the high byte of each character is that at index high.
func fromUTF16(b []byte, high int) []rune {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i+high])<<8 | uint16(b[2*i+1-high])
	}
	return utf16.Decode(units)
}

// fromUTF8 is the text at the start of b that is valid UTF-8.
func fromUTF8(b []byte) []rune {
	var text []rune
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		text, b = append(text, r), b[n:]
	}
	return text
}

// hasWideMeta reports whether a meta page is in text of which each character was one byte. Which
// characters the bytes from 0x80 on became depends on the code page: they only must not be ASCII.
func hasWideMeta(text []rune) bool {
	const other = -1 // any character that is not ASCII
	// The header of page 0 (flags 4, no elements, no overflow), the magic number, the version.
	little := []rune{0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, other, other, 0x0c, other, 2, 0, 0, 0}
	big := []rune{0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, other, 0x0c, other, other, 0, 0, 0, 2}
	for start := 0; ; start++ {
		i := slices.Index(text[start:], 4)
		if i < 0 {
			return false
		}
		start += i
		for _, meta := range [][]rune{little, big} {
			at := start - slices.Index(meta, 4)
			if at < 0 || at+len(meta) > len(text) {
				continue
			}
			if slices.EqualFunc(meta, text[at:at+len(meta)], func(want, got rune) bool { return want == got || want == other && got >= 0x80 }) {
				return true
			}
		}
	}
}
