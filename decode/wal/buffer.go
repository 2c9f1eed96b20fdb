package wal

// A buffer holds a part of the file that moves on: from the last offset that at was asked
// for, as far as a frame needs it.
type buffer struct {
	source *source
	b      []byte
	off    int64 // file offset of b
	unread []unread
}

// at returns the n bytes at offset off, fewer where the file ends. It gives up what lies
// before off, and makes invalid what it returned before.
func (b *buffer) at(off int64, n int) []byte {
	b.b = b.b[min(off-b.off, int64(len(b.b))):]
	b.off = off
	return b.peek(off, n)
}

// peek is at without giving anything up. off is not before that of the last at. What at
// returned before stays valid if the file ends before off, or if that much was loaded
// already.
func (b *buffer) peek(off int64, n int) []byte {
	start := off - b.off
	for int64(len(b.b))-start < int64(n) && b.more() {
	}
	have := int64(len(b.b))
	start = min(start, have)
	return b.b[start:min(start+int64(n), have):have]
}

// more loads another chunk.
func (b *buffer) more() bool {
	c, ok := <-b.source.chunks
	if !ok {
		return false
	}
	if len(b.b)+len(c.data) > cap(b.b) {
		// To twice what is needed, so that the bytes move a few times at most, however long a
		// frame is.
		grown := make([]byte, len(b.b), max(4*chunkSize, 2*(len(b.b)+len(c.data))))
		copy(grown, b.b)
		b.b = grown
	}
	b.b = append(b.b, c.data...)
	b.unread = append(b.unread, c.unread...)
	b.source.free <- c.data
	return true
}

// lost returns which of the bytes loaded since the last call the disk did not give.
func (b *buffer) lost() []unread {
	u := b.unread
	b.unread = nil
	return u
}
