package evidence

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// packers are the formats in which people keep backups, by the bytes at an offset: what a file of
// such a format is, and what to do to have it examined.
//
// Source: RFC 1952, RFC 8878, the xz file format 1.2.1, bzip2 and compress(1), the LZ4
// frame format 1.6.4, APPNOTE.TXT 6.3.10, POSIX pax, the 7z format, and the SQLite file format.
var packers = []struct {
	magic    string
	off      int
	what, do string
}{
	{"\x1f\x8b", 0, "a gzip file", decompress},
	{"\x28\xb5\x2f\xfd", 0, "a zstd file", decompress},
	{"\xfd7zXZ\x00", 0, "an xz file", decompress},
	{"BZh", 0, "a bzip2 file", decompress},
	{"\x04\x22\x4d\x18", 0, "an lz4 file", decompress},
	{"\x02\x21\x4c\x18", 0, "an lz4 file", decompress},
	{"\x1f\x9d", 0, "a compress (.Z) file", decompress},
	{"PK\x03\x04", 0, "a zip archive", extract},
	{"PK\x05\x06", 0, "an empty zip archive", extract},
	{"7z\xbc\xaf\x27\x1c", 0, "a 7z archive", extract},
	{"ustar", 257, "a tar archive", extract},
	{sqlite, 0, "an SQLite database, as k3s has it with kine instead of an etcd", "read its table kine with the sqlite3 command"},
}

const (
	decompress = "decompress it and name the result, too"
	extract    = "extract it and name what was in it, too"
	sqlite     = "SQLite format 3\x00"
)

// Packed says which kind of archive, compressed file or other database f is by its first bytes;
// empty for any other.
func Packed(f io.ReaderAt) string {
	what, _ := unpack(f)
	return what
}

// unpack is Packed, with what to do about it.
func unpack(f io.ReaderAt) (what, do string) {
	head := make([]byte, 257+len("ustar"))
	n, _ := f.ReadAt(head, 0) // a short file has less
	for _, p := range packers {
		if p.off <= n && bytes.HasPrefix(head[p.off:n], []byte(p.magic)) {
			return p.what, p.do
		}
	}
	if isOldTar(f) {
		return "a tar archive", extract
	}
	return "", ""
}

// isOldTar reports whether f starts with the header of a tar of before POSIX, which has no magic
// number, by its checksum:
//
//	off size
//	  0  100  name
//	148    8  the sum of all 512 bytes in octal, with these eight taken for spaces
func isOldTar(f io.ReaderAt) bool {
	var head [512]byte
	if n, _ := f.ReadAt(head[:], 0); n < len(head) || head[0] == 0 {
		return false
	}
	want, err := strconv.ParseUint(strings.Trim(string(head[148:156]), " \x00"), 8, 32)
	sum := uint64(8 * ' ')
	for i, c := range head {
		if i < 148 || i >= 156 {
			sum += uint64(c)
		}
	}
	return err == nil && sum == want
}
