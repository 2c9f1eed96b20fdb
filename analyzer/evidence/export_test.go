package evidence

import "io/fs"

// AddFile opens a file as Open does one that a PATH names, and info is of.
func (s *Set) AddFile(path, name string, info fs.FileInfo) (whyNone string) {
	return s.addFile(path, name, info)
}

// OpenListed opens a file as Open does one of a data dir that was listed with info.
func (s *Set) OpenListed(path, shown string, info fs.FileInfo) {
	w := walk{Set: s}
	w.open(file{path, shown, info})
}
