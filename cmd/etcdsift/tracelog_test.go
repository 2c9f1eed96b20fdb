package main

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
)

// A syscallRecord is a system call in the record of strace -f -y.
type syscallRecord struct {
	pid    int
	name   string
	args   []string // as strace prints them
	result string
}

func (c syscallRecord) String() string {
	return fmt.Sprintf("%d %s(%s) = %s", c.pid, c.name, strings.Join(c.args, ", "), c.result)
}

var (
	traceLine   = regexp.MustCompile(`^(\d+) +(.*)$`)
	traceCall   = regexp.MustCompile(`^([a-z_0-9]+)\((.*)$`)
	traceResume = regexp.MustCompile(`^<\.\.\. ([a-z_0-9]+) resumed>(.*)$`)
)

const traceUnfinished = "<unfinished ...>"

// readTrace reads the record of strace. A call that another process came in between of is
// put together again; one that never returned has no result.
func readTrace(r io.Reader) ([]syscallRecord, error) {
	var calls []syscallRecord
	open := map[int]string{} // calls that have not returned, by process
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			return nil, fmt.Errorf("no line of strace: %q", lines.Text())
		}
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		text := m[2]
		if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "+++") {
			continue // a signal, or the end of a process
		}
		if resumed := traceResume.FindStringSubmatch(text); resumed != nil {
			start, ok := open[pid]
			if !ok || !strings.HasPrefix(start, resumed[1]+"(") {
				return nil, fmt.Errorf("goes on with a call that did not start: %q", lines.Text())
			}
			delete(open, pid)
			text = start + resumed[2]
		}
		if start, ok := strings.CutSuffix(text, traceUnfinished); ok {
			open[pid] = strings.TrimSuffix(start, " ")
			continue
		}
		c, err := parseCall(pid, text)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	for pid, start := range open {
		c, err := parseCall(pid, start+") = ?")
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, lines.Err()
}

func parseCall(pid int, text string) (syscallRecord, error) {
	m := traceCall.FindStringSubmatch(text)
	if m == nil {
		return syscallRecord{}, fmt.Errorf("no call: %q", text)
	}
	args, rest, ok := splitArgs(m[2])
	result, hasResult := strings.CutPrefix(strings.TrimLeft(rest, " "), "= ")
	if !ok || !hasResult {
		return syscallRecord{}, fmt.Errorf("no result: %q", text)
	}
	return syscallRecord{pid, m[1], args, result}, nil
}

