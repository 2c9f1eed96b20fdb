package main

import (
	"os"
	"path/filepath"
)

// physical is the path without symbolic links, as the kernel resolves it: a ".." behind a link
// is that of where the link leads, and the working dir has no link in it. There must be
// something at the path.
func physical(path string) (string, error) {
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

// realPath is physical, or the path as it is where that is not known.
func realPath(path string) string {
	if p, err := physical(path); err == nil {
		return p
	}
	if p, err := rooted(path); err == nil {
		return filepath.Clean(p)
	}
	return path
}

// placeOf is the file that an output goes to, whether it is there or not: the folder is
// resolved once, so that what is checked is what is written. Where the folder is not there,
// it is the path as it is, and opening it says so.
func placeOf(output string) string {
	path := followLinks(output)
	if p, err := physical(path); err == nil {
		return p
	}
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	dir, err := physical(dir)
	if err != nil || name == "" {
		return path
	}
	return filepath.Join(dir, name)
}
