package evidence

import (
	"bytes"
	"errors"
	"testing"
)

// A fadingDisk fails once, on a read of the bytes between two offsets.
type fadingDisk struct {
	*bytes.Reader
	from, to int64 // the bytes that a read fails on, once
	failed   bool
}

func (d *fadingDisk) ReadAt(b []byte, off int64) (int, error) {
	if off < d.to && d.from < off+int64(len(b)) && !d.failed {
		d.failed = true
		return 0, errors.New("input/output error")
	}
	return d.Reader.ReadAt(b, off)
}

// What a large read did not give, smaller ones may, and then nothing is missing.
func TestDiskMadeGood(t *testing.T) {
	d := NewReader(Source{File: &fadingDisk{Reader: bytes.NewReader(make([]byte, 64)), from: 20, to: 21}, Size: 64})
	read := func(off, n int64) { _, _ = d.ReadAt(make([]byte, n), off) }
	if read(0, 64); len(d.failed) != 1 {
		t.Fatalf("%+v", d.failed)
	}
	read(0, 16)
	read(24, 40)
	if len(d.failed) != 1 || d.failed[0].Off != 16 || d.failed[0].N != 8 {
		t.Errorf("%+v", d.failed)
	}
	if read(16, 8); len(d.failed) != 0 || d.broken.Load() {
		t.Errorf("%+v", d.failed)
	}
	if read(60, 8); len(d.failed) != 0 {
		t.Errorf("the end of the file: %+v", d.failed)
	}
}
