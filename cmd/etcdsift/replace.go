package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// A replacement is a file that takes the place of another once it is whole. The first Write
// makes it, beside its place, so that a run that ends without a report leaves nothing.
type replacement struct {
	path string      // without symbolic links
	perm fs.FileMode // of the old file; 0 if there is no old file
	open fs.FileMode // to open the file with
	f    *os.File
}

// newReplacement checks that it can replace path, because after an hour's scan is too late to
// learn that it cannot. A private file is for its owner alone, whatever was there before; else
// one that is there keeps its mode, and a new one gets that of any new file.
func newReplacement(path string, private bool) (*replacement, error) {
	r := &replacement{path: path, open: 0o666}
	info, err := os.Stat(path)
	if err == nil {
		// A rename would replace a file that may not be written.
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		_ = f.Close()
		r.perm = info.Mode().Perm()
	}
	if private {
		r.open, r.perm = 0o600, 0
	}
	if err := r.create(); err != nil {
		return nil, err
	}
	r.abandon()
	return r, nil
}

// create makes the file under a name of its own.
func (r *replacement) create() error {
	for {
		name := filepath.Join(filepath.Dir(r.path), fmt.Sprintf(".etcdsift-%016x.tmp", rand.Uint64()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, r.open)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.f = f
		if r.perm != 0 {
			err = f.Chmod(r.perm)
		}
		if err != nil {
			r.abandon()
		}
		return err
	}
}

// Write implements io.Writer.
func (r *replacement) Write(b []byte) (int, error) {
	if r.f == nil {
		if err := r.create(); err != nil {
			return 0, err
		}
	}
	return r.f.Write(b)
}

// commit puts the file in its place.
func (r *replacement) commit() error {
	if r.f == nil {
		if err := r.create(); err != nil {
			return err
		}
	}
	// Without this, a rename may outlive a power cut that the bytes do not.
	err := r.f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // a file system without sync
	}
	if closeErr := r.f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(r.f.Name(), r.path)
	}
	return err
}

// abandon leaves nothing behind, unless the file is in its place already.
func (r *replacement) abandon() {
	if r.f == nil {
		return
	}
	_ = r.f.Close() // commit may have done so
	_ = os.Remove(r.f.Name())
	r.f = nil
}

// maxLinks bounds the symbolic links that lead to one file, as Linux does.
const maxLinks = 40

// followLinks is the file that path leads to, whether it is there or not. One that is
// there under no name, such as a deleted one behind /dev/stdout, is path itself.
func followLinks(path string) string {
	for range maxLinks {
		if _, err := os.Stat(path); err == nil {
			if resolved, err := filepath.EvalSymlinks(path); err == nil {
				return resolved
			}
			return path
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			dir, _ := filepath.Split(path)
			target = dir + target // not cleaned: dir may hold symbolic links
		}
		path = target
	}
	return path
}

// isLink reports whether path is a symbolic link.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
