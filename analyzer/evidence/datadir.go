package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// dbNames is where a db lies in a data dir, in its member dir and in member/snap;
// walNames is where WAL segments lie, in a WAL dir too.
var (
	dbNames  = []string{"member/snap/db", "snap/db", "db"}
	walNames = []string{"member/wal", "wal", "."}
)

// MaxDepth bounds how deep Open searches a data dir; an etcd's own has two levels.
const MaxDepth = 8

// MaxOthers bounds the files of a data dir that Open opens although they are neither a db nor a
// WAL segment. It counts the rest.
const MaxOthers = 1000

// addDir opens all that lies in a data dir: the db and its WAL, etcd's leftovers, and copies
// beside them. It returns why the folder is no evidence; empty if it is.
func (s *Set) addDir(dir, prefix string) (whyNone string) {
	if !isDataDir(dir) {
		return "no etcd data: it holds none of " + strings.Join(dbNames, ", ") +
			", and no WAL; name a data dir, a snapshot, a db file or a WAL segment"
	}
	w, first := walk{Set: s}, len(s.Sources)
	w.dir(dir, prefix, 0)
	for _, log := range logsBeside(asNamed(dir), RealPath(dir)) {
		w.dir(log, filepath.ToSlash(filepath.Join(prefix, "../wal")), 0)
	}
	s.takeFolders(dir, asNamed(dir), RealPath(dir))
	slices.SortStableFunc(w.found, func(a, b file) int {
		return cmp.Or(cmp.Compare(a.rank(prefix), b.rank(prefix)), strings.Compare(a.shown, b.shown))
	})
	for _, f := range w.found {
		w.open(f)
	}
	settleHomes(s.Sources[first:], w.found)
	w.watch(s.Sources[first:])
	for _, l := range w.listings {
		s.folders = append(s.folders, Part{dir, l.before})
	}
	if more := w.others - MaxOthers; more > 0 {
		s.cannotRead(dir, prefix, fmt.Sprintf("%d more files that are not known to be etcd's: only the first %d were examined; move them out of the data dir, or name those that matter", more, MaxOthers))
	}
	return ""
}

// isDataDir reports whether dir holds etcd data, or may hold some.
func isDataDir(dir string) bool {
	for _, name := range dbNames {
		file := filepath.Join(dir, filepath.FromSlash(name))
		info, err := os.Stat(file)
		if err == nil && !info.IsDir() || err != nil && !isAbsent(err) {
			return true // an unreadable entry is not an absent one
		}
		if _, linkErr := os.Lstat(file); err != nil && linkErr == nil {
			return true // a link that leads nowhere
		}
	}
	for _, name := range walNames {
		entries, err := readDir(filepath.Join(dir, filepath.FromSlash(name)))
		if slices.ContainsFunc(entries, isSegment) || err != nil && !isAbsent(err) {
			return true
		}
	}
	return false
}

// A walk collects the files of a data dir.
type walk struct {
	*Set
	found   []file
	visited []fs.FileInfo // dirs: symbolic links may lead back to one
	others  int

	listings []listing
}

// A file is a file of a data dir.
type file struct {
	path, shown string
	info        fs.FileInfo
}

// rank puts the db in use first, then its WAL, then the rest.
func (f file) rank(prefix string) int {
	inUse := func(names []string, shown string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return shown == filepath.ToSlash(filepath.Join(prefix, name)) })
	}
	switch {
	case inUse(dbNames, f.shown):
		return 0
	case strings.HasSuffix(f.shown, ".wal") && inUse(append(walNames, "../wal"), filepath.ToSlash(filepath.Dir(f.shown))):
		return 1
	}
	return 2
}

func (w *walk) note(shown, what string) {
	w.NotExamined = append(w.NotExamined, report.NotExamined{Path: report.Text(shown), What: what})
}

