//go:build unix && !linux

package evidence

import (
	"os"
	"syscall"
)

// OpenReadOnly opens evidence. It never waits: for somebody to write into a FIFO, for a device
// to be ready. Only Linux can leave the access time alone.
func OpenReadOnly(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// openDir opens a folder as OpenReadOnly does, and nothing else: to open a device may
// have effects.
func openDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_DIRECTORY, 0)
}
