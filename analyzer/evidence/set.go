package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Set is what PATHs led to: the evidence of one run, and the parts that the run does not
// examine. Open makes it, and its files stay open until Close.
type Set struct {
	// Sources are the files to examine: in the order of the PATHs, and within a data dir the db
	// in use first, then its WAL, then the rest.
	Sources []Source
	// NotExamined are files and folders that belong to the evidence and are not among Sources;
	// Unread marks those that Open could not read.
	NotExamined []report.NotExamined
	// NotEvidence are the PATHs that hold nothing to examine, and why.
	NotEvidence []report.NotExamined
	// Unreadable has a line for each file or folder that Open could not read: its path as the
	// user named it, why, and what to do.
	Unreadable []string

	noWAL   bool // leave WAL segments alone
	twice   int  // files that PATHs named once more
	gone    int  // files that went away before open
	files   []openFile
	named   []Part // PATHs, and files of a data dir, whether they are evidence or not
	folders []Part // that hold evidence
}

// A Part is a file or folder of the evidence. Info tells it from all others by device and inode,
// whatever path leads there.
type Part struct {
	Path string // the PATH that led to it, or its own
	Info fs.FileInfo
}

// An openFile is an open file, and its state before anything read it.
type openFile struct {
	*os.File
	path, shown string
	before      fs.FileInfo
}

// ErrNone says that nothing at any PATH can be evidence. Set.NotEvidence tells of each why.
var ErrNone = errors.New("none of the PATHs is evidence")

// Open finds and opens what paths name: a snapshot or a db file, a WAL segment, or a data dir, its
// member dir, snap or wal with all that lies in it, within MaxDepth and MaxOthers. A db at its
// place in a data dir stands for its member: Open takes the WAL beside it, too. noWAL leaves
// WAL segments out, and notes them in NotExamined.
//
// Open notes a path that is no evidence, or that it may not read, and opens the others all the
// same. The only error is ErrNone. The Set is never nil, and the caller closes it.
func Open(paths []string, noWAL bool) (*Set, error) {
	s := &Set{noWAL: noWAL}
	for _, path := range paths {
		told := func() int { return len(s.Sources) + len(s.Unreadable) + s.twice + s.gone }
		before := told()
		why := s.add(path, len(paths) > 1)
		if why == "" && told() == before {
			why = "--no-wal leaves out all that it holds"
		}
		if why != "" {
			s.NotEvidence = append(s.NotEvidence, report.NotExamined{Path: report.Text(path), What: why})
		}
	}
	if len(s.Sources)+len(s.Unreadable)+s.gone == 0 {
		return s, ErrNone
	}
	return s, nil
}

// Close closes all files. The run only read them, so an error says nothing.
func (s *Set) Close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}

// Files are the open files, and those that PATHs name or that lie in a data dir, whether they
// are evidence or not. A file may be among them more than once.
func (s *Set) Files() []Part {
	var files []Part
	for _, f := range s.files {
		files = append(files, Part{f.path, f.before})
	}
	for _, p := range s.named {
		if !p.Info.IsDir() {
			files = append(files, p)
		}
	}
	return files
}

// Folders are the folders that were named, and those that hold evidence: all that an etcd has
// below them is evidence.
func (s *Set) Folders() []Part {
	var folders []Part
	for _, p := range s.named {
		if p.Info.IsDir() {
			folders = append(folders, p)
		}
	}
	return append(folders, s.folders...)
}

