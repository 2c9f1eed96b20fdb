package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// opened is what the PATHs of a command line led to.
type opened struct {
	noWAL       bool // leave WAL segments alone
	twice       int  // files that were named once more
	gone        int  // files that went away before they were opened
	sources     []evidence.Source
	notExamined []report.NotExamined
	notEvidence []report.NotExamined // PATHs that are none
	besides     []report.NotExamined // what lies beside the PATHs, and matters to some questions
	files       []openFile
	named       []folder // PATHs, and files of a data dir, whether they are evidence or not
	folders     []folder // that evidence lies in
	unreadable  []string // for each file or folder that could not be read: its path, why, and what to do
}

// A folder is one that evidence lies in, or a file that was named.
type folder struct {
	path string // the PATH that led to it
	info fs.FileInfo
}

// An openFile is a file that was opened, and what was known of it before it was read.
type openFile struct {
	*os.File
	path, shown string
	before      fs.FileInfo
}

// close closes all files. They were only read, so an error says nothing.
func (e *opened) close() {
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

// openEvidence finds and opens what paths name. A path that is no evidence, or that
// may not be read, is noted, and the others are examined all the same; the error is
// for when none is evidence. What it returns is never nil. The caller closes it.
func openEvidence(paths []string, noWAL bool) (*opened, error) {
	e := &opened{noWAL: noWAL}
	var problems []error
	for _, path := range paths {
		told := func() int { return len(e.sources) + len(e.unreadable) + e.twice + e.gone }
		before := told()
		err := e.add(path, len(paths) > 1)
		if err == nil && told() == before {
			err = &notEvidenceError{path, "--no-wal leaves out all that it holds"}
		}
		var none *notEvidenceError
		if errors.As(err, &none) {
			e.notEvidence = append(e.notEvidence, report.NotExamined{Path: report.Text(path), What: none.what})
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	e.noteLogs()
	if len(e.sources)+len(e.unreadable)+e.gone > 0 {
		return e, nil
	}
	return e, &statusError{report.ExitNotEvidence, problems}
}

// cannotRead notes a file or folder that could hold evidence and could not be read. shown
// is its path as the report has it. Whatever a report says then is not of everything.
func (e *opened) cannotRead(path, shown, why string) {
	e.notExamined = append(e.notExamined, report.NotExamined{Path: report.Text(cmp.Or(shown, path)), What: why, Unread: true})
	e.unreadable = append(e.unreadable, path+": "+why)
}

// noteGone notes a file that went away before it was opened: a running etcd renames its
// segments. That is a change of the evidence, for the report to say.
func (e *opened) noteGone(shown string) {
	e.gone++
	e.notExamined = append(e.notExamined, report.NotExamined{Path: report.Text(shown), What: "it is gone since it was looked for", Unread: true, Gone: true})
}

// whyUnread says why something could not be read, and what to do.
func whyUnread(path string, err error) string {
	what := absent(path, err)
	if errors.Is(err, fs.ErrPermission) {
		return what + ", so it was not examined: run as root, or as the user who owns it"
	}
	return what + ", so it was not examined"
}

// isAbsent reports whether an error says that there is nothing at a path.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, fs.ErrInvalid)
}

// noteLogs notes the WAL that lies beside a db that was named alone: the newest writes may
// be in it.
func (e *opened) noteLogs() {
	for _, f := range e.files {
		i := slices.IndexFunc(e.sources, func(s evidence.Source) bool { return string(s.Path) == f.shown })
		if i < 0 || e.sources[i].Kind != report.KindDB || filepath.Base(f.path) != "db" && filepath.Base(realPath(f.path)) != "db" {
			continue
		}
		note := func(what string) {
			e.besides = append(e.besides, report.NotExamined{Path: e.sources[i].Path, What: what})
		}
		for _, dir := range logsBeside(filepath.Dir(rootedOr(f.path)), filepath.Dir(realPath(f.path))) {
			entries, err := readDir(dir)
			switch {
			case slices.ContainsFunc(entries, func(entry fs.DirEntry) bool { return isSegment(entry) && !e.isOpen(dir+"/"+entry.Name()) }):
				if e.noWAL {
					note("the WAL beside this db, which may have newer writes: left out by --no-wal")
				} else {
					note("the WAL beside this db, which may have newer writes: name the data dir")
				}
			case err != nil:
				note("whether there is a WAL beside this db, which may have newer writes: " + absent(dir, err))
			}
		}
	}
}

// isOpen reports whether the file at path is open.
func (e *opened) isOpen(path string) bool {
	info, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(e.files, func(f openFile) bool { return os.SameFile(f.before, info) })
}

// logsBeside are the WAL dirs that may belong to a db in one of these folders, which are one
// and the same: as it was named, and where it lies. Those at which there is nothing, not
// even a link that leads nowhere, are left out.
func logsBeside(dirs ...string) []string {
	var logs []string
	for _, dir := range dirs {
		if filepath.Base(dir) != "snap" {
			continue
		}
		log := filepath.Join(filepath.Dir(dir), "wal")
		if _, err := os.Lstat(log); err != nil && isAbsent(err) {
			continue
		}
		if real := realPath(log); !slices.ContainsFunc(logs, func(other string) bool { return realPath(other) == real }) {
			logs = append(logs, log)
		}
	}
	return logs
}

// rootedOr is rooted and cleaned: the path as it was named, links and all.
func rootedOr(path string) string {
	if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// isSegment reports whether an entry of a folder has the name of a WAL segment, and is no
// folder itself.
func isSegment(entry fs.DirEntry) bool {
	return strings.HasSuffix(entry.Name(), ".wal") && !entry.IsDir()
}

// add opens what one path names. With several paths, the report names files by
// the path as it was given; else relative to it.
func (e *opened) add(path string, several bool) error {
	prefix := ""
	if several {
		prefix = filepath.Clean(path)
	}
	name := prefix
	if name == "" {
		name = filepath.Base(path)
	}
	info, err := os.Stat(path)
	if err == nil {
		e.named = append(e.named, folder{path, info})
	}
	switch {
	case err != nil && (isAbsent(err) || errors.Is(err, syscall.ELOOP)):
		return &notEvidenceError{path, absent(path, err)}
	case err != nil:
		e.cannotRead(path, name, whyUnread(path, err))
		return nil
	case info.IsDir():
		return e.addDir(path, prefix)
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
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}

// addFile opens the file that a PATH names.
func (e *opened) addFile(path, name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &notEvidenceError{path, "not a regular file"}
	}
	source, f, err := e.open(path, name, info)
	if f == nil || err != nil {
		return err
	}
	source.Kind, err = evidence.Detect(f, source.Size)
	if err == nil && source.Kind == "" {
		defer e.forget(f)
		return &notEvidenceError{path, whyNot(f, source.Size)}
	}
	source.Member = memberOf(path, source.Kind)
	source.Lock = lockOf(f)
	e.takeFolders(path, filepath.Dir(rootedOr(path)), filepath.Dir(realPath(path)))
	e.take(source)
	return nil
}

// takeFolders notes the folders of an etcd in which something lies that was named alone: they
// are evidence, too. dirs are its folder, as it was named and where it lies. Any other folder
// is that of whoever put a file there.
func (e *opened) takeFolders(path string, dirs ...string) {
	for _, dir := range dirs {
		if base := filepath.Base(dir); base != "snap" && base != "wal" {
			continue
		}
		for _, name := range []string{filepath.Join(dir, "..", "snap"), filepath.Join(dir, "..", "wal"), filepath.Dir(dir)} {
			if filepath.Base(name) != "snap" && filepath.Base(name) != "wal" && filepath.Base(name) != "member" {
				continue
			}
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				e.folders = append(e.folders, folder{path, info})
			}
		}
	}
}

// lockOf says who holds a write lock on the file, now or when it is asked.
func lockOf(f *os.File) func() string {
	now := writeLock(f)
	return func() string { return cmp.Or(now, writeLock(f)) }
}

// open opens a file that may be evidence. f is nil for one that can not be read, which
// is noted, and for one that is open already.
func (e *opened) open(path, name string, info fs.FileInfo) (source evidence.Source, f *os.File, err error) {
	for _, f := range e.files {
		if os.SameFile(info, f.before) {
			e.twice++
			return source, nil, nil
		}
	}
	source = evidence.Source{Path: report.Text(name), Name: filepath.Base(path), Size: info.Size(), Kind: report.KindDB}
	f, err = openReadOnly(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.noteGone(name)
		return source, nil, nil
	case err != nil:
		e.cannotRead(path, name, whyUnread(path, err))
		return source, nil, nil
	}
	before, err := settled(f)
	if err != nil {
		before = info
	}
	if !before.Mode().IsRegular() { // since it was looked for
		_ = f.Close()
		e.cannotRead(path, name, notRegular)
		return source, nil, nil
	}
	source.File, source.Size = reader{f}, before.Size()
	source.Changed = func() string {
		if !os.SameFile(info, before) {
			return "another file took its place between the listing of its dir and its opening"
		}
		return changed(path, before)
	}
	e.files = append(e.files, openFile{f, path, name, before})
	return source, f, nil
}

// notRegular is why a FIFO, a device, a socket or a folder with the name of a file of
// etcd's is not examined.
const notRegular = "not a regular file, so it was not examined: name the file that belongs there"

const leftOut = "WAL segment, left out by --no-wal"

// take notes a source, unless it is of the WAL and that was not asked for.
func (e *opened) take(source evidence.Source) {
	if source.Kind == report.KindWAL && e.noWAL {
		e.notExamined = append(e.notExamined, report.NotExamined{Path: source.Path, What: leftOut})
		return
	}
	e.sources = append(e.sources, source)
}

// forget closes a file that is no evidence.
func (e *opened) forget(f *os.File) {
	e.files = slices.DeleteFunc(e.files, func(other openFile) bool { return other.File == f })
	_ = f.Close()
}

// memberOf names the member dir that a file is of, by where it lies: the db and the
// WAL segments of one member belong together. The path as it was named goes before where
// links lead: of a member, snap or wal may be a link to another disk.
func memberOf(path string, kind report.Kind) string {
	for _, file := range []string{rootedOr(path), realPath(path)} {
		dir, name := filepath.Split(file)
		dir = filepath.Clean(dir)
		if kind == report.KindWAL && strings.HasSuffix(name, ".wal") && filepath.Base(dir) == "wal" ||
			kind == report.KindDB && name == "db" && filepath.Base(dir) == "snap" {
			return realPath(filepath.Dir(dir))
		}
	}
	if file := realPath(path); kind == report.KindWAL && strings.HasSuffix(file, ".wal") {
		return filepath.Dir(file) // a --wal-dir
	}
	return ""
}

// whyNot says why a file of that size in bytes is no evidence.
func whyNot(f io.ReaderAt, size int64) string {
	switch {
	case size == 0:
		return "an empty file"
	case packed(f) != "":
		return packed(f) + ": decompress it first"
	}
	return "neither an etcd snapshot nor a bbolt db nor a WAL segment: no page of it has a meta or a header of one"
}
