package evidence

import (
	"cmp"
	"os"
)

// lockOf says who holds a write lock on the file, now or at the call of its result.
func lockOf(f *os.File) func() string {
	now := writeLock(f)
	return func() string { return cmp.Or(now, writeLock(f)) }
}
