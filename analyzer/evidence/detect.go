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
// for a snapshot, KindWAL, KindOther for a raft snapshot with a v2 store, or "" if it is none of
// these. The error is an I/O error.
func Detect(r io.ReaderAt, size int64) (report.Kind, error) {
	_, err := page.Open(r, size)
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