// dir collects what lies below dir.
func (w *walk) dir(dir, shown string, depth int) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		w.cannotRead(dir, shown, whyUnread(dir, err))
		return
	case slices.ContainsFunc(w.visited, func(seen fs.FileInfo) bool { return os.SameFile(seen, info) }):
		w.note(shown, "a dir that was examined already, by another path")
		return
	case depth > MaxDepth:
		w.cannotRead(dir, shown, fmt.Sprintf("nested over %d dirs deep, so it was not examined: name it as a PATH of its own", MaxDepth))
		return
	}
	w.visited = append(w.visited, info)
	entries, err := readDir(filepath.FromSlash(dir))
	switch {
	case err != nil && w.noWAL && path.Base(shown) == "wal":
		w.note(shown, "a WAL, left out by --no-wal")
	case err != nil:
		w.cannotRead(dir, shown, whyUnread(dir, err))
	}
	w.listings = append(w.listings, listing{dir, shown, info, namesOf(entries), err != nil})
	for _, entry := range entries {
		path := dir + "/" + entry.Name() // not cleaned: dir may be a symbolic link
		name := filepath.ToSlash(filepath.Join(shown, entry.Name()))
		info, err := os.Stat(path)
		switch {
		case w.noWAL && strings.HasSuffix(name, ".wal") && (err != nil || !info.IsDir()):
			w.note(name, leftOut)
		case errors.Is(err, fs.ErrNotExist) && !leadsNowhere(path, err):
			w.noteGone(name)
		case err != nil && (mayMatter(name) || !isAbsent(err)):
			w.cannotRead(path, name, whyUnread(path, err))
		case err != nil:
			w.note(name, absent(path, err))
		case info.IsDir():
			if isFileName(name) {
				w.cannotRead(path, name, notRegular)
			}
			w.dir(path, name, depth+1)
		case !info.Mode().IsRegular() && mayMatter(name):
			w.cannotRead(path, name, notRegular)
		case !info.Mode().IsRegular():
			w.note(name, "not a regular file")
		default:
			w.found = append(w.found, file{path, name, info})
			w.named = append(w.named, Part{path, info}) // a link may lead to it
		}
	}
}

// isFileName reports whether a path ends in the name of a file of etcd's, which no folder
// should have.
func isFileName(shown string) bool {
	base := path.Base(shown)
	return base == "db" || strings.HasSuffix(base, ".wal") || strings.HasSuffix(base, ".snap") || strings.HasSuffix(base, ".snap.db")
}

// mayMatter reports whether something in a data dir has a name of etcd's, or of a backup,
// so that an answer without it is not whole.
func mayMatter(shown string) bool {
	switch base := path.Base(shown); {
	case base == "db", base == "member", base == "snap", base == "wal":
		return true
	case strings.HasSuffix(base, ".wal"), strings.HasSuffix(base, ".db"):
		return true
	}
	return leftover(shown) != ""
}

// open opens a file as the kind that its name says, or else its content.
func (w *walk) open(f file) {
	source, opened := w.Set.open(f.path, f.shown, f.info)
	if opened == nil {
		return
	}
	switch base := filepath.Base(f.path); {
	case base == "db":
		source.Kind = report.KindDB
	case strings.HasSuffix(base, ".wal"):
		source.Kind = report.KindWAL
	default:
		var err error
		if source.Kind, err = Detect(source.File, source.Size); err != nil {
			source.Kind = report.KindOther // the disk gave an error, and will give it again
		}
	}
	if spoilt := source.settle(); spoilt != "" {
		w.cannotRead(f.path, f.shown, spoilt)
	} else if what := source.foreign(); what != "" {
		source.Kind = report.KindOther
		w.note(f.shown, what+"; only searched for Kubernetes objects")
	} else if source.Kind == "" {
		source.Kind = report.KindOther
		if w.others++; w.others > MaxOthers {
			w.forget(opened)
			return
		}
		if what, do := unpack(source.File); what != "" {
			w.cannotRead(f.path, f.shown, what+", so what is in it was not examined: "+do)
		} else if leftover(f.shown) == "" {
			w.note(f.shown, "not known to be etcd's: only searched for Kubernetes objects")
		}
	}
	if !source.IsSearched() {
		source.Lock = lockOf(opened)
	}
	source.What = leftover(f.shown)
	source.Member = memberOf(f.path, source.Kind)
	w.take(source)
}

// leftover says what a file in a member dir is, by its name; empty if not known.
//
// Source: go.etcd.io/etcd/server/v3 storage/wal, etcdserver/api/snap (SaveDBFrom for what is
// received), and storage/backend for the defragmentation.
func leftover(name string) string {
	switch {
	case strings.HasSuffix(name, ".wal"), strings.HasSuffix(name, "/db"), name == "db":
		return "" // etcd works with it
	case strings.HasSuffix(name, ".wal.broken"):
		return "WAL segment that etcd found broken"
	case strings.HasSuffix(name, ".snap.db"):
		return "db received from the leader"
	case strings.HasSuffix(name, ".snap"):
		return "raft snapshot (v2 store: membership, and the keys of the v2 API)"
	case isReceived(path.Base(name)):
		return "unfinished db from the leader"
	case strings.Contains(name, "db.tmp."):
		return "unfinished defragmentation"
	case strings.HasSuffix(name, ".tmp"):
		return "preallocated WAL segment"
	case strings.HasSuffix(name, ".broken"):
		return "snapshot that etcd found broken"
	}
	return ""
}

// isReceived reports whether base is the name of a temporary file of etcd's: "tmp" and a number.
func isReceived(base string) bool {
	digits, ok := strings.CutPrefix(base, "tmp")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// readDir is os.ReadDir, but leaves the access time of the folder alone too.
func readDir(path string) ([]fs.DirEntry, error) {
	f, err := openDir(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}
