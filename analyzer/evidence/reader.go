package evidence

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// A Reader is the file of a Source, and remembers what it did not give. A file is read more
// than once: a value that could be read in the first pass, and then not when it was to be
// compared or decrypted, must not be missing in silence, whoever asked for it.
type Reader struct {
	file io.ReaderAt
	size int64

	broken atomic.Bool // failed is not empty: else no read waits for another
	mu     sync.Mutex
	failed []failedRead
	more   int // beyond maxFailed
}

// maxFailed bounds the reads that are remembered.
const maxFailed = 1000

// A failedRead is n bytes at off that a read of so many bytes in all did not give.
type failedRead struct {
	Off, N int64
	asked  int64
	Err    error
}

func NewReader(s Source) *Reader { return &Reader{file: s.File, size: s.Size} }

// ReadAt implements io.ReaderAt.
func (d *Reader) ReadAt(b []byte, off int64) (int, error) {
	n, err := d.file.ReadAt(b, off)
	if n < len(b) && err == nil {
		err = io.ErrUnexpectedEOF // which no ReaderAt should do
	}
	asked := int64(len(b))
	lost := n < len(b) && !(errors.Is(err, io.EOF) && off+asked > d.size)
	if lost || d.broken.Load() {
		d.note(failedRead{off, asked, asked, err}, lost)
	}
	return n, err
}

// note takes the outcome of a read. One that asks for less than a read that failed looks
// for what of it can be had.
func (d *Reader) note(r failedRead, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kept []failedRead
	for _, f := range d.failed {
		if f.asked <= r.asked || f.Off+f.N <= r.Off || r.Off+r.N <= f.Off {
			kept = append(kept, f)
			continue
		}
		if n := r.Off - f.Off; n > 0 {
			kept = append(kept, failedRead{f.Off, n, f.asked, f.Err})
		}
		if end := r.Off + r.N; end < f.Off+f.N {
			kept = append(kept, failedRead{end, f.Off + f.N - end, f.asked, f.Err})
		}
	}
	if d.failed = kept; lost {
		d.add(r)
	}
	d.broken.Store(len(d.failed) > 0)
}

// add adds a read that failed, to one that it goes on from where there is one.
func (d *Reader) add(r failedRead) {
	if errors.Is(r.Err, io.EOF) {
		r.Err = io.ErrUnexpectedEOF // the file has shrunk
	}
	for i := range d.failed {
		f := &d.failed[i]
		if f.Off <= r.Off && r.Off <= f.Off+f.N && f.asked == r.asked && f.Err.Error() == r.Err.Error() {
			f.N = max(f.N, r.Off+r.N-f.Off)
			return
		}
	}
	if len(d.failed) == maxFailed {
		d.more++
		return
	}
	d.failed = append(d.failed, r)
}

// Unread is what the file did not give, and how many more failures there were than are
// remembered.
func (d *Reader) Unread() (failed []failedRead, more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.failed), d.more
}
