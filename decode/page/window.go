package page

import (
	"iter"
	"sync"

	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

// windowSize is how much of the file one read asks for, in bytes: a multiple of
// every page size.
const windowSize = 1 << 18

// windowsAhead is how many windows are in memory at once. With few large ones the
// goroutines that read, hash and decode wait for each other a quarter of the time.
const windowsAhead = 16

// A window is a part of the file, in file order, from page boundary to page
// boundary or the end of the file.
type window struct {
	off  int64
	data []byte
	err  error // the I/O error on reading length bytes at off; data is nil then
	uses *sync.WaitGroup
}

// windows yields the file in order. Reading, tap and the consumer each run in a goroutine of
// their own; a window is valid until the consumer asks for the next.
func (f *File) windows(tap func(off int64, b []byte)) iter.Seq[window] {
	return func(yield func(window) bool) {
		var (
			decode  = make(chan window, windowsAhead)
			observe = make(chan window, windowsAhead)
			stop    = make(chan struct{})
			done    sync.WaitGroup
		)
		done.Go(func() {
			defer close(decode)
			defer close(observe)
			f.readWindows(stop, func(w window) {
				w.uses.Add(2)
				observe <- w
				decode <- w
			})
		})
		done.Go(func() {
			for w := range observe {
				if tap != nil && w.err == nil {
					tap(w.off, w.data)
				}
				w.uses.Done()
			}
		})
		// Deferred, so that no reader waits for a consumer that panics or ends its goroutine.
		defer func() {
			close(stop)
			for w := range decode {
				w.uses.Done()
			}
			done.Wait()
		}()
		for w := range decode {
			if !w.lend(yield) {
				return
			}
		}
	}
}

// lend passes w to the consumer and takes it back.
func (w window) lend(yield func(window) bool) bool {
	defer w.uses.Done()
	return yield(w)
}

// readWindows reads the file into a ring of buffers and hands each to send. It uses a buffer
// again when its last user is done with it.
func (f *File) readWindows(stop <-chan struct{}, send func(window)) {
	var ring [windowsAhead]struct {
		buf  []byte
		uses sync.WaitGroup
	}
	for i, off := 0, int64(0); off < f.size; i = (i + 1) % windowsAhead {
		slot := &ring[i]
		slot.uses.Wait()
		select {
		case <-stop:
			return
		default:
		}
		n := int(min(windowSize, f.size-off))
		if slot.buf == nil {
			slot.buf = make([]byte, n)
		}
		buf := slot.buf[:n]
		if err := raw.ReadFull(f.r, buf, off); err != nil {
			f.readPages(off, n, stop, send)
		} else {
			send(window{off: off, data: buf, uses: &slot.uses})
		}
		off += int64(n)
	}
}

// readPages reads n bytes at offset off page by page: one bad sector must not
// cost the megabyte around it.
func (f *File) readPages(off int64, n int, stop <-chan struct{}, send func(window)) {
	for end := off + int64(n); off < end; off += int64(f.PageSize) {
		select {
		case <-stop:
			return
		default:
		}
		w := window{off: off, uses: new(sync.WaitGroup)}
		data := make([]byte, min(int64(f.PageSize), end-off))
		if w.err = raw.ReadFull(f.r, data, off); w.err == nil {
			w.data = data
		}
		send(w)
	}
}
