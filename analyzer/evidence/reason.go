package evidence

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// notRegular is why the run does not examine a FIFO, a device, a socket or a folder with the
// name of a file of etcd's.
const notRegular = "not a regular file, so it was not examined: name the file that belongs there"

const leftOut = "WAL segment, left out by --no-wal"

// whyUnread says why something could not be read, and what to do.
func whyUnread(path string, err error) string {
	what := absent(path, err)
	if errors.Is(err, fs.ErrPermission) {
		return what + ", so it was not examined: run as root, or as the user who owns it"
	}
	return what + ", so it was not examined"
}

// whyNot says why a file of that size in bytes is no evidence.
func whyNot(f io.ReaderAt, size int64) string {
	switch {
	case size == 0:
		return "an empty file"
	}
	if what, do := unpack(f); what != "" {
		return what + ": " + do
	}
	return "neither an etcd snapshot nor a bbolt db nor a WAL segment: no page of it has a meta or a header of one"
}

// isAbsent reports whether an error says that there is nothing at a path.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, fs.ErrInvalid)
}

// absent says why there is nothing at path.
func absent(path string, err error) string {
	if leadsNowhere(path, err) {
		return "a symbolic link that leads nowhere"
	}
	return Cause(err).Error()
}

// leadsNowhere reports whether there is a symbolic link at path, and nothing at its end; err is
// that of a look at path.
func leadsNowhere(path string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, linkErr := os.Lstat(path)
	return linkErr == nil
}

// Cause is an error without the path that os puts before it: a report names files by paths of
// its own.
func Cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}
