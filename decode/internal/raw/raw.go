// Package raw reads bytes that are not decoded yet.
package raw

import (
	"errors"
	"io"
)

// ReadFull fills b from offset off of r. The error is io.ErrUnexpectedEOF for a file that
// ends before that, because it has shrunk, and r's otherwise.
func ReadFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// blank is there to compare with: the comparison of the standard library is much faster than
// a loop.
var blank [4096]byte

// IsZero reports whether b is zeros only, as fast as b can be read.
func IsZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(blank))
		if string(b[:n]) != string(blank[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
