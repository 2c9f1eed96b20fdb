package analyzer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

var havocFlag = flag.Int("havoc", 0, "how many more random damages to try, of a seed that is printed")

// A target is a small db with one plaintext Secret, to be damaged.
type target struct {
	fixtures.Lone
	*fixtures.Havoc
	off int64 // of the plaintext value
}

func targets(t testing.TB) []target {
	t.Helper()
	lones, err := fixtures.Lones(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []target
	for _, lone := range lones {
		off := int64(bytes.Index(lone.Bytes, lone.Value))
		h, err := fixtures.NewHavoc(lone.Bytes, int(off)-80, int(off)+len(lone.Value))
		if err != nil {
			t.Fatalf("%s: %v", lone.Name, err)
		}
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(lone.Bytes))
		g := target{lone, h, off}
		if off < 0 || r.Verdict.ExitStatus != report.ExitFindings || len(r.Coverage.Damage) > 0 || !g.found(r, lone.Bytes) || len(r.Exposures) != 1 {
			t.Fatalf("%s: %+v, %d exposures, damage %v", lone.Name, r.Verdict, len(r.Exposures), r.Coverage.Damage)
		}
		all = append(all, g)
	}
	return all
}

// found reports whether a report on b exposes the Secret: under its key, or by a copy of
// its value or of a part of it.
func (g target) found(r *allAnswers, b []byte) bool {
	for _, x := range r.Exposures {
		if string(x.Key) == g.Key {
			return true
		}
		for _, c := range x.Copies {
			inPlace := c.Offset < g.off+int64(len(g.Value)) && g.off < c.Offset+c.Length
			if inPlace || bytes.Contains(b[c.Offset:c.Offset+c.Length], []byte(g.Canary)) {
				return true
			}
		}
	}
	return false
}

// unattributed reports whether the Secret's canary is in b within bytes that are reported
// as belonging to nothing known. Of what class they are depends on what is around them.
func (g target) unattributed(r *allAnswers, b []byte) bool {
	at := int64(bytes.Index(b, []byte(g.Canary)))
	for _, x := range r.Coverage.Unattributed {
		if x.Offset < at+int64(len(g.Canary)) && at < x.Offset+x.Length {
			return true
		}
	}
	return false
}

// unnamed reports whether the Secret's canary is in b, and neither the key before it nor
// the type at the start of its value says any more that it is a Secret's. What an API
// server stored under such a key with such a type would be the same bytes, and no Secret:
// the one thing beside another root (see Havoc.Wreak) that a bare db can not show.
func (g target) unnamed(b []byte) bool {
	before := bytes.Index(g.Value, []byte(g.Canary))
	at := bytes.Index(b, []byte(g.Canary)) - before
	if at < 100 {
		return false
	}
	for _, name := range []string{"/registry/secrets/", "\x02v1\x12\x06Secret", `"kind":"Secret","apiVersion":"v1"`} {
		if bytes.Contains(b[at-100:at+100], []byte(name)) {
			return false
		}
	}
	return true
}

// hidden is where in b a canary stands that a report says nothing of: it is in no copy and in no
// extent of bytes that belong to nothing known, and the report is complete.
func hidden(r *allAnswers, b []byte, canaries ...string) (at []int64) {
	if !r.Verdict.Complete || r.Coverage.Unread() || r.Coverage.UnattributedMore > 0 {
		return nil
	}
	for _, canary := range canaries {
		for from := 0; ; from++ {
			i := bytes.Index(b[from:], []byte(canary))
			if i < 0 {
				break
			}
			from += i
			lo, hi := int64(from), int64(from+len(canary))
			told := slices.ContainsFunc(r.Coverage.Unattributed, func(x report.Extent) bool { return x.Offset <= lo && hi <= x.Offset+x.Length })
			for _, x := range r.Exposures {
				told = told || slices.ContainsFunc(x.Copies, func(c *report.Copy) bool { return c.Offset <= lo && hi <= c.Offset+c.Length })
			}
			if !told {
				at = append(at, lo)
			}
		}
	}
	return at
}

