package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/fixtures"
)

var scoreFlag = flag.Bool("score", false, "write the score into the README")

// A score is how well the reports of a group agree with what is in the files. What
// is there was found by a plain search for bytes, and by bbolt.
type score struct {
	name                string
	files               int
	fates               map[fate]int
	whole, wholeFound   int // places at which a plaintext value stands whole
	marks, marksFound   int // places at which a canary stands
	attributed          int // of marksFound, those in a copy of the right Secret
	copies, copiesRight int
	rereadsAsResidue    int
	duplicates          int
}

// A fate is what became of a write.
type fate string

const (
	live        fate = "live"
	superseded  fate = "superseded" // or deleted; still in the tree
	compacted   fate = "compacted"  // out of the tree, and whole in the file
	inPart      fate = "overwritten in part"
	overwritten fate = "overwritten whole"
	walOnly     fate = "WAL only"
	never       fate = "uncommitted" // its transaction was not, or did not take its branch
)

var fates = []fate{live, superseded, compacted, inPart, overwritten, walOnly, never}

// TestScore examines evidence whose every write is known.
func TestScore(t *testing.T) {
	var scores []score
	for _, g := range fixtures.ResidueGroups() {
		t.Run(g.Name, func(t *testing.T) {
			dir := t.TempDir()
			list, err := g.Build(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			s := score{name: g.Name, fates: map[fate]int{}}
			for _, r := range list {
				s.add(t, r)
			}
			s.check(t)
			scores = append(scores, s)
		})
	}
	table := scoreTable(scores)
	t.Log("\n" + table)
	if *scoreFlag {
		writeTable(t, "score", table)
	}
}

func (s *score) check(t *testing.T) {
	if s.whole+s.marks == 0 {
		t.Error("there is nothing to find")
	}
	if s.wholeFound != s.whole || s.marksFound != s.marks || s.copiesRight != s.copies || s.rereadsAsResidue+s.duplicates > 0 {
		t.Errorf("%+v", s)
	}
}

// add examines one piece of evidence.
func (s *score) add(t *testing.T, r fixtures.Residue) {
	out := scanJSON(t, r.Path)
	var said report.Report
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	a := newAnswer(t, r)
	root := r.Path
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		root = filepath.Dir(root)
	}
	copies := map[report.Text][]canaryCopy{}
	for _, x := range said.Exposures {
		for _, c := range x.Copies {
			copies[c.Path] = append(copies[c.Path], canaryCopy{string(x.Key), *c})
		}
	}
	for _, e := range said.Evidence {
		s.files++
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(string(e.Path))))
		if err != nil {
			t.Fatal(err)
		}
		f := &scoredFile{score: s, answer: a, t: t, content: content, copies: copies[e.Path], path: e.Path}
		for _, x := range said.Coverage.Unattributed {
			if x.Path == e.Path && x.LooksLike != "random" {
				f.extents = append(f.extents, x)
			}
		}
		f.recall(e.Kind)
		f.precision()
	}
	s.residue(t, a, &said)
	checkStates(t, a, &said)
	for i := range r.Puts {
		if p := &r.Puts[i]; p.Provider == "identity" {
			s.fates[a.fateOf(p)]++
		}
	}
}

// checkStates looks at the Secrets that are not live.
func checkStates(t *testing.T, a *answer, r *report.Report) {
	for _, x := range r.Exposures {
		want := report.StateLive
		switch {
		case slices.Contains(a.Deleted, string(x.Key)):
			want = report.StateDeleted
		case strings.Contains(string(x.Key), "/never-"):
			want = report.StateUnknown // its only copies are of a transaction that was not committed
		case strings.Contains(string(x.Key), "/nested-"):
			continue // some were never written at all
		}
		if x.State != want {
			t.Errorf("%s is %s, want %s", x.Key, x.State, want)
		}
	}
}

// An answer is what is true of a piece of evidence.
type answer struct {
	fixtures.Residue
	byCanary  map[string]*fixtures.Put
	reachable map[string]bool           // values in the tree, by key and value
	newest    map[string]string         // the value of a live key
	inDB      map[*fixtures.Put][2]bool // some of it, all of it
	inWAL     map[*fixtures.Put]bool
}

