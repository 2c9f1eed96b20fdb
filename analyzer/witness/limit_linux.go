package witness

import (
	"fmt"
	"os"
	"syscall"
)

// limitMemory bounds the address space of this process to what it has, the map of a
// file of size bytes and memory bytes more. A crash leaves no core: it would hold
// evidence.
func limitMemory(size, memory int64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	limit := uint64(addressSpace() + mapSize(size) + memory)
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit})
}

// addressSpace is that of this process so far, in bytes: a Go program reserves far more
// than it uses.
func addressSpace() int64 {
	var pages int64
	b, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(b), &pages)
	}
	if err != nil {
		return 4 << 30 // no /proc here: more than any Go program starts with
	}
	return pages * int64(os.Getpagesize())
}

// mapSize is how much bbolt maps of a file of size bytes.
//
// Source: DB.mmapSize in go.etcd.io/bbolt/db.go.
func mapSize(size int64) int64 {
	const step = 1 << 30
	if size > step {
		return (size + step - 1) / step * step
	}
	n := int64(1 << 15)
	for n < size {
		n *= 2
	}
	return n
}
