package carve

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"
)

// A Class is what bytes look like.
type Class uint8

const (
	Mixed  Class = iota // neither, some of both, or too short to tell
	Text                // text, with little between it
	Random              // no different from random bytes: what ciphertext looks like
)

func (c Class) String() string {
	switch c {
	case Text:
		return "text"
	case Random:
		return "random"
	}
	return "mixed"
}

const (
	minText     = 32 // fewer bytes are never Random
	minSure     = 16 // and fewer are never Text
	minRepeats  = 256
	window      = 256
	minWindows  = 512
	maxInWindow = 160
	minChi      = 130
	maxChi      = 450
	maxShortChi = 620
	classBlock  = 4096

	// chernoff is the largest exponent that random bytes may give: e^-22 is 2.8e-10.
	chernoff = 22
)

// pText is the part of all bytes that are ASCII letters, digits, punctuation or
// white space: 98 of 256.
const pText = 98.0 / 256

// Classify tells text from what is as random as ciphertext. The tests, for each block
// of 4096 bytes or what there is of one:
//
//   - Random needs 32 bytes. The number of bytes that are text in ASCII must be one
//     that 98 in 256 can give, by the Chernoff bound e^-22, which is 3 in 10^10; below
//     256 bytes the same goes for the number of bytes that repeat another; from 128
//     bytes on the chi-square of the histogram against the uniform distribution (mean
//     255, standard deviation 22.6) is at most 620, and from 512 on 130 to 450, 8.6
//     standard deviations. From 512 bytes on, no window of 256 may have 160 printable
//     bytes, 7.7 standard deviations: text that ciphertext surrounds is not lost.
//   - Text has 7 bytes in 8 that are text in UTF-8, and no window that looks random.
//   - Mixed is all else.
//
// So ciphertext is hardly ever taken for something else. The other way round is weaker:
// compressed or binary data look random (gzip, DER, keys), and so may a piece of protobuf
// below 128 bytes without text in it, 2 of 806 in TestClassifyText.
func Classify(b []byte) Class {
	if len(b) <= classBlock {
		return classify(b)
	}
	// A part of another kind must not drown in a long piece.
	first := noClass
	for len(b) > 0 {
		n := min(len(b), classBlock)
		if rest := len(b) - n; rest > 0 && rest < minWindows {
			n = len(b) // too little to judge alone
		}
		switch c := classify(b[:n]); {
		case first == noClass:
			first = c
		case c != first:
			return Mixed
		}
		b = b[n:]
	}
	return first
}

const noClass Class = 255

func classify(b []byte) Class {
	n := len(b)
	if n < minText {
		if n >= minSure && textLength(b) == n {
			return Text
		}
		return Mixed
	}
	if n >= minWindows && hasTextWindow(b) {
		return textOrMixed(b)
	}
	var h histogram
	h.count(b)
	if h.isUniform(n) {
		return Random
	}
	return textOrMixed(b)
}

// textOrMixed is for what is not Random.
func textOrMixed(b []byte) Class {
	if 8*textLength(b) >= 7*len(b) && !hasRandomWindow(b) {
		return Text
	}
	return Mixed
}

// A histogram counts the bytes of up to classBlock+minWindows. Four counters for
// each value keep the additions from waiting for each other.
type histogram [4][256]uint16

func (h *histogram) count(b []byte) {
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b)
		h[0][byte(v)]++
		h[1][byte(v>>8)]++
		h[2][byte(v>>16)]++
		h[3][byte(v>>24)]++
		h[0][byte(v>>32)]++
		h[1][byte(v>>40)]++
		h[2][byte(v>>48)]++
		h[3][byte(v>>56)]++
		b = b[8:]
	}
	for _, c := range b {
		h[0][c]++
	}
}

// isUniform tells whether n counted bytes can be random ones.
func (h *histogram) isUniform(n int) bool {
	squares, text, different := 0, 0, 0
	for i := range 256 {
		c := int(h[0][i]) + int(h[1][i]) + int(h[2][i]) + int(h[3][i])
		squares += c * c
		if c > 0 {
			different++
		}
		if isText(byte(i)) {
			text += c
		}
	}
	if exceeds(float64(text), float64(n), pText) {
		return false
	}
	if n < minRepeats && repeatsExceed(n-different, n) {
		return false
	}
	chi := float64(squares)*256/float64(n) - float64(n)
	switch {
	case n >= minWindows:
		return minChi <= chi && chi <= maxChi
	case n >= minRepeats/2:
		return chi <= maxShortChi
	}
	return true
}

// exceeds tells whether x of n independent events of probability p are too many or too few:
// their probability is at most exp(-n*D), with D the Kullback-Leibler divergence of x/n from
// p (Chernoff).
func exceeds(x, n, p float64) bool {
	q := x / n
	d := 0.0
	if q > 0 {
		d += q * math.Log(q/p)
	}
	if q < 1 {
		d += (1 - q) * math.Log((1-q)/(1-p))
	}
	return n*d > chernoff
}

// repeatsExceed tells whether too many of n bytes are the same as one before them. Of random
// bytes, the i-th is so with a probability of at most (i-1)/256 whatever those before it are.
// So the number is below that of independent events with a mean of n(n-1)/512, and has their
// bound.
func repeatsExceed(repeats, n int) bool {
	mean := float64(n) * float64(n-1) / 512
	x := float64(repeats)
	return x > mean && x*math.Log(x/mean)-x+mean > chernoff
}

// hasTextWindow tells whether any window of b, in steps of half its length, has more bytes
// from 0x20 to 0x7f than random bytes can have.
func hasTextWindow(b []byte) bool {
	last := printable(b[:window/2])
	for b = b[window/2:]; len(b) >= window/2; b = b[window/2:] {
		next := printable(b[:window/2])
		if last+next >= maxInWindow {
			return true
		}
		last = next
	}
	return false
}

// printable counts the bytes from 0x20 to 0x7f, eight at a time.
func printable(b []byte) int {
	const high, space = 0x8080808080808080, 0x6060606060606060
	n := 0
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		// Adding 0x60 carries into the high bit from 0x20 on.
		n += bits.OnesCount64((v&^high + space) &^ v & high)
	}
	return n
}

// hasRandomWindow tells whether a window of b looks random: then b, which is mostly text, has
// something else in it.
func hasRandomWindow(b []byte) bool {
	for ; len(b) >= window; b = b[window:] {
		if 2*printable(b[:window]) > window {
			continue
		}
		if 2*textLength(b[:window]) <= window {
			return true
		}
	}
	return false
}

// isText tells the bytes that text in ASCII is made of.
func isText(c byte) bool { return ' ' <= c && c <= '~' || c == '\t' || c == '\n' || c == '\r' }

// textLength counts the bytes of b that belong to text in UTF-8.
func textLength(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if isText(c) {
				n++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError {
			n += size
		}
		i += size
	}
	return n
}

// textRun returns where the first run of minText or more bytes of ASCII text
// starts in b, or its length. In random bytes one starts once in 3e13.
func textRun(b []byte) int {
	for i := 0; i+minText <= len(b); {
		// From the end of the run backwards: one byte that is not text moves it far.
		j := i + minText - 1
		for j >= i && isText(b[j]) {
			j--
		}
		if j < i {
			return i
		}
		i = j + 1
	}
	return len(b)
}
