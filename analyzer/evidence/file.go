package evidence

import (
	"fmt"
	"io/fs"
	"os"
	"time"
)

// tick bounds how far apart two writes with the same modification time can be: twice the tick
// of the clock that Linux takes it from.
const tick = 20 * time.Millisecond

// settled stats a file, and returns when any later write will show.
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
		return "" // nobody can tell what became of it
	case !os.SameFile(before, after):
		return "another file has taken its place"
	case before.Size() != after.Size():
		return fmt.Sprintf("its size was %d bytes and is %d", before.Size(), after.Size())
	case !before.ModTime().Equal(after.ModTime()):
		return "its modification time is another"
	case !ChangeTime(before).Equal(ChangeTime(after)):
		return "its inode changed (ctime)"
	}
	return ""
}

// Touched are the files, as a report names them, whose access time changed because this run
// read them: the kernel leaves it alone only for the owner of a file and for root.
func (s *Set) Touched() []string {
	var touched []string
	for _, f := range s.files {
		after, err := f.Stat()
		if err == nil && !AccessTime(after).Equal(AccessTime(f.before)) && !keepsAccessTime(f.File) {
			touched = append(touched, f.shown)
		}
	}
	return touched
}

// nameless is a file whose errors do not name it.
type nameless struct{ f *os.File }

func (n nameless) ReadAt(b []byte, off int64) (int, error) {
	read, err := n.f.ReadAt(b, off)
	if err != nil {
		err = Cause(err)
	}
	return read, err
}