// ReadCopy reads the bytes of a copy once more, from the source that the copy names.
func (s *Set) ReadCopy(c report.Copy) ([]byte, error) {
	for _, source := range s.Sources {
		if source.Path != c.Path {
			continue
		}
		b := make([]byte, c.Length)
		if n, err := source.File.ReadAt(b, c.Offset); n < len(b) {
			err = cmp.Or(err, io.ErrUnexpectedEOF)
			return nil, fmt.Errorf("%s: %d bytes at offset %#x: %w", c.Path, c.Length, c.Offset, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("%s: not among the evidence any more", c.Path)
}

// cannotRead notes an unreadable file or folder that could hold evidence. shown is its path in
// the report, which then does not speak of everything.
func (s *Set) cannotRead(path, shown, why string) {
	s.NotExamined = append(s.NotExamined, report.NotExamined{Path: report.Text(cmp.Or(shown, path)), What: why, Unread: true})
	s.Unreadable = append(s.Unreadable, path+": "+why)
}

// noteGone notes a file that went away before open: a running etcd renames its segments. The
// report tells of it as a change of the evidence.
func (s *Set) noteGone(shown string) {
	s.gone++
	s.NotExamined = append(s.NotExamined, report.NotExamined{Path: report.Text(shown), What: "it is gone since it was looked for", Unread: true, Gone: true})
}

// add opens what one path names. With several paths, the report names files by the path as the
// user gave it; with one, relative to it. It returns why the path is no evidence; empty if it
// may be.
func (s *Set) add(path string, several bool) (whyNone string) {
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
		s.named = append(s.named, Part{path, info})
	}
	switch {
	case err != nil && (isAbsent(err) || errors.Is(err, syscall.ELOOP)):
		if p := ParseMemberPath(path, isRegular); len(p.Members) > 0 {
			return fmt.Sprintf("a member of %s: this program does not look into that; extract it first", p.File)
		}
		return absent(path, err)
	case err != nil:
		s.cannotRead(path, name, whyUnread(path, err))
		return ""
	case info.IsDir():
		return s.addDir(path, prefix)
	}
	return s.addFile(path, name, info)
}

// addFile opens the file that a PATH names. It returns why that is no evidence; empty if it may
// be.
func (s *Set) addFile(path, name string, info fs.FileInfo) (whyNone string) {
	if !info.Mode().IsRegular() {
		return "not a regular file"
	}
	source, f := s.open(path, name, info)
	if f == nil {
		return ""
	}
	kind, err := Detect(f, source.Size)
	logs := logsOf(path)
	if len(logs) > 0 && kind == "" {
		kind = report.KindDB // as in the data dir: its first pages are lost
	}
	source.Kind = kind // empty on a disk error, which will come again
	spoilt := source.settle()
	if spoilt == "" && err == nil && kind == "" {
		defer s.forget(f)
		return whyNot(f, source.Size)
	}
	if spoilt != "" {
		s.cannotRead(path, name, spoilt)
	}
	if what := source.foreign(); what != "" {
		defer s.forget(f)
		return what
	}
	source.Member = memberOf(path, source.Kind)
	source.Lock = lockOf(f)
	s.takeFolders(path, filepath.Dir(asNamed(path)), filepath.Dir(RealPath(path)))
	s.take(source)
	s.addLogs(path, filepath.ToSlash(filepath.Join(filepath.Dir(name), "../wal")), logs)
	return ""
}

// open opens a file that may be evidence. f is nil if that fails, which open notes, and for a
// file that is open already.
func (s *Set) open(path, name string, info fs.FileInfo) (source Source, f *os.File) {
	for _, f := range s.files {
		if os.SameFile(info, f.before) {
			s.twice++
			return Source{}, nil
		}
	}
	source = Source{Path: report.Text(name), Name: filepath.Base(path), Size: info.Size(), Kind: report.KindDB}
	f, err := OpenReadOnly(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.noteGone(name)
		return Source{}, nil
	case err != nil:
		s.cannotRead(path, name, whyUnread(path, err))
		return Source{}, nil
	}
	before, err := settled(f)
	if err != nil {
		before = info
	}
	if !before.Mode().IsRegular() { // since it was looked for
		_ = f.Close()
		s.cannotRead(path, name, notRegular)
		return Source{}, nil
	}
	source.File, source.Size = nameless{f}, before.Size()
	source.Changed = func() string {
		if !os.SameFile(info, before) {
			return "another file took its place between the listing of its dir and its opening"
		}
		return changed(path, before)
	}
	s.files = append(s.files, openFile{f, path, name, before})
	return source, f
}

// take adds a source; with noWAL, it leaves WAL segments out.
func (s *Set) take(source Source) {
	if source.IsLog() && s.noWAL {
		s.NotExamined = append(s.NotExamined, report.NotExamined{Path: source.Path, What: leftOut})
		return
	}
	s.Sources = append(s.Sources, source)
}

// forget closes a file that is no evidence.
func (s *Set) forget(f *os.File) {
	s.files = slices.DeleteFunc(s.files, func(other openFile) bool { return other.File == f })
	_ = f.Close()
}
