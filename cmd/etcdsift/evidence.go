package main

import (
	"bytes"
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

// evidence is what the PATHs of a command line led to.
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
		return nil, &statusError{analyzer.ExitNotEvidence, problems}
	}
	return e, nil
}

// add opens what one path names. With several paths, the report names files by
// the path as it was given; else relative to it.
func (e *evidence) add(path string, several bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return &notEvidenceError{path, absent(path, err)}
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

// absent says why there is nothing at path.
func absent(path string, err error) string {
	if _, linkErr := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && linkErr == nil {
		return "a symbolic link that leads nowhere"
	}
	return cause(err).Error()
}

// cause is an error without the path that os puts before it: reports name files by
// paths of their own.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// dbNames is where a db lies in a data dir, in its member dir and in member/snap,
// and walNames where the WAL lies then.
var (
	dbNames  = []string{"member/snap/db", "snap/db", "db"}
	walNames = []string{"member/wal", "wal", "../wal"}
)

// addDir opens the db of a data dir, and names what lies beside it.
func (e *evidence) addDir(dir, prefix string) error {
	for i, name := range dbNames {
		path := filepath.Join(dir, filepath.FromSlash(name))
		shown := filepath.ToSlash(filepath.Join(prefix, name))
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if _, err := os.Lstat(path); err == nil {
				return &notEvidenceError{path, "a symbolic link that leads nowhere"}
			}
			continue
		case err != nil:
			// Something that may not be looked at, which is not the same as nothing.
			e.sources = append(e.sources, analyzer.Source{Path: analyzer.Text(shown), File: failingReader{cause(err)}})
			return nil
		case info.IsDir():
			continue
		}
		if err := e.addFile(path, shown, info); err != nil {
			return err
		}
		e.nameOthers(dir, prefix, strings.TrimSuffix(name, "db"))
		if resolved, err := filepath.EvalSymlinks(dir); walNames[i] != "../wal" || err == nil && filepath.Base(resolved) == "snap" {
			e.nameOthers(dir, prefix, walNames[i])
		}
		return nil
	}
	return &notEvidenceError{dir, "no etcd data: it holds none of " + strings.Join(dbNames, ", ") +
		"; name a data dir, a snapshot or a db file"}
}

// maxNamed bounds the files of one folder that a report names.
const maxNamed = 200

// nameOthers notes the files of the folder that are not examined.
func (e *evidence) nameOthers(dir, prefix, folder string) {
	note := func(name, what string) {
		path := filepath.ToSlash(filepath.Join(prefix, folder, name))
		e.notExamined = append(e.notExamined, analyzer.NotExamined{Path: analyzer.Text(path), What: what})
	}
	path := dir + "/" + folder // not cleaned: dir may be a symbolic link
	entries, err := readDir(filepath.FromSlash(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		note("", cause(err).Error())
	}
	for i, entry := range entries {
		switch {
		case entry.Name() == "db":
		case i == maxNamed:
			note("", fmt.Sprintf("%d more files, not examined", len(entries)-i))
			return
		default:
			note(entry.Name(), leftover(entry.Name())+", not examined")
		}
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
	for _, f := range e.files {
		if opened, err := f.Stat(); err == nil && os.SameFile(info, opened) {
			return nil // named twice
		}
	}
	source := analyzer.Source{Path: analyzer.Text(name), Size: info.Size()}
	f, err := openReadOnly(path)
	if err != nil {
		source.File = failingReader{cause(err)}
		e.sources = append(e.sources, source)
		return nil
	}
	before, err := f.Stat()
	if err != nil {
		before = info
	}
	source.File, source.Size = reader{f}, before.Size()
	source.Changed = func() string { return changed(path, before) }
	kind, err := analyzer.Detect(f, source.Size)
	if err == nil && kind != analyzer.KindDB {
		defer f.Close()
		return &notEvidenceError{path, whyNot(kind, f, source.Size)}
	}
	e.files = append(e.files, f)
	e.sources = append(e.sources, source)
	return nil
}

// whyNot says why a file of that kind and size in bytes is not examined.
func whyNot(kind analyzer.Kind, f io.ReaderAt, size int64) string {
	magic := make([]byte, 4)
	_, _ = f.ReadAt(magic, 0) // a short file has no magic
	switch {
	case kind == analyzer.KindWAL:
		return "a WAL segment, which this version can not examine"
	case size == 0:
		return "an empty file"
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}), bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "a compressed file: decompress it first"
	}
	return "neither an etcd snapshot nor a bbolt db: no page of it has a meta or a header of one"
}