// splitArgs splits the arguments of a call up to its closing parenthesis.
func splitArgs(text string) (args []string, rest string, ok bool) {
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '<' && isAnnotated(text[start:i]):
			for i++; i < len(text) && text[i] != '>'; i++ { // one in a name is escaped
			}
		case c == '(' || c == '[' || c == '{':
			depth++
		case depth == 0 && c == ')':
			if arg := strings.TrimSpace(text[start:i]); arg != "" || len(args) > 0 {
				args = append(args, arg)
			}
			return args, text[i+1:], true
		case c == ')' || c == ']' || c == '}':
			depth--
		case depth == 0 && c == ',':
			args = append(args, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return nil, "", false
}

var annotated = regexp.MustCompile(`(\d|AT_FDCWD)$`)

// isAnnotated reports whether a file descriptor ends here, and its path follows.
func isAnnotated(text string) bool { return annotated.MatchString(text) }

// paths are all paths that a call names: those of its descriptors, and its strings, which
// are relative to the descriptor before them, or to cwd.
func (c syscallRecord) paths(cwd string) []string {
	var paths []string
	dir := cwd
	for _, arg := range c.args {
		fd, after, _ := strings.Cut(arg, "<")
		switch {
		case strings.HasPrefix(arg, `"`):
			end := strings.LastIndexByte(arg, '"')
			name := unescape(arg[1:end])
			if !filepath.IsAbs(name) {
				name = dir + "/" + name // not cleaned: it may lead through symbolic links
			}
			paths = append(paths, name)
			dir = cwd
		case isAnnotated(fd) && strings.HasSuffix(after, ">"):
			dir = strings.TrimSuffix(unescape(strings.TrimSuffix(after, ">")), " (deleted)")
			paths = append(paths, dir)
		}
	}
	return paths
}

// unescape replaces the escapes of strace, which are those of C.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		end := i
		for end < len(s) && end < i+3 && '0' <= s[end] && s[end] <= '7' {
			end++
		}
		if n, err := strconv.ParseUint(s[i:end], 8, 8); err == nil {
			b.WriteByte(byte(n))
			i = end - 1
			continue
		}
		if at := strings.IndexByte("abfnrtv", s[i]); at >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v"[at])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// harmlessCalls are those that may name evidence, or a descriptor of it. All that are not
// listed may not: they write, truncate, rename, link, remove, map, lock or change it, or
// nobody has thought about them yet.
var harmlessCalls = []string{
	"execve", "close",
	"read", "pread64", "readv", "preadv", "preadv2", "lseek", "getdents64", "readahead", "fadvise64",
	"stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "epoll_ctl",
}

// openFlags are those with which evidence may be opened, and descriptorCommands what may
// be done to a descriptor of it by fcntl.
var (
	openFlags          = []string{"O_RDONLY", "O_NOATIME", "O_CLOEXEC", "O_LARGEFILE", "O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW", "O_PATH"}
	descriptorCommands = []string{"F_GETFL", "F_SETFL", "F_GETFD", "F_SETFD", "F_DUPFD", "F_DUPFD_CLOEXEC"}
)

// touches says what a call does that must not be done to evidence; empty for nothing.
func (c syscallRecord) touches() string {
	switch c.name {
	case "open", "openat":
		flags := c.args[len(c.args)-1]
		if strings.HasPrefix(flags, "0") { // a mode
			flags = c.args[len(c.args)-2]
		}
		for flag := range strings.SplitSeq(flags, "|") {
			if !slices.Contains(openFlags, flag) {
				return "opened with " + flag
			}
		}
		return ""
	case "fcntl":
		if command := c.args[1]; !slices.Contains(descriptorCommands, command) {
			return "fcntl " + command
		}
		return ""
	}
	if slices.Contains(harmlessCalls, c.name) {
		return ""
	}
	return c.name
}

// A traceVerdict is what a record says on the evidence below a folder.
type traceVerdict struct {
	violations []string
	opened     map[string]bool // files and folders that could be opened, by their path
}

// judge looks for calls that touch what lies below root, or reach for a network. cwd is the
// working directory of all processes.
func judge(calls []syscallRecord, root, cwd string) traceVerdict {
	v := traceVerdict{opened: map[string]bool{}}
	root = evidence.RealPath(root)
	for _, c := range calls {
		switch c.name {
		case "socket", "socketpair", "connect", "bind", "sendto", "sendmsg":
			v.violations = append(v.violations, "network: "+c.String())
		case "chdir", "fchdir", "chroot", "io_uring_setup":
			v.violations = append(v.violations, "not followed: "+c.String())
		}
		if c.name == "write" || c.name == "execve" {
			c.args = c.args[:1] // strings that are no paths
		}
		for _, path := range c.paths(cwd) {
			if !liesBelow(path, root) {
				continue
			}
			if what := c.touches(); what != "" {
				v.violations = append(v.violations, what+": "+c.String())
			} else if strings.HasPrefix(c.name, "open") && !strings.HasPrefix(c.result, "-1") {
				v.opened[evidence.RealPath(path)] = true
			}
		}
	}
	return v
}

// liesBelow reports whether path is root or lies below it, by its name or where it leads to.
func liesBelow(path, root string) bool {
	for _, p := range []string{filepath.Clean(path), evidence.RealPath(path), filepath.Join(evidence.RealPath(filepath.Dir(path)), filepath.Base(path))} {
		if p == root || strings.HasPrefix(p, root+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

func TestReadTrace(t *testing.T) {
	const log = `7  execve("./etcdsift", ["./etcdsift", "scan", "e/db"], 0x7ffc /* 39 vars */) = 0
7  openat(AT_FDCWD</w>, "e/a, \"b\") = 3\303\244", O_RDONLY|O_CLOEXEC) = 5</w/e/a, "b") = 3\303\244>
8  pread64(5</w/e/db>,  <unfinished ...>
7  mmap(NULL, 4096, PROT_READ, MAP_SHARED, 5</w/e/db>, 0 <unfinished ...>
7  --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=7, si_uid=0} ---
8  <... pread64 resumed>"\0\0)\"..., ", 16, 4096) = 16
7  <... mmap resumed>)                     = 0x7f00
9  fstat(5</w/e/db>, {st_mode=S_IFREG|0600, st_size=1048576, ...}) = 0
9  exit_group(0)                           = ?
9  getpid()                                = 9
8  futex(0x1, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>
9  +++ exited with 0 +++
`
	calls, err := readTrace(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprintf("%d %s %q %s", c.pid, c.name, c.args, c.result))
	}
	want := []string{
		`7 execve ["\"./etcdsift\"" "[\"./etcdsift\", \"scan\", \"e/db\"]" "0x7ffc /* 39 vars */"] 0`,
		`7 openat ["AT_FDCWD</w>" "\"e/a, \\\"b\\\") = 3\\303\\244\"" "O_RDONLY|O_CLOEXEC"] 5</w/e/a, "b") = 3\303\244>`,
		`8 pread64 ["5</w/e/db>" "\"\\0\\0)\\\"..., \"" "16" "4096"] 16`,
		`7 mmap ["NULL" "4096" "PROT_READ" "MAP_SHARED" "5</w/e/db>" "0"] 0x7f00`,
		`9 fstat ["5</w/e/db>" "{st_mode=S_IFREG|0600, st_size=1048576, ...}"] 0`,
		`9 exit_group ["0"] ?`,
		`9 getpid [] 9`,
		`8 futex ["0x1" "FUTEX_WAIT_PRIVATE" "0" "NULL"] ?`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if paths := calls[1].paths("/elsewhere"); !slices.Equal(paths, []string{"/w", "/w/e/a, \"b\") = 3\u00e4"}) {
		t.Errorf("paths %q", paths)
	}
	for _, bad := range []string{"no pid", "7 <... read resumed>) = 0", "7 read(3", "7 read(3)", "7 ???"} {
		if calls, err := readTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, calls)
		}
	}
}

// Each call that touches evidence is told from those that do not, by whatever name it says
// which file it means.
func TestJudgeTrace(t *testing.T) {
	for line, want := range map[string]string{
		`openat(AT_FDCWD</w>, "e/db", O_RDONLY|O_NOATIME|O_CLOEXEC) = 5</w/e/db>`:                 "",
		`openat(4</w/e>, "db", O_RDWR) = 5</w/e/db>`:                                              "opened with O_RDWR",
		`openat(AT_FDCWD</w>, "x/../e/db", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 5</w/e/db>`:          "opened with O_WRONLY",
		`openat(AT_FDCWD</w>, "e/new", O_RDONLY|O_CREAT, 0600) = 5</w/e/new>`:                     "opened with O_CREAT",
		`openat(AT_FDCWD</w>, "e/db", O_RDONLY|O_TRUNC) = 5</w/e/db>`:                             "opened with O_TRUNC",
		`openat(AT_FDCWD</w>, "e", O_WRONLY|O_TMPFILE, 0600) = 5</w/e/#1 (deleted)>`:              "opened with O_WRONLY",
		`openat(AT_FDCWD</w>, "out", O_WRONLY|O_CREAT|O_EXCL, 0600) = 5</w/out>`:                  "",
		`open("/w/e/db", O_RDWR) = 5</w/e/db>`:                                                    "opened with O_RDWR",
		`openat2(AT_FDCWD</w>, "e/db", {flags=O_RDWR, resolve=0}, 24) = 5</w/e/db>`:               "openat2",
		`read(5</w/e/db>, "write", 5) = 5`:                                                        "",
		`write(5</w/e/db>, "x", 1) = 1`:                                                           "write",
		`write(1</w/out>, "/w/e/db", 7) = 7`:                                                      "",
		`pwrite64(5</w/e/db>, "x", 1, 0) = 1`:                                                     "pwrite64",
		`writev(5</w/e/db>, [{iov_base="x", iov_len=1}], 1) = 1`:                                  "writev",
		`ftruncate(5</w/e/db>, 0) = 0`:                                                            "ftruncate",
		`truncate("/w/e/db", 0) = 0`:                                                              "truncate",
		`fallocate(5</w/e/db>, 0, 0, 10) = 0`:                                                     "fallocate",
		`rename("/w/out", "/w/e/db") = 0`:                                                         "rename",
		`renameat2(AT_FDCWD</w>, "out", 4</w/e>, "db", 0) = 0`:                                    "renameat2",
		`link("/w/e/db", "/w/out") = 0`:                                                           "link",
		`linkat(4</w/e>, "db", AT_FDCWD</w>, "out", 0) = 0`:                                       "linkat",
		`symlinkat("x", 4</w/e>, "db") = 0`:                                                       "symlinkat",
		`unlinkat(AT_FDCWD</w>, "e/db", 0) = 0`:                                                   "unlinkat",
		`mkdirat(AT_FDCWD</w>, "e/sub", 0700) = 0`:                                                "mkdirat",
		`rmdir("/w/e/sub") = 0`:                                                                   "rmdir",
		`fchmodat(AT_FDCWD</w>, "e/db", 0600) = 0`:                                                "fchmodat",
		`fchown(5</w/e/db>, 0, 0) = 0`:                                                            "fchown",
		`utimensat(AT_FDCWD</w>, "e/db", NULL, 0) = 0`:                                            "utimensat",
		`utimensat(5</w/e/db>, NULL, NULL, 0) = 0`:                                                "utimensat",
		`flock(5</w/e/db>, LOCK_SH|LOCK_NB) = 0`:                                                  "flock",
		`fcntl(5</w/e/db>, F_SETLK, {l_type=F_RDLCK, l_whence=SEEK_SET, l_start=0, l_len=0}) = 0`: "fcntl F_SETLK",
		`fcntl(5</w/e/db>, F_OFD_SETLKW, {l_type=F_RDLCK}) = 0`:                                   "fcntl F_OFD_SETLKW",
		`fcntl(5</w/e/db>, F_SETLEASE, F_RDLCK) = 0`:                                              "fcntl F_SETLEASE",
		`fcntl(5</w/e/db>, F_GETFL) = 0x48000 (flags O_RDONLY|O_LARGEFILE|O_NOATIME)`:             "",
		`setxattr("/w/e/db", "user.x", "y", 1, 0) = 0`:                                            "setxattr",
		`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 5</w/e/db>, 0) = 0x7f00`:                        "mmap",
		`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 5</w/lib.so>, 0) = 0x7f00`:                      "",
		`sendfile(1</w/out>, 5</w/e/db>, NULL, 10) = 10`:                                          "sendfile",
		`copy_file_range(4</w/out>, NULL, 5</w/e/db>, NULL, 9, 0) = 9`:                            "copy_file_range",
		`ioctl(5</w/e/db>, FICLONE, 4</w/out>) = 0`:                                               "ioctl",
		`fsync(5</w/e/db>) = 0`:                                                                   "fsync",
		`socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3<TCP:[1]>`:                     "network",
		`chdir("/w/e") = 0`:                                                                       "not followed",
		`truncate("/w/evidence", 0) = 0`:                                                          "", // is no e
		`truncate("e/db", 0) = -1 EROFS (Read-only file system)`:                                  "truncate",
	} {
		calls, err := readTrace(strings.NewReader("7  " + line + "\n"))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := strings.Join(judge(calls, "/w/e", "/w").violations, "; ")
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
