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

	"github.com/etcdsift/etcdsift/analyzer"
)

// evidence is what the PATHs of a command line led to.
type evidence struct {
	noWAL       bool // leave WAL segments alone
	sources     []analyzer.Source
	notExamined []analyzer.NotExamined
	notEvidence []analyzer.NotExamined // PATHs that are none
	besides     []analyzer.NotExamined // what lies beside the PATHs, and matters to some questions
	files       []openFile
	folders     []folder // that were looked through
	unreadable  []string // for each file or folder that could not be read: its path, why, and what to do
}

// A folder is one that evidence lies in.
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

// openEvidence finds and opens what paths name. A path that is no evidence, or that
// may not be read, is noted, and the others are examined all the same; the error is
// for when none is evidence. The caller closes the evidence.
func openEvidence(paths []string, noWAL bool) (*evidence, error) {
	e := &evidence{noWAL: noWAL}
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
	e.noteLogs()
	if len(e.sources) > 0 || len(e.unreadable) > 0 {
		return e, nil
	}
	e.close()
	if len(problems) == 0 {
		problems = append(problems, errors.New("--no-wal leaves out all that the evidence is: there is nothing else to examine"))
	}
	return nil, &statusError{analyzer.ExitNotEvidence, problems}
}

// cannotRead notes a file or folder that could hold evidence and could not be read. shown
// is its path as the report has it. Whatever a report says then is not of everything.
func (e *evidence) cannotRead(path, shown, why string) {
	e.notExamined = append(e.notExamined, analyzer.NotExamined{Path: analyzer.Text(cmp.Or(shown, path)), What: why, Unread: true})
	e.unreadable = append(e.unreadable, path+": "+why)
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
func (e *evidence) noteLogs() {
	withLog := map[string]bool{}
	for _, s := range e.sources {
		withLog[s.Member] = withLog[s.Member] || s.Kind == analyzer.KindWAL
	}
	for _, s := range e.sources {
		if s.Kind != analyzer.KindDB || s.Member == "" || withLog[s.Member] {
			continue
		}
		entries, err := readDir(filepath.Join(s.Member, "wal"))
		switch {
		case slices.ContainsFunc(entries, isSegment):
			e.besides = append(e.besides, analyzer.NotExamined{Path: s.Path, What: "the WAL beside this db, which may have newer writes: name the data dir"})
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			e.besides = append(e.besides, analyzer.NotExamined{Path: s.Path,
				What: "whether there is a WAL beside this db, which may have newer writes: " + cause(err).Error()})
		}
	}
}

// isSegment reports whether an entry of a folder has the name of a WAL segment.
func isSegment(entry fs.DirEntry) bool { return strings.HasSuffix(entry.Name(), ".wal") }

// add opens what one path names. With several paths, the report names files by
// the path as it was given; else relative to it.
func (e *evidence) add(path string, several bool) error {
	prefix := ""
	if several {
		prefix = filepath.Clean(path)
	}
	name := prefix
	if name == "" {
		name = filepath.Base(path)
	}
	info, err := os.Stat(path)
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
func (e *evidence) addFile(path, name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &notEvidenceError{path, "not a regular file"}
	}
	source, f, err := e.open(path, name, info)
	if f == nil || err != nil {
		return err
	}
	source.Kind, err = analyzer.Detect(f, source.Size)
	if err == nil && source.Kind == "" {
		defer e.forget(f)
		return &notEvidenceError{path, whyNot(f, source.Size)}
	}
	source.Member = memberOf(path, source.Kind)
	source.Lock = lockOf(f)
	e.takeFolders(path, source.Member)
	e.take(source)
	return nil
}

// takeFolders notes the folders of an etcd in which a file lies that was named alone: they
// are evidence, too. Any other folder is that of whoever put the file there.
func (e *evidence) takeFolders(path, member string) {
	dir := filepath.Dir(realPath(path))
	if base := filepath.Base(dir); member == "" || base != "snap" && base != "wal" {
		return
	}
	for _, name := range []string{filepath.Join(member, "snap"), filepath.Join(member, "wal")} {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			e.folders = append(e.folders, folder{path, info})
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
func (e *evidence) open(path, name string, info fs.FileInfo) (source analyzer.Source, f *os.File, err error) {
	for _, f := range e.files {
		if opened, err := f.Stat(); err == nil && os.SameFile(info, opened) {
			return source, nil, nil // named twice
		}
	}
	source = analyzer.Source{Path: analyzer.Text(name), Name: filepath.Base(path), Size: info.Size(), Kind: analyzer.KindDB}
	f, err = openReadOnly(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		source.File = failingReader{cause(err)}
		source.Changed = func() string { return "it is gone since it was looked for" }
		e.sources = append(e.sources, source)
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

// take notes a source, unless it is of the WAL and that was not asked for.
func (e *evidence) take(source analyzer.Source) {
	if source.Kind == analyzer.KindWAL && e.noWAL {
		e.notExamined = append(e.notExamined, analyzer.NotExamined{Path: source.Path, What: "WAL segment, left out by --no-wal"})
		return
	}
	e.sources = append(e.sources, source)
}

// forget closes a file that is no evidence.
func (e *evidence) forget(f *os.File) {
	e.files = slices.DeleteFunc(e.files, func(other openFile) bool { return other.File == f })
	_ = f.Close()
}

// memberOf names the member dir that a file is of, by where it lies: the db and the
// WAL segments of one member belong together.
func memberOf(path string, kind analyzer.Kind) string {
	dir, name := filepath.Split(path)
	if resolved, err := filepath.EvalSymlinks(cmp.Or(dir, ".")); err == nil {
		dir = resolved
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	switch {
	case kind == analyzer.KindWAL && strings.HasSuffix(name, ".wal") && filepath.Base(dir) == "wal",
		kind == analyzer.KindDB && name == "db" && filepath.Base(dir) == "snap":
		return filepath.Dir(dir)
	case kind == analyzer.KindWAL && strings.HasSuffix(name, ".wal"):
		return dir // a --wal-dir
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
