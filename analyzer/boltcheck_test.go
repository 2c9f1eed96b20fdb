package analyzer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// Whatever bbolt's own check reports of a db, or dies of, is damage to this program too.
func TestCoversBoltCheck(t *testing.T) {
	command := buildBolt(t)
	for i, name := range []string{"deleted", "freelist", "page-1024", "thousand"} {
		full := snapshotBytes(t, name)
		db := full[:len(full)-evidence.SnapshotHashSize] // no hash gives the damage away
		if said := boltCheck(t, command, db); said != "" {
			t.Fatalf("%s: bbolt's check of the healthy file: %s", name, said)
		}
		var damages []fixtures.Damage
		if i < 2 { // with and without a freelist in the file
			var err error
			if damages, err = fixtures.Damages(db); err != nil {
				t.Fatal(err)
			}
		}
		m, err := fixtures.MapPages(db)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Freelist) > 0 { // one entry less: a page that nothing else tells of
			count := int64(m.Freelist[0])*int64(m.PageSize) + 10
			damages = append(damages, fixtures.FlipByte(count, db[count]^(db[count]-1)))
		}
		rnd := rand.New(rand.NewPCG(11, 12))
		for range 45 {
			damages = append(damages, randomDamage(rnd, m, db))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkCovered(t, command, db, damages)
		})
	}
}

func checkCovered(t *testing.T, command string, db []byte, damages []fixtures.Damage) {
	kinds := map[string]int{}
	vast := fixtures.ForgeMeta(fixtures.MetaHighWater, 1<<60)
	for _, d := range damages {
		broken, _, err := d.Apply(db)
		if err != nil || d.Name == vast.Name {
			continue // not in this file, or a high water mark for which bbolt takes all memory
		}
		said := boltCheck(t, command, broken)
		if said == "" {
			continue
		}
		kinds[kindOf(said)]++
		if kind, _ := evidence.Detect(bytes.NewReader(broken), int64(len(broken))); kind == "" {
			continue // exit status 3
		}
		if r, _ := run(t, Options{}, inMemory(broken)); r.Verdict.ExitStatus < report.ExitIncomplete {
			t.Errorf("%s: bbolt says %q, and this program exit status %d", d.Name, said, r.Verdict.ExitStatus)
		}
	}
	if len(kinds) < 4 {
		t.Errorf("bbolt complains of %v alone: the test looks at little", kinds)
	}
	t.Log(kinds)
}

// kindOf is what a complaint is about, without its numbers.
func kindOf(said string) string {
	for _, kind := range []string{"already freed", "reachable freed", "unreachable unfreed", "multiple references", "out of bounds",
		"invalid type", "unexpected page type", "than previous element", "than key of the next element", "the key in the ancestor",
		"self identifies", "unexpected fault", "SIGSEGV", "out of memory", "killed", "out of range", "overflow", "too small"} {
		if strings.Contains(said, kind) {
			return kind
		}
	}
	return said
}

// randomDamage breaks one thing that the tree of a db reaches.
func randomDamage(rnd *rand.Rand, m fixtures.PageMap, db []byte) fixtures.Damage {
	reached := slices.Concat(m.Branches, m.Branches, m.Branches, m.Leaves, m.Freelist)
	page := func() uint64 { return reached[rnd.IntN(len(reached))] }
	at := func(page uint64, off int) int64 { return int64(page)*int64(m.PageSize) + int64(off) }
	u16 := func(off int64) int { return int(binary.LittleEndian.Uint16(db[off:])) }
	u32 := func(off int64) int64 { return int64(binary.LittleEndian.Uint32(db[off:])) }
	switch p := page(); rnd.IntN(10) {
	case 0:
		return fixtures.ZeroPage(p)
	case 1:
		return fixtures.SwapPages(p, page())
	case 2:
		return fixtures.OverlongCount(p)
	case 3:
		return fixtures.TruncateAt(rnd.Int64N(int64(len(db))))
	case 4:
		return fixtures.FlipByte(at(p, rnd.IntN(16)), 1<<rnd.IntN(8)) // in its header
	case 5: // the last key of a leaf
		leaf := m.Leaves[rnd.IntN(len(m.Leaves))]
		e := at(leaf, 16*max(1, u16(at(leaf, 10))))
		return fixtures.FlipByte(e+u32(e+4)+rnd.Int64N(max(1, u32(e+8))), 1<<rnd.IntN(8))
	case 6: // the entries of a freelist, and their number
		if len(m.Freelist) > 0 {
			return fixtures.FlipByte(at(m.Freelist[0], 10+rnd.IntN(40)), 1<<rnd.IntN(4))
		}
		fallthrough
	case 7, 8:
		return fixtures.FlipByte(at(p, 16+rnd.IntN(160)), 1<<rnd.IntN(8)) // in its elements
	default:
		return fixtures.FlipByte(at(p, rnd.IntN(m.PageSize)), 1<<rnd.IntN(8))
	}
}

// buildBolt builds bbolt's own command, from the module that this one depends on.
func buildBolt(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no shell that bounds memory")
	}
	command := filepath.Join(t.TempDir(), "bbolt")
	if out, err := exec.Command("go", "build", "-o", command, "go.etcd.io/bbolt/cmd/bbolt").CombinedOutput(); err != nil {
		t.Fatalf("build bbolt: %v: %s", err, out)
	}
	return command
}

// boltCheck is the first thing that `bbolt check` says of the file, or how it died; empty
// where all is well. It may want all memory and time that there is.
func boltCheck(t *testing.T, command string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v 2000000; exec "$0" check "$1"`, command, path)
	first := start{enough: cancel}
	cmd.Stdout, cmd.Stderr = &first, &first
	err := cmd.Run()
	line, _, whole := strings.Cut(string(first.b), "\n")
	switch {
	case whole && line == "OK":
		return ""
	case line == "":
		return fmt.Sprintf("nothing: %v", err)
	}
	return line
}

// A start keeps the start of what is written, and calls enough when it has a line: in a
// cycle, bbolt has no last thing to say.
type start struct {
	b      []byte
	enough func()
}

func (s *start) Write(b []byte) (int, error) {
	s.b = append(s.b, b[:min(len(b), 300-len(s.b))]...)
	if bytes.Contains(s.b, []byte("\n")) {
		s.enough()
	}
	return len(b), nil
}
