package evidence

import (
	"errors"
	"io"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/page"
	"github.com/etcdsift/etcdsift/decode/v2store"
)

// Detect tells by its first bytes which kind of evidence a file of size bytes is: KindDB, also
// for a snapshot and with text before it, KindWAL, KindOther for a raft snapshot with a v2 store,
// or "" if it is none of these. The error is an I/O error.
func Detect(r io.ReaderAt, size int64) (report.Kind, error) {
	_, err := page.Open(r, size)
	if errors.Is(err, decode.ErrMagic) {
		if Packed(r) != "" {
			return "", nil // with a db in it that is stored as it is, perhaps
		}
		_, err = page.Locate(r, size)
	}
	if err == nil {
		return report.KindDB, nil
	}
	if !errors.Is(err, decode.ErrMagic) {
		return "", err
	}
	if isWAL(r) {
		return report.KindWAL, nil
	}
	if v2store.IsSnapshot(r, size) {
		return report.KindOther, nil
	}
	return "", nil
}

// settle finds the place of the db in the file of s, and tells what was done to the file if that
// made it unreadable: then s is a file to search only.
func (s *Source) settle() (spoilt string) {
	if s.Kind == report.KindWAL {
		return ""
	}
	if spoilt = conversions[page.DetectConversion(s.File, s.Size)]; spoilt != "" {
		s.Kind = report.KindOther
		return spoilt
	}
	if s.Kind != report.KindDB {
		return ""
	}
	if at, err := page.Locate(s.File, s.Size); err == nil {
		s.Base, s.Size, s.Before, s.Behind = at.Off, at.Size, at.Off, s.Size-at.Off-at.Size
	}
	return ""
}

// conversions are what makes a copy of a db unreadable, and what to do.
var conversions = map[page.Conversion]string{
	page.CRLF:  "a db in which each line feed was replaced by CR LF: it was copied through a terminal or in text mode; copy the file again in binary mode",
	page.UTF16: "a db that was converted to UTF-16 text, as the > of PowerShell does: copy the file again in binary mode, for example with kubectl cp, or with the > of cmd.exe",
	page.UTF8:  "a db that was converted to UTF-8 text, as the > of PowerShell does: copy the file again in binary mode, for example with kubectl cp, or with the > of cmd.exe",
}

// isWAL reports whether r starts as every WAL segment does, with a record that
// carries the CRC so far:
//
//	off size
//	 0   8   length, little-endian: 4 to 8 bytes, and in the top byte 0x80 + padding
//	 8   2   protobuf field 1 (type) = 4 (crc)
//	10   1   protobuf field 2 (crc)
//
// Source: encoder.encode in go.etcd.io/etcd/server/v3/storage/wal/encoder.go.
func isWAL(r io.ReaderAt) bool {
	b := make([]byte, 11)
	if n, _ := r.ReadAt(b, 0); n < len(b) {
		return false
	}
	padded := b[7] == 0 || b[7] >= 0x80 && b[7] <= 0x87
	return padded && b[0] >= 4 && b[0] <= 8 && b[1]|b[2]|b[3]|b[4]|b[5]|b[6] == 0 &&
		b[8] == 0x08 && b[9] == 0x04 && b[10] == 0x10
}
