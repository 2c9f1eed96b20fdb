package evidence

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// memberOf names the member dir of a file, by where it lies: the db and the WAL segments of one
// member belong together. It tries the path as the user named it before it follows links: a
// member's snap or wal may be a link to another disk.
func memberOf(path string, kind report.Kind) string {
	for _, file := range []string{asNamed(path), RealPath(path)} {
		dir, name := filepath.Split(file)
		dir = filepath.Clean(dir)
		if kind == report.KindWAL && strings.HasSuffix(name, ".wal") && filepath.Base(dir) == "wal" ||
			kind == report.KindDB && name == "db" && filepath.Base(dir) == "snap" {
			return RealPath(filepath.Dir(dir))
		}
	}
	if file := RealPath(path); kind == report.KindWAL && strings.HasSuffix(file, ".wal") {
		return filepath.Dir(file) // a --wal-dir
	}
	return ""
}

// settleHomes sets Home of the sources of one data dir: the member whose dir the file lies in, or
// else one whose dir lies in a dir above the file, the nearest. found has the paths of sources.
func settleHomes(sources []Source, found []file) {
	var members []string
	for _, s := range sources {
		if s.Member != "" && !slices.Contains(members, s.Member) {
			members = append(members, s.Member)
		}
	}
	for i := range sources {
		s := &sources[i]
		at := slices.IndexFunc(found, func(f file) bool { return f.shown == string(s.Path) })
		if s.Member != "" || at < 0 {
			continue
		}
		for dir := filepath.Dir(RealPath(found[at].path)); s.Home == ""; dir = filepath.Dir(dir) {
			near := slices.IndexFunc(members, func(m string) bool { return m == dir })
			if near < 0 {
				near = slices.IndexFunc(members, func(m string) bool { return filepath.Dir(m) == dir })
			}
			if near >= 0 {
				s.Home = members[near]
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
}

// isSegment reports whether an entry has the name of a WAL segment, and is not a folder.
func isSegment(entry fs.DirEntry) bool {
	return strings.HasSuffix(entry.Name(), ".wal") && !entry.IsDir()
}

// logsBeside are the WAL dirs that may belong to a db in dirs, which are one folder: as the
// user named it, and where it lies. It leaves out paths with nothing there, not even a dangling
// link.
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
		if real := RealPath(log); !slices.ContainsFunc(logs, func(other string) bool { return RealPath(other) == real }) {
			logs = append(logs, log)
		}
	}
	return logs
}

// logsOf are the WAL dirs of the member whose db lies at path; none if path is no db at its place
// in a data dir. It tries the path as the user named it, and the file that links lead to.
func logsOf(path string) []string {
	var dirs []string
	for _, file := range []string{asNamed(path), RealPath(path)} {
		if filepath.Base(file) == "db" {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	return logsBeside(dirs...)
}

// addLogs opens the WAL dirs of a db that the user named alone, which is the last of Sources.
// shown is what the report calls such a dir.
func (s *Set) addLogs(path, shown string, logs []string) {
	w, first := walk{Set: s}, len(s.Sources)-1
	for _, log := range logs {
		w.dir(log, shown, 0)
	}
	for _, f := range w.found {
		w.open(f)
	}
	if len(logs) == 0 || first < 0 {
		return
	}
	settleHomes(s.Sources[first:], w.found)
	w.watch(s.Sources[first:])
	for _, l := range w.listings {
		s.folders = append(s.folders, Part{path, l.before})
	}
}

// takeFolders notes the etcd's folders around a file that the user named alone: they are
// evidence, too. dirs are its folder, as the user named it and where it lies. Any other folder
// belongs to whoever put the file there.
func (s *Set) takeFolders(path string, dirs ...string) {
	for _, dir := range dirs {
		if base := filepath.Base(dir); base != "snap" && base != "wal" {
			continue
		}
		for _, name := range []string{filepath.Join(dir, "..", "snap"), filepath.Join(dir, "..", "wal"), filepath.Dir(dir)} {
			if filepath.Base(name) != "snap" && filepath.Base(name) != "wal" && filepath.Base(name) != "member" {
				continue
			}
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				s.folders = append(s.folders, Part{path, info})
			}
		}
	}
}
