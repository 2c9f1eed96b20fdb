package evidence

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
	case !ChangeTime(before).Equal(ChangeTime(after)):
		return "its inode changed (ctime)"
	}
	return ""
}

// Touched are the files of which reading them has changed the access time, as a report names
// them: the kernel leaves it alone only for the owner of a file and for root.
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

// A nameless is a file whose errors do not name it.
type nameless struct{ f *os.File }

func (n nameless) ReadAt(b []byte, off int64) (int, error) {
	read, err := n.f.ReadAt(b, off)
	if err != nil {
		err = Cause(err)
	}
	return read, err
}