func newAnswer(t *testing.T, r fixtures.Residue) *answer {
	a := &answer{Residue: r, byCanary: map[string]*fixtures.Put{}, reachable: map[string]bool{}, newest: map[string]string{},
		inDB: map[*fixtures.Put][2]bool{}, inWAL: map[*fixtures.Put]bool{}}
	for i := range r.Puts {
		if p := &r.Puts[i]; p.Provider == "identity" {
			a.byCanary[p.Canary] = p
		}
	}
	db := r.Path
	if info, err := os.Stat(db); err == nil && info.IsDir() {
		db = filepath.Join(db, "member", "snap", "db")
	}
	a.readTree(t, db)
	return a
}

// readTree asks bbolt what is in the tree.
func (a *answer) readTree(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "witness.db")
	if err := os.WriteFile(file, b[:len(b)-len(b)%512], 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(k, v []byte) error {
			kv, err := mvcc.ParseKeyValue(v, 0)
			if err != nil {
				return err
			}
			delete(a.newest, string(kv.Key))
			if len(k) == 17 {
				a.reachable[string(kv.Key)+"\x00"+string(kv.Value)] = true
				a.newest[string(kv.Key)] = string(kv.Value)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (a *answer) fateOf(p *fixtures.Put) fate {
	some, whole := a.inDB[p][0], a.inDB[p][1]
	switch inTree := a.reachable[p.Key+"\x00"+string(p.Value)]; {
	case inTree && a.newest[p.Key] == string(p.Value):
		return live
	case inTree:
		return superseded
	case p.Revision == 0 || strings.Contains(p.Key, "/never-"):
		return never
	case whole:
		return compacted
	case some:
		return inPart
	case a.inWAL[p]:
		return walOnly
	}
	return overwritten
}

// A scoredFile is a file with what the report says of it.
type scoredFile struct {
	*score
	*answer
	t       *testing.T
	path    report.Text
	content []byte
	copies  []canaryCopy
	extents []report.Extent
}

// recall looks for every canary, and for every value around one.
func (f *scoredFile) recall(kind report.Kind) {
	values := map[int]bool{}
	for _, span := range canaryForm.FindAllIndex(f.content, -1) {
		p := f.byCanary[string(f.content[span[0]:span[1]])]
		if p == nil {
			f.t.Errorf("%s: a canary at offset %#x that nobody wrote", f.path, span[0])
			continue
		}
		start, whole := f.value(p, span[0])
		f.note(p, kind, whole)
		if whole && !values[start] {
			values[start] = true
			f.whole++
			if f.covers(p.Key, start, start+len(p.Value), true) {
				f.wholeFound++
			} else {
				f.t.Errorf("%s: the value of revision %d of %s at offset %#x is not reported", f.path, p.Revision, p.Key, start)
			}
		}
		f.marks++
		if f.covers(p.Key, span[0], span[1], false) {
			f.marksFound++
			f.attributed++
		} else if f.inExtent(span) {
			f.marksFound++
		} else {
			f.t.Errorf("%s: offset %#x holds a value of %s, and is not reported", f.path, span[0], p.Key)
		}
	}
}

func (f *scoredFile) note(p *fixtures.Put, kind report.Kind, whole bool) {
	if kind == report.KindWAL {
		f.inWAL[p] = true
	} else {
		f.inDB[p] = [2]bool{true, f.inDB[p][1] || whole}
	}
}

// value finds the value around the canary at offset at: where it starts, if all of
// it is there.
func (f *scoredFile) value(p *fixtures.Put, at int) (start int, whole bool) {
	for i := 0; ; {
		n := bytes.Index(p.Value[i:], []byte(p.Canary))
		if n < 0 {
			return 0, false
		}
		i += n
		start := at - i
		if start >= 0 && start+len(p.Value) <= len(f.content) && bytes.Equal(f.content[start:start+len(p.Value)], p.Value) {
			return start, true
		}
		i++
	}
}

// covers reports whether a copy of key has those bytes; exactly is for a copy of no
// more than them.
func (f *scoredFile) covers(key string, start, end int, exactly bool) bool {
	for _, c := range f.copies {
		if c.key != key || int64(start) < c.Offset || int64(end) > c.Offset+c.Length {
			continue
		}
		if !exactly || c.Complete && int64(start) == c.Offset && int64(end) == c.Offset+c.Length {
			return true
		}
	}
	return false
}

func (f *scoredFile) inExtent(span []int) bool {
	for _, x := range f.extents {
		if int64(span[0]) >= x.Offset && int64(span[1]) <= x.Offset+x.Length {
			return true
		}
	}
	return false
}

// precision looks at every copy: its bytes must be of a plaintext value of its key.
func (f *scoredFile) precision() {
	for i, c := range f.copies {
		f.score.copies++
		b := f.content[c.Offset : c.Offset+c.Length]
		if f.isPlaintext(c.key, b, c.Complete) {
			f.copiesRight++
		} else {
			f.t.Errorf("%s: the copy of %s at offset %#x is no plaintext of it: %+v", f.path, c.key, c.Offset, c.Copy)
		}
		for _, other := range f.copies[:i] {
			if c.Offset < other.Offset+other.Length && other.Offset < c.Offset+c.Length {
				f.duplicates++
				f.t.Errorf("%s: %+v and %+v overlap", f.path, c, other)
			}
		}
	}
}

func (a *answer) isPlaintext(key string, b []byte, complete bool) bool {
	for i := range a.Puts {
		p := &a.Puts[i]
		if p.Key != key || p.Provider != "identity" {
			continue
		}
		if complete && bytes.Equal(p.Value, b) || !complete && bytes.Contains(p.Value, b) {
			return true
		}
	}
	return false
}

// residue looks at what the findings call residue of a Secret: not all of it may be
// what the tree has too.
func (s *score) residue(t *testing.T, a *answer, r *report.Report) {
	root := a.Path
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		root = filepath.Dir(root)
	}
	for _, f := range r.Findings {
		if f.Rule != report.RulePlaintextFree && f.Rule != report.RulePlaintextFragment || strings.Contains(string(f.Path()), "member.bak") ||
			strings.Contains(string(f.Path()), ".snap.db") || strings.Contains(string(f.Path()), "db.tmp") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(string(f.Path()))))
		if err != nil {
			t.Fatal(err)
		}
		if !a.isResidue(r, f, content) {
			s.rereadsAsResidue++
			t.Errorf("%s is in the tree: %+v", f.Key, f)
		}
	}
}

