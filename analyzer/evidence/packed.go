package evidence

import (
	"bytes"
	"io"
)

// packers are the formats in which people keep backups, by the bytes at an offset.
//
// Source: RFC 1952, RFC 8878, the xz file format 1.2.1, bzip2 and compress(1), the LZ4
// frame format 1.6.4, APPNOTE.TXT 6.3.10 and POSIX pax.
var packers = []struct {
	magic string
	off   int
	what  string
}{
	{"\x1f\x8b", 0, "a compressed file"},         // gzip
	{"\x28\xb5\x2f\xfd", 0, "a compressed file"}, // zstd
	{"\xfd7zXZ\x00", 0, "a compressed file"},
	{"BZh", 0, "a compressed file"},
	{"\x04\x22\x4d\x18", 0, "a compressed file"}, // LZ4
	{"\x1f\x9d", 0, "a compressed file"},         // compress
	{"PK\x03\x04", 0, "a zip archive"},
	{"ustar", 257, "a tar archive"},
}

// Packed says which kind of archive or compressed file f is by its first bytes; empty for any
// other.
func Packed(f io.ReaderAt) string {
	head := make([]byte, 257+len("ustar"))
	n, _ := f.ReadAt(head, 0) // a short file has less
	for _, p := range packers {
		if p.off <= n && bytes.HasPrefix(head[p.off:n], []byte(p.magic)) {
			return p.what
		}
	}
	return ""
}
