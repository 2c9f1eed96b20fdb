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
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
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
		f.Add(append([]byte{byte(i)}, noise("damage", 40)...))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 0 {
			all[int(choices[0])%len(all)].try(t, fixtures.DiceOf(choices[1:]))
		}
	})
}