// isResidue reports whether any copy that a finding may be about has bytes that no
// value in the tree has.
func (a *answer) isResidue(r *report.Report, f report.Finding, content []byte) bool {
	for _, x := range r.Exposures {
		for _, c := range x.Copies {
			if x.Key != f.Key || c.Path != f.Path() || c.Region != report.RegionFree && c.Region != report.RegionFragment && c.Region != report.RegionTail {
				continue
			}
			b := content[c.Offset : c.Offset+c.Length]
			inTree := false
			for i := range a.Puts {
				p := &a.Puts[i]
				inTree = inTree || p.Key == string(x.Key) && a.reachable[p.Key+"\x00"+string(p.Value)] && bytes.Contains(p.Value, b)
			}
			if !inTree {
				return true
			}
		}
	}
	return false
}

func ratio(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(a)/float64(b))
}

func scoreTable(scores []score) string {
	var b strings.Builder
	b.WriteString("| evidence | files | plaintext writes by fate | whole values: recall | canaries: recall | of the right Secret | copies: precision | live called residue | duplicates |\n")
	b.WriteString("|---|--:|---|--:|--:|--:|--:|--:|--:|\n")
	for _, s := range scores {
		var parts []string
		for _, f := range fates {
			if n := s.fates[f]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", f, n))
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s of %d | %s of %d | %s | %s of %d | %d | %d |\n", s.name, s.files, strings.Join(parts, ", "),
			ratio(s.wholeFound, s.whole), s.whole, ratio(s.marksFound, s.marks), s.marks, ratio(s.attributed, s.marks),
			ratio(s.copiesRight, s.copies), s.copies, s.rereadsAsResidue, s.duplicates)
	}
	return b.String()
}

// writeTable replaces the table of that name in the README.
func writeTable(t *testing.T, name, table string) {
	const path = "../../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end of ` + name + ` -->)`)
	if !block.Match(readme) {
		t.Fatalf("the README has no place for the %s", name)
	}
	readme = block.ReplaceAll(readme, []byte("${1}"+table+"${2}"))
	if err := os.WriteFile(path, readme, 0o644); err != nil {
		t.Fatal(err)
	}
}
