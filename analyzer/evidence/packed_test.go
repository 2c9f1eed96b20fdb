package evidence

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"testing"
)

func TestPacked(t *testing.T) {
	var ustar, old, zipped, gzipped bytes.Buffer
	w := tar.NewWriter(&ustar)
	if err := w.WriteHeader(&tar.Header{Name: "etcd-snapshot.db", Mode: 0o600, Format: tar.FormatUSTAR}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	old.Write(ustar.Bytes())
	header := old.Bytes()[:512]
	clear(header[257:265]) // a tar of before POSIX has neither magic nor version
	clear(header[329:345])
	copy(header[148:156], "        ")
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	for i, digits := 5, sum; i >= 0; i, digits = i-1, digits/8 {
		header[148+i] = '0' + byte(digits%8)
	}
	header[154] = 0
	if _, err := tar.NewReader(bytes.NewReader(old.Bytes())).Next(); err != nil {
		t.Fatalf("the old tar is none: %v", err)
	}
	z := zip.NewWriter(&zipped)
	if _, err := z.Create("snapshot.db"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gzip.NewWriter(&gzipped).Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{ustar.Bytes(), "a tar archive"},
		{old.Bytes(), "a tar archive"},
		{zipped.Bytes(), "a zip archive"},
		{gzipped.Bytes(), "a gzip file"},
		{[]byte("\xfd7zXZ\x00\x00\x04"), "an xz file"},
		{[]byte("\x28\xb5\x2f\xfd\x04"), "a zstd file"},
		{[]byte("\x04\x22\x4d\x18\x64"), "an lz4 file"},
		{[]byte("SQLite format 3\x00\x10"), "an SQLite database, as k3s has it with kine instead of an etcd"},
		{make([]byte, 1024), ""},
		{bytes.Repeat([]byte("0"), 1024), ""},
		{nil, ""},
	} {
		if got := Packed(bytes.NewReader(c.b)); got != c.want {
			t.Errorf("%.20q: %q, want %q", c.b, got, c.want)
		}
	}
}
