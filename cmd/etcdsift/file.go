package main

import (
	"fmt"
	"io/fs"
	"os"
	"time"
)

// tick is how long two writes to a file may have the same modification time: that of the
// clock which Linux takes it from, and as much again.
const tick = 20 * time.Millisecond

// settled is what is known of a file once any write to it that is still to come will show.
func settled(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if age := time.Since(info.ModTime()); 0 <= age && age < tick {
		time.Sleep(tick - age)
	}
	return info, nil
}

// changed compares a file with what it was before it was read.
func changed(path string, before fs.FileInfo) string {
	after, err := os.Stat(path)
	switch {
	case err != nil && isAbsent(err):
		return "it is gone"
	case err != nil:
		return "" // it was read, and what became of it can not be looked at any more
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

// accessNote says of which files reading them has changed the access time, empty if of none:
// the kernel leaves it alone only for the owner of a file and for root.
func (e *opened) accessNote() string {
	var read []string
	for _, f := range e.files {
		after, err := f.Stat()
		if err == nil && !accessTime(after).Equal(accessTime(f.before)) && !keepsAccessTime(f.File) {
			read = append(read, f.shown)
		}
	}
	switch len(read) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("note: reading %s has changed its access time, which only its owner and root can avoid", read[0])
	}
	return fmt.Sprintf("note: reading %s and %d more has changed their access times, which only their owner and root can avoid", read[0], len(read)-1)
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