// TestSwappedPages swaps pages of what a real cluster left, in which many Secrets lie in all
// regions. However it is, each place of each value is told of.
func TestSwappedPages(t *testing.T) {
	canaries, err := captured.Canaries()
	if err != nil {
		t.Fatal(err)
	}
	for n, name := range []string{"00-plain", "01-aescbc", "02-rewritten", "03-compacted", "04-reused"} {
		b, err := captured.ReadFile(name + "/snapshot.db")
		if err != nil {
			t.Fatal(err)
		}
		h, err := fixtures.NewHavoc(b, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		check := func(b []byte, what string) (complete bool) {
			t.Helper()
			r, err := askAll(context.Background(), []evidence.Source{inMemory(b)}, Options{FailOn: report.SeverityHigh})
			if err != nil {
				t.Fatalf("%s: %s: %v", name, what, err)
			}
			if at := hidden(r, b, canaries...); len(at) > 0 {
				t.Errorf("%s: %s: nothing tells of the values at %d", name, what, at)
			}
			return r.Verdict.Complete
		}
		if !check(b, "healthy") {
			t.Errorf("%s is not complete", name)
		}
		whole := 0
		for i := range 60 + *havocFlag {
			if i >= 24+*havocFlag && whole > 0 {
				break
			}
			if check(h.Swap(fixtures.NewDice(uint64(i*10 + n)))) {
				whole++
			}
		}
		if whole == 0 {
			t.Errorf("%s: no report on swapped pages is complete: the test looks at nothing", name)
		}
	}
	// A leaf with two elements on the page of another: their keys are 17 letters of text.
	b, err := captured.ReadFile("04-reused/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	const x, y, size = 74, 85, 4096
	swapped := bytes.Clone(b)
	copy(swapped[x*size:], b[y*size:(y+1)*size])
	copy(swapped[y*size:], b[x*size:(x+1)*size])
	for _, b := range [][]byte{swapped, swapped[:len(swapped)-len(swapped)%512]} { // a snapshot, and a bare db
		r, _ := run(t, Options{FailOn: report.SeverityHigh}, inMemory(b))
		if at := hidden(r, b, canaries...); len(at) > 0 || !r.Verdict.Complete {
			t.Errorf("nothing tells of the values at %d", at)
		}
	}
}

// try damages the target once. However it is damaged, the Secret is found, or the exit
// status says that not all could be read, unless nothing says that it is a Secret.
//
// A plaintext that is on free pages alone may be written over without a trace, as etcd
// itself does all the time: there, a canary that is left in the file may also lie in bytes
// that are reported as belonging to nothing known, unless the whole value is left.
func (g target) try(t testing.TB, d *fixtures.Dice) {
	t.Helper()
	b, what := g.Wreak(d)
	r, err := askAll(context.Background(), []evidence.Source{inMemory(b)}, Options{FailOn: report.SeverityHigh})
	if err != nil {
		t.Fatalf("%s: %s: %v", g.Name, strings.Join(what, "; "), err)
	}
	if at := hidden(r, b, g.Canary); len(at) > 0 && !g.unnamed(b) {
		t.Errorf("%s: %s: nothing tells of the value at %d", g.Name, strings.Join(what, "; "), at)
	}
	switch {
	case r.Verdict.ExitStatus >= report.ExitIncomplete && r.Verdict.Status != report.StatusClean && !r.Verdict.Complete:
	case r.Verdict.ExitStatus >= report.ExitFindings && g.found(r, b):
	case g.unnamed(b):
	case !g.InTree && !bytes.Contains(b, []byte(g.Canary)):
	case !g.InTree && !bytes.Contains(b, g.Value) && g.unattributed(r, b):
	default:
		file := filepath.Join(os.TempDir(), fmt.Sprintf("etcdsift-havoc-%x.db", sha256.Sum256(b)))
		t.Errorf("%s: %s: %+v, %d exposures; the file is in %s (%v)", g.Name, strings.Join(what, "; "), r.Verdict, len(r.Exposures),
			file, os.WriteFile(file, b, 0o600))
	}
}

// TestHavoc damages small dbs in thousands of ways.
func TestHavoc(t *testing.T) {
	all := targets(t)
	for i := range 3000 {
		all[i%len(all)].try(t, fixtures.NewDice(uint64(i)))
	}
	if *havocFlag > 0 {
		seed := rand.Uint64()
		t.Logf("seed %#x", seed)
		for i := range *havocFlag {
			n := seed + uint64(i)
			if all[n%uint64(len(all))].try(t, fixtures.NewDice(n)); t.Failed() {
				t.Fatalf("seed %#x", n)
			}
		}
	}
}

// FuzzDamage is TestHavoc with the damages that bytes stand for.
func FuzzDamage(f *testing.F) {
	all := targets(f)
	for i := range len(all) {
		f.Add(append([]byte{byte(i)}, forged.Noise("damage", 40)...))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 0 {
			all[int(choices[0])%len(all)].try(t, fixtures.DiceOf(choices[1:]))
		}
	})
}
