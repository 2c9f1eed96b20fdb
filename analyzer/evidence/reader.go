package evidence

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// A Reader reads the file of a Source, and remembers what that did not give. A run reads a file
// more than once: if a later read, to compare or decrypt a value, fails where the first
// succeeded, the report must say so. Several goroutines may use it.
type Reader struct {
	file io.ReaderAt
	size int64

	broken atomic.Bool // failed is not empty; if false, no read waits for another
	mu     sync.Mutex
	failed []FailedRead
	more   int // failures beyond maxFailed
}

// maxFailed bounds the failed reads that a Reader remembers.
const maxFailed = 1000

// A FailedRead is bytes that a read did not give.
type FailedRead struct {
	Off, N int64 // N bytes from file offset Off on
	asked  int64 // how many bytes the read asked for
	Err    error
}

// NewReader returns a Reader of the file of s, to take the place of s.File.
func NewReader(s Source) *Reader { return &Reader{file: s.File, size: s.Base + s.Size + s.Behind} }

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.file.ReadAt(b, off)
	if n < len(b) && err == nil {
		err = io.ErrUnexpectedEOF // no ReaderAt should do this
	}
	asked := int64(len(b))
	lost := n < len(b) && !(errors.Is(err, io.EOF) && off+asked > r.size)
	if lost || r.broken.Load() {
		r.note(FailedRead{off, asked, asked, err}, lost)
	}
	return n, err
}

// Unread is what the file did not give, and how many more failures there were since the last call
// that the Reader does not remember.
func (r *Reader) Unread() (failed []FailedRead, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	more, r.more = r.more, 0
	return slices.Clone(r.failed), more
}

// note takes the outcome of a read. It replaces the part of larger failed reads that has the
// same bytes: a smaller read may get what a larger one did not.
func (r *Reader) note(now FailedRead, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kept []FailedRead
	for _, f := range r.failed {
		if f.asked <= now.asked || f.Off+f.N <= now.Off || now.Off+now.N <= f.Off {
			kept = append(kept, f)
			continue
		}
		if n := now.Off - f.Off; n > 0 {
			kept = append(kept, FailedRead{f.Off, n, f.asked, f.Err})
		}
		if end := now.Off + now.N; end < f.Off+f.N {
			kept = append(kept, FailedRead{end, f.Off + f.N - end, f.asked, f.Err})
		}
	}
	if r.failed = kept; lost {
		r.add(now)
	}
	r.broken.Store(len(r.failed) > 0)
}

// add notes a failed read, and joins it to one that ends where it begins.
func (r *Reader) add(now FailedRead) {
	if errors.Is(now.Err, io.EOF) {
		now.Err = io.ErrUnexpectedEOF // the file has shrunk
	}
	for i := range r.failed {
		f := &r.failed[i]
		if f.Off <= now.Off && now.Off <= f.Off+f.N && f.asked == now.asked && f.Err.Error() == now.Err.Error() {
			f.N = max(f.N, now.Off+now.N-f.Off)
			return
		}
	}
	if len(r.failed) == maxFailed {
		r.more++
		return
	}
	r.failed = append(r.failed, now)
}
