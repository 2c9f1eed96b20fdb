package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A replica is a copy of evidence that nobody else can open: a file of mode 0600 in a dir of
// mode 0700. If the system allows that, both lose their names before the first byte, so that
// nothing stays behind, however this program ends.
type replica struct {
	file     *os.File
	readOnly *os.File // the same, for bbolt
	dir      string   // for close to remove; empty if it is gone
}

func newCopy(dir string) (_ *replica, err error) {
	c := &replica{}
	if c.dir, err = os.MkdirTemp(dir, "etcdsift-witness-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	name := filepath.Join(c.dir, "copy.db")
	if c.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, err
	}
	if c.readOnly, err = os.Open(name); err != nil {
		return nil, err
	}
	if canUnlinkOpen {
		if err = os.RemoveAll(c.dir); err != nil {
			return nil, err
		}
		c.dir = ""
	}
	return c, nil
}

// close lets go of the copy, and removes it if it has a name.
func (c *replica) close() error {
	var errs []error
	for _, f := range []*os.File{c.file, c.readOnly} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// copyBuffer is how much to copy at once, in bytes.
const copyBuffer = 1 << 20

// fill copies the db of s, zeros as holes, and returns the SHA-256 of s with all that stands
// around the db. The error says what to do, or is that of the context.
func (c *replica) fill(ctx context.Context, s evidence.Source) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	buf := make([]byte, copyBuffer)
	for _, part := range []struct {
		off, n int64
		copied bool
	}{{-s.Before, s.Before, false}, {0, s.Size, true}, {s.Size, s.Behind, false}} {
		for off, end := part.off, part.off+part.n; off < end; off += copyBuffer {
			if ctx.Err() != nil {
				return sum, ctx.Err()
			}
			b := buf[:min(copyBuffer, end-off)]
			if err := s.ReadFull(b, off); err != nil {
				return sum, fmt.Errorf("not every byte of the file could be read again: %w", err)
			}
			h.Write(b)
			if !part.copied {
				continue
			}
			if err := c.write(b, off); err != nil {
				return sum, fmt.Errorf("the private copy could not be written: %w; set TMPDIR to a dir with room for %d bytes", cause(err), s.Size)
			}
		}
	}
	if err := c.file.Truncate(s.Size); err != nil {
		return sum, fmt.Errorf("the private copy could not be written: %w", cause(err))
	}
	h.Sum(sum[:0])
	return sum, nil
}

// write writes what is not zero.
func (c *replica) write(b []byte, off int64) error {
	const block = 64 << 10
	for len(b) > 0 {
		n := min(block, len(b))
		if !page.IsZero(b[:n]) {
			if _, err := c.file.WriteAt(b[:n], off); err != nil {
				return err
			}
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// cause is an error without the path that os puts before it: it means nothing any more.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
