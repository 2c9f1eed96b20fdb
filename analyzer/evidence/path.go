package evidence

import (
	"os"
	"path/filepath"
)

// Physical is the path without symbolic links, as the kernel resolves it: a ".." behind a link
// is the parent of the link's target, and the working dir has no link in it. The path must
// exist.
func Physical(path string) (string, error) {
	path, err := rooted(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// rooted is the path from the root on, not cleaned.
func rooted(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir, err := os.Getwd() // by $PWD, which may hold links
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return dir + string(filepath.Separator) + path, err
}

// RealPath is Physical, or the path as it is if that fails.
func RealPath(path string) string {
	if p, err := Physical(path); err == nil {
		return p
	}
	if p, err := rooted(path); err == nil {
		return filepath.Clean(p)
	}
	return path
}

// asNamed is the path from the root on, cleaned, with the links in it.
func asNamed(path string) string {
	if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}
