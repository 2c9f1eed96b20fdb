package evidence

import (
	"bytes"
	"errors"
	"testing"
)

// A fadingDisk fails on the first read that touches the bytes between two offsets.
type fadingDisk struct {
	*bytes.Reader
	from, to int64
	failed   bool
}

func (d *fadingDisk) ReadAt(b []byte, off int64) (int, error) {
	if off < d.to && d.from < off+int64(len(b)) && !d.failed {
		d.failed = true
		return 0, errors.New("input/output error")
	}
	return d.Reader.ReadAt(b, off)
}

// Smaller reads may give what a large one did not, and then nothing is missing.
func TestMadeGood(t *testing.T) {
	r := NewReader(Source{File: &fadingDisk{Reader: bytes.NewReader(make([]byte, 64)), from: 20, to: 21}, Size: 64})
	read := func(off, n int64) { _, _ = r.ReadAt(make([]byte, n), off) }
	if read(0, 64); len(r.failed) != 1 {
		t.Fatalf("%+v", r.failed)
	}
	read(0, 16)
	read(24, 40)
	if len(r.failed) != 1 || r.failed[0].Off != 16 || r.failed[0].N != 8 {
		t.Errorf("%+v", r.failed)
	}
	if read(16, 8); len(r.failed) != 0 || r.broken.Load() {
		t.Errorf("%+v", r.failed)
	}
	if read(60, 8); len(r.failed) != 0 {
		t.Errorf("the end of the file: %+v", r.failed)
	}
}
