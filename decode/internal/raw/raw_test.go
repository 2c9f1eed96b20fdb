package raw

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var errBroken = errors.New("broken")

// reading is a file of that many bytes; ReadAt gives short of them, with err.
type reading struct {
	short int
	err   error
}

func (r reading) ReadAt(b []byte, _ int64) (int, error) { return min(r.short, len(b)), r.err }

func TestReadFull(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    io.ReaderAt
		off  int64
		err  error
	}{
		{"all", strings.NewReader("abcdef"), 1, nil},
		{"up to the end", strings.NewReader("abcdef"), 2, nil},
		{"all, and the end", reading{4, io.EOF}, 0, nil},
		{"over the end", strings.NewReader("abcdef"), 3, io.ErrUnexpectedEOF},
		{"behind the end", strings.NewReader("abcdef"), 9, io.ErrUnexpectedEOF},
		{"short without a reason", reading{3, nil}, 0, io.ErrUnexpectedEOF},
		{"broken", reading{3, errBroken}, 0, errBroken},
	} {
		if err := ReadFull(tt.r, make([]byte, 4), tt.off); err != tt.err {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
		}
	}
}

func TestIsZero(t *testing.T) {
	for _, n := range []int{0, 1, len(blank) - 1, len(blank), len(blank) + 1, 3 * len(blank)} {
		b := make([]byte, n)
		if !IsZero(b) {
			t.Errorf("%d zeros are none", n)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if n == 0 {
				continue
			}
			if b[at] = 1; IsZero(b) {
				t.Errorf("byte %d of %d is no zero", at, n)
			}
			b[at] = 0
		}
	}
}
