package analyzer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
)

// A disk is the file of a Source, and remembers what it did not give. A file is read more
// than once: a value that could be read in the first pass, and then not when it was to be
// compared or decrypted, must not be missing in silence, whoever asked for it.
type disk struct {
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
	off, n int64
	asked  int64
	err    error
}

func newDisk(s Source) *disk { return &disk{file: s.File, size: s.Size} }

// ReadAt implements io.ReaderAt.
func (d *disk) ReadAt(b []byte, off int64) (int, error) {
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
func (d *disk) note(r failedRead, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kept []failedRead
	for _, f := range d.failed {
		if f.asked <= r.asked || f.off+f.n <= r.off || r.off+r.n <= f.off {
			kept = append(kept, f)
			continue
		}
		if n := r.off - f.off; n > 0 {
			kept = append(kept, failedRead{f.off, n, f.asked, f.err})
		}
		if end := r.off + r.n; end < f.off+f.n {
			kept = append(kept, failedRead{end, f.off + f.n - end, f.asked, f.err})
		}
	}
	if d.failed = kept; lost {
		d.add(r)
	}
	d.broken.Store(len(d.failed) > 0)
}

// add adds a read that failed, to one that it goes on from where there is one.
func (d *disk) add(r failedRead) {
	if errors.Is(r.err, io.EOF) {
		r.err = io.ErrUnexpectedEOF // the file has shrunk
	}
	for i := range d.failed {
		f := &d.failed[i]
		if f.off <= r.off && r.off <= f.off+f.n && f.asked == r.asked && f.err.Error() == r.err.Error() {
			f.n = max(f.n, r.off+r.n-f.off)
			return
		}
	}
	if len(d.failed) == maxFailed {
		d.more++
		return
	}
	d.failed = append(d.failed, r)
}

// unread is what the file did not give, and how many more failures there were than are
// remembered.
func (d *disk) unread() (failed []failedRead, more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.failed), d.more
}

// addUnread adds to the damage what one of the files did not give and nobody told of.
func (s *survey) addUnread(source *Source) {
	d, ok := source.File.(*disk)
	if !ok {
		return
	}
	failed, more := d.unread()
	s.damageMore += more
	for _, f := range failed {
		told := slices.ContainsFunc(s.damage, func(have report.Damage) bool {
			return have.Path == source.Path && f.off <= have.Offset && have.Offset < f.off+f.n
		})
		if !told {
			s.addDamageIn(source.Path, s.pageSizeOf(source), &decode.FormatError{Off: f.off, What: fmt.Sprintf("%d bytes", f.n), Err: f.err})
		}
	}
}

// pageSizeOf is the size of the pages of a file, 0 if it has none.
func (s *survey) pageSizeOf(source *Source) int {
	if source.Kind == report.KindWAL {
		return 0
	}
	return s.db.PageSize
}
