package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer"
)

// Evidence is what the PATHs of a command line led to.
type evidence struct {
	sources     []analyzer.Source
	notExamined []analyzer.NotExamined
	notEvidence []analyzer.NotExamined // PATHs that are none
	files       []*os.File
}

// close closes all files. They were only read, so an error says nothing.
func (e *evidence) close() {
	for _, f := range e.files {
		_ = f.Close()
	}
}

// A notEvidenceError says that a PATH holds nothing to examine, and what was
// looked for.
type notEvidenceError struct {
	path string
	what string
}

func (e *notEvidenceError) Error() string { return e.path + ": " + e.what }

// openEvidence finds and opens what paths name. A path that is no evidence is
// noted, and the others are examined all the same; the error is for when none is.
// The caller closes the evidence.
func openEvidence(paths []string) (*evidence, error) {
	e := &evidence{}
	var problems []error
	for _, path := range paths {
		err := e.add(path, len(paths) > 1)
		var none *notEvidenceError
		if errors.As(err, &none) {
			e.notEvidence = append(e.notEvidence, analyzer.NotExamined{Path: analyzer.Text(path), What: none.what})
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	if len(e.sources) == 0 {
		e.close()
		return nil, &statusError{exitNotEvidence, errors.Join(problems...)}
	}
	return e, nil
}

// add opens what one path names. With several paths, the report names files by
// the path as it was given; else relative to it.
func (e *evidence) add(path string, several bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return &notEvidenceError{path, cause(err)}
	}
	prefix := ""
	if several {
		prefix = filepath.Clean(path)
	}
	if info.IsDir() {
		return e.addDir(path, prefix)
	}
	name := prefix
	if name == "" {
		name = filepath.Base(path)
	}
	return e.addFile(path, name, info)
}

// cause is an error without the path that os puts before it.
func cause(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return err.Error()
}

// dbNames is where a db lies in a data dir, in its member dir and in member/snap.
var dbNames = []string{"member/snap/db", "snap/db", "db"}

// addDir opens the db of a data dir, and names what lies beside it.
func (e *evidence) addDir(dir, prefix string) error {
	for _, name := range dbNames {
		path := filepath.Join(dir, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		if err := e.addFile(path, filepath.ToSlash(filepath.Join(prefix, name)), info); err != nil {
			return err
		}
		snap := strings.TrimSuffix(name, "db")
		e.nameOthers(dir, prefix, snap)
		e.nameOthers(dir, prefix, snap+"../wal")
		return nil
	}
	return &notEvidenceError{dir, "no etcd data: it holds none of " + strings.Join(dbNames, ", ") +
		"; name a data dir, a snapshot or a db file"}
}

// nameOthers notes the files of the folder that are not examined.
func (e *evidence) nameOthers(dir, prefix, folder string) {
	entries, err := readDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.notExamined = append(e.notExamined, analyzer.NotExamined{
			Path: analyzer.Text(filepath.ToSlash(filepath.Join(prefix, folder))), What: cause(err)})
	}
	for _, entry := range entries {
		if entry.Name() == "db" {
			continue
		}
		e.notExamined = append(e.notExamined, analyzer.NotExamined{
			Path: analyzer.Text(filepath.ToSlash(filepath.Join(prefix, folder, entry.Name()))),
			What: leftover(entry.Name()) + ", not examined",
		})
	}
}

// readDir is os.ReadDir, but leaves the access time of the folder alone too.
func readDir(path string) ([]fs.DirEntry, error) {
	f, err := openReadOnly(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// leftover says what a file in a member dir is, by its name.
//
// Source: go.etcd.io/etcd/server/v3 storage/wal, etcdserver/api/snap, and
// storage/backend for the defragmentation.
func leftover(name string) string {
	switch {
	case strings.HasSuffix(name, ".wal"):
		return "WAL segment"
	case strings.HasSuffix(name, ".wal.broken"):
		return "WAL segment that etcd found broken"
	case strings.HasSuffix(name, ".snap.db"):
		return "db received from the leader"
	case strings.HasSuffix(name, ".snap"):
		return "raft snapshot (membership)"
	case strings.HasPrefix(name, "db.tmp."):
		return "unfinished defragmentation"
	case strings.HasSuffix(name, ".tmp"):
		return "preallocated WAL segment"
	case strings.HasSuffix(name, ".broken"):
		return "snapshot that etcd found broken"
	}
	return "not known to be etcd's"
}

// addFile opens a file that may be evidence. One that can not be read is evidence
// all the same: the report says what is wrong.
func (e *evidence) addFile(path, name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &notEvidenceError{path, "not a regular file"}
	}
	source := analyzer.Source{Path: analyzer.Text(name), Size: info.Size()}
	f, err := openReadOnly(path)
	if err != nil {
		source.File = failingReader{err}
		e.sources = append(e.sources, source)
		return nil
	}
	before, err := f.Stat()
	if err != nil {
		before = info
	}
	source.File, source.Size = f, before.Size()
	source.Changed = func() string { return changed(path, before) }
	kind, err := analyzer.Detect(f, source.Size)
	if err == nil && kind != analyzer.KindDB {
		_ = f.Close()
		return &notEvidenceError{path, whyNot(kind, source.Size)}
	}
	e.files = append(e.files, f)
	e.sources = append(e.sources, source)
	return nil
}

// whyNot says why a file of that kind and size in bytes is not examined.
func whyNot(kind analyzer.Kind, size int64) string {
	switch {
	case kind == analyzer.KindWAL:
		return "a WAL segment, which this version can not examine"
	case size == 0:
		return "an empty file"
	}
	return "neither an etcd snapshot nor a bbolt db: no page of it has a meta or a header of one"
}

// changed compares a file with what it was before it was read.
func changed(path string, before fs.FileInfo) string {
	after, err := os.Stat(path)
	switch {
	case err != nil:
		return cause(err)
	case !os.SameFile(before, after):
		return "another file has taken its place"
	case before.Size() != after.Size():
		return fmt.Sprintf("its size was %d bytes and is %d", before.Size(), after.Size())
	case !before.ModTime().Equal(after.ModTime()):
		return "its modification time is another"
	case !changeTime(before).Equal(changeTime(after)):
		return "its inode changed (ctime)"
	}
	return ""
}

// A failingReader is a file that could not be opened.
type failingReader struct{ err error }

func (r failingReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

var _ io.ReaderAt = failingReader{}
