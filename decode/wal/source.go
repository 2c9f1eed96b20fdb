package wal

import (
	"io"

	"github.com/etcdsift/etcdsift/decode/internal/raw"
)

const (
	// chunkSize is how much of the file one read asks for, in bytes.
	chunkSize = 1 << 20
	// chunksAhead is how many chunks are in memory at once: one to read and hash, one that
	// waits, and one that the consumer takes over.
	chunksAhead = 3
	// sectorSize is how much to give up for one sector that the disk does not give.
	sectorSize = 4096
)

// A chunk is the next part of the file.
type chunk struct {
	data   []byte
	unread []unread
}

// An unread is a part of the file that the disk did not give. Its bytes are zeros.
type unread struct {
	off, n int64
	err    error
}

// A source reads a file once, in order, in a goroutine of its own.
type source struct {
	r    io.ReaderAt
	size int64
	tap  func(off int64, b []byte)

	chunks chan chunk
	free   chan []byte // buffers that may be written over
	stop   chan struct{}
}

func newSource(r io.ReaderAt, size int64, tap func(off int64, b []byte)) *source {
	s := &source{
		r: r, size: size, tap: tap,
		chunks: make(chan chunk, chunksAhead),
		free:   make(chan []byte, chunksAhead),
		stop:   make(chan struct{}),
	}
	for range chunksAhead {
		s.free <- nil
	}
	go s.run()
	return s
}

// close ends the reading. Once it has returned, nobody calls tap any more.
func (s *source) close() {
	close(s.stop)
	for range s.chunks {
	}
}

// run reads the file chunk by chunk. It passes a chunk on before it calls tap, and takes no
// buffer to write over before tap has returned. So decoding and hashing go on at the same
// time, and no buffer changes under either.
func (s *source) run() {
	defer close(s.chunks)
	for off := int64(0); off < s.size; {
		var buf []byte
		select {
		case <-s.stop:
			return
		case buf = <-s.free:
		}
		n := min(chunkSize, s.size-off)
		if int64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		c := s.read(buf[:n], off)
		s.chunks <- c
		s.observe(off, c)
		off += n
	}
}

// observe passes to tap what could be read.
func (s *source) observe(off int64, c chunk) {
	if s.tap == nil {
		return
	}
	pos := int64(0)
	for _, u := range c.unread {
		if start := u.off - off; start > pos {
			s.tap(off+pos, c.data[pos:start])
		}
		pos = u.off + u.n - off
	}
	if pos < int64(len(c.data)) {
		s.tap(off+pos, c.data[pos:])
	}
}

// read fills b from offset off, sector by sector where one read fails: one bad sector must
// not cost the megabyte around it.
func (s *source) read(b []byte, off int64) chunk {
	c := chunk{data: b}
	if raw.ReadFull(s.r, b, off) == nil {
		return c
	}
	for len(b) > 0 {
		part := b[:min(sectorSize, len(b))]
		if err := raw.ReadFull(s.r, part, off); err != nil {
			clear(part)
			c.lost(unread{off, int64(len(part)), err})
		}
		off, b = off+int64(len(part)), b[len(part):]
	}
	return c
}

// lost adds u, which stands behind those before it.
func (c *chunk) lost(u unread) {
	if n := len(c.unread); n > 0 {
		if last := &c.unread[n-1]; last.off+last.n == u.off {
			last.n += u.n
			return
		}
	}
	c.unread = append(c.unread, u)
}
