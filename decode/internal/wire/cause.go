package wire

import (
	"errors"
	"io"

	"github.com/etcdsift/etcdsift/decode"
)

// CauseOf names the cause in an error of a library's decoder. It drops the text of such an
// error, which may quote the value.
func CauseOf(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return decode.ErrTruncated
	}
	return decode.ErrValue
}
