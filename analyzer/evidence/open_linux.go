package evidence

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// OpenReadOnly opens evidence without changing its access time if the kernel allows that: for
// the owner of the file and for root. It never waits: for somebody to write into a FIFO, for a
// device to be ready.
func OpenReadOnly(path string) (*os.File, error) { return openWith(path, syscall.O_NONBLOCK) }

// openDir opens a folder as OpenReadOnly does, and nothing else: to open a device may
// have effects.
func openDir(path string) (*os.File, error) {
	return openWith(path, syscall.O_NONBLOCK|syscall.O_DIRECTORY)
}

func openWith(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|flags|syscall.O_NOATIME, 0)
	if errors.Is(err, fs.ErrPermission) {
		return os.OpenFile(path, os.O_RDONLY|flags, 0)
	}
	return f, err
}

// ChangeTime is when the inode changed last. Nobody can set it back.
func ChangeTime(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(stat.Ctim.Unix())
}

// AccessTime is when somebody last read the file, as far as the file system keeps that.
func AccessTime(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(stat.Atim.Unix())
}

// keepsAccessTime reports whether reading the open file leaves its access time alone; true if
// not known.
func keepsAccessTime(f *os.File) bool {
	flags, _, err := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFL, 0)
	return err != 0 || flags&syscall.O_NOATIME != 0
}
