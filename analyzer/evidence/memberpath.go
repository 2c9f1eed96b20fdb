package evidence

import (
	"os"
	"strings"
)

// A MemberPath names a file, or a member of a container in it, such as a snapshot in an archive
// of backups: backup.tar!/etcd-snapshot.db. It is spelt as Java does for a file in a jar, so that
// a colon, which Windows and scp give a meaning of their own, needs no care; a shell may want it in
// single quotes. Members nest: backup.zip!/node1.tar!/etcd-snapshot.db.
//
// In the name of a member "!" is spelt "%21" where it stands before "/" or at the end, and "%" is
// "%25" before "21" or "25", so that each path is parsed back to what was printed.
type MemberPath struct {
	File    string   // as the user named it
	Members []string // from the outermost container in; none of the file itself
}

// memberMark stands between a container and the name of a member.
const memberMark = "!/"

// String is the path as reports print it.
func (p MemberPath) String() string {
	s := p.File
	for _, m := range p.Members {
		s += memberMark + spellMember(m)
	}
	return s
}

// ParseMemberPath parses what String prints. A file with that very name goes before a member, and
// of several files that may be meant the one with the shortest name counts; isFile reports
// whether there is a file at a path.
func ParseMemberPath(s string, isFile func(string) bool) MemberPath {
	if isFile(s) {
		return MemberPath{File: s}
	}
	for i := 0; i < len(s); i++ {
		if !strings.HasPrefix(s[i:], memberMark) || !isFile(s[:i]) {
			continue
		}
		p := MemberPath{File: s[:i]}
		for _, m := range strings.Split(s[i+len(memberMark):], memberMark) {
			p.Members = append(p.Members, readMember(m))
		}
		return p
	}
	return MemberPath{File: s}
}

func spellMember(name string) string {
	var b strings.Builder
	for i := range len(name) {
		rest := name[i+1:]
		switch {
		case name[i] == '!' && (rest == "" || rest[0] == '/'):
			b.WriteString("%21")
		case name[i] == '%' && (strings.HasPrefix(rest, "21") || strings.HasPrefix(rest, "25")):
			b.WriteString("%25")
		default:
			b.WriteByte(name[i])
		}
	}
	return b.String()
}

func readMember(s string) string { return strings.NewReplacer("%21", "!", "%25", "%").Replace(s) }

// isRegular reports whether there is a regular file at path.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
