package evidence

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// A listing is what lay in a dir when walk read it. A running etcd makes new WAL segments, and
// removes old ones.
type listing struct {
	dir, shown string
	before     fs.FileInfo
	names      []string
	partial    bool // an error kept some entries out, and is noted already
}

// changed tells what has become of the dir since, in words for a file in it.
func (l listing) changed() string {
	entries, err := readDir(l.dir)
	switch {
	case l.partial, err != nil && !isAbsent(err):
		return "" // nobody can tell whether it changed
	case err != nil:
		return fmt.Sprintf("%s is gone", cmp.Or(l.shown, l.dir))
	}
	names := namesOf(entries)
	first := func(in, notIn []string, what string) string {
		for _, name := range in {
			if _, found := slices.BinarySearch(notIn, name); !found {
				return fmt.Sprintf("%s, which lies beside it, is %s since", strings.ToValidUTF8(path.Join(l.shown, name), "\uFFFD"), what)
			}
		}
		return ""
	}
	if what := cmp.Or(first(names, l.names, "new"), first(l.names, names, "gone")); what != "" {
		return what
	}
	if after, err := os.Stat(l.dir); err == nil && !after.ModTime().Equal(l.before.ModTime()) {
		return "files beside it were made, renamed or removed"
	}
	return ""
}

func namesOf(entries []fs.DirEntry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// watch makes a change of a dir one of the first source in it, or of the first source of all if
// the dir has no source.
func (w *walk) watch(sources []Source) {
	if len(sources) == 0 {
		return
	}
	for _, l := range w.listings {
		i := max(0, slices.IndexFunc(sources, func(s Source) bool { return path.Dir(string(s.Path)) == cmp.Or(l.shown, ".") }))
		file := sources[i].Changed
		sources[i].Changed = func() string {
			var what []string
			if file != nil {
				what = append(what, file())
			}
			what = append(what, l.changed())
			return strings.Join(slices.DeleteFunc(what, func(s string) bool { return s == "" }), "; ")
		}
	}
}
