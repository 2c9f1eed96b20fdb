package main

import (
	"fmt"
	"io/fs"
	"os"
)

// changed compares a file with what it was before it was read.
func changed(path string, before fs.FileInfo) string {
	after, err := os.Stat(path)
	switch {
	case err != nil:
		return cause(err).Error()
	case !os.SameFile(before, after):
		return "another file has taken its place"
	case before.Size() != after.Size():
		return fmt.Sprintf("its size was %d bytes and is %d", before.Size(), after.Size())
	case !before.ModTime().Equal(after.ModTime()):
		return "its modification time is another"
	case !changeTime(before).Equal(changeTime(after)):
		return "its inode changed (ctime)"
	}
	return ""
}

// A reader is a file whose errors do not name it.
type reader struct{ f *os.File }

func (r reader) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.f.ReadAt(b, off)
	if err != nil {
		err = cause(err)
	}
	return n, err
}

// A failingReader is a file that could not be opened.
type failingReader struct{ err error }

func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }
