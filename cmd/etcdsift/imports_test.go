package main

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/etcdsift/etcdsift/"

// Imports point one way: cmd -> reports, analyzer -> decode, and all of them -> analyzer/report.
// Inside of the analyzer seen <- sweep, naming, keys, cluster <- judge <- analyzer. What is made for
// tests, and what only they use, stays out of the program.
func TestImports(t *testing.T) {
	const rooms = "analyzer/internal/"
	forbidden := []struct{ from, to, why string }{
		{"decode", "analyzer", "decode knows bytes, not findings"},
		{"decode", "reports", "decode knows bytes, not formats"},
		{"decode", "cmd", "only main is above"},
		{"analyzer", "reports", "formats depend on the report, not the report on formats"},
		{"analyzer", "cmd", "only main is above"},
		{"reports", "cmd", "only main is above"},
		{"reports", "decode/page", "a format shows what the report says"},
		{"reports", "decode/envelope", "a format shows what the report says"},
		{"reports", "decode/mvcc", "a format shows what the report says"},
		{"reports", "decode/object", "a format shows what the report says"},
		{"reports", "decode/manifest", "a format shows what it is given"},
		{"reports", "decode/resource", "a format shows what the report says"},
		{"reports", "analyzer/evidence", "a format shows what the report says"},
		{"reports", "analyzer/encryption", "a format shows what the report says"},
		{"analyzer/report", "", "whoever reads a report needs its words alone"},
		{"analyzer/evidence", rooms, "a file knows nothing of what was seen in it"},
		{"analyzer/evidence", "analyzer/encryption", "a file is opened without a key"},
		{"analyzer/evidence", "decode/mvcc", "a file is told by its first bytes, not by its records"},
		{"analyzer/evidence", "decode/wal", "a file is told by its first bytes, not by its records"},
		{"analyzer/evidence", "decode/envelope", "a file is told by its first bytes, not by its records"},
		{"analyzer/evidence", "decode/object", "a file is told by its first bytes, not by its records"},
		{"analyzer/encryption", "analyzer", "keys know values, and not what a run makes of them"},
		{"analyzer/encryption", "decode/page", "keys open values, wherever they lie"},
		{"analyzer/encryption", "decode/mvcc", "keys open values, wherever they lie"},
		{"analyzer/encryption", "decode/wal", "keys open values, wherever they lie"},
		{"analyzer/encryption", "decode/carve", "keys open values, wherever they lie"},
		{rooms + "mem", "", "a list knows nothing of what is in it"},
		{rooms + "seen", rooms + "sweep", "what was seen does not know who saw it"},
		{rooms + "seen", rooms + "naming", "what was seen does not know who named it"},
		{rooms + "seen", rooms + "keys", "what was seen does not know who opened it"},
		{rooms + "seen", rooms + "judge", "what was seen does not know what it is worth"},
		{rooms + "seen", rooms + "cluster", "what was seen does not know whose it is"},
		{rooms + "cluster", rooms + "sweep", "whose a key is tells what was seen alone"},
		{rooms + "cluster", rooms + "naming", "whose a key is tells what was seen alone"},
		{rooms + "cluster", rooms + "keys", "whose a key is tells what was seen alone"},
		{rooms + "cluster", rooms + "judge", "only who judges is above"},
		{rooms + "sweep", rooms + "cluster", "passes look at one evidence at a time"},
		{rooms + "naming", rooms + "cluster", "passes look at one evidence at a time"},
		{rooms + "keys", rooms + "cluster", "passes look at one evidence at a time"},
		{rooms + "sweep", rooms + "naming", "passes do not know each other"},
		{rooms + "sweep", rooms + "keys", "passes do not know each other"},
		{rooms + "sweep", rooms + "judge", "only the analyzer is above"},
		{rooms + "naming", rooms + "sweep", "passes do not know each other"},
		{rooms + "naming", rooms + "keys", "passes do not know each other"},
		{rooms + "naming", rooms + "judge", "only the analyzer is above"},
		{rooms + "keys", rooms + "sweep", "passes do not know each other"},
		{rooms + "keys", rooms + "naming", "passes do not know each other"},
		{rooms + "keys", rooms + "judge", "only the analyzer is above"},
		{rooms + "cluster", rooms + "history", "whose a key is tells what was seen alone"},
		{rooms + "history", rooms + "judge", "only who judges is above"},
		{rooms + "history", rooms + "sweep", "a history reads no files"},
		{rooms + "history", rooms + "naming", "a history names nothing"},
		{rooms + "judge", rooms + "sweep", "a judge reads no files"},
		{rooms + "judge", rooms + "naming", "a judge names nothing"},
		{"decode/page", "decode/mvcc", "decoders do not know each other"},
		{"decode/mvcc", "decode/page", "decoders do not know each other"},
		{"decode/envelope", "decode/mvcc", "decoders do not know each other"},
		{"decode/object", "decode/envelope", "decoders do not know each other"},
		{"decode/object", "decode/resource", "a value does not know its key"},
		{"decode/object", "decode/manifest", "what a value says of itself needs no types of Kubernetes"},
		{"decode/carve", "decode/manifest", "unknown bytes are told by their form alone"},
		{"decode/carve", "decode/resource", "a value does not know its key"},
		{"decode/manifest", "decode/resource", "a value does not know its key"},
		{"decode/manifest", "decode/envelope", "decoders do not know each other"},
		{"analyzer", "decode/manifest", "only who shows an object needs all of it"},
		{"decode/resource", "decode/object", "a key does not know its value"},
		{"decode/resource", "decode/envelope", "a key does not know its value"},
		{"decode", "fixtures", "fixtures are for tests"},
		{"analyzer", "fixtures", "fixtures are for tests"},
		{"reports", "fixtures", "fixtures are for tests"},
		{"cmd", "fixtures", "fixtures are for tests"},
		{"analyzer", "analyzer/witness", "a witness stands apart from what it is held against"},
	}
	// The second witness holds what bbolt reads against decode/page, with no code between them
	// that a run has as well.
	witnessKnows := []string{"analyzer/evidence", "analyzer/report", "decode/page"}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		from, imports, _ := strings.Cut(strings.TrimPrefix(line, module), " ")
		packages[from] = true
		for _, to := range strings.Fields(imports) {
			if to == "unsafe" || to == "C" {
				t.Errorf("%s imports %s", from, to)
			}
			if below(to, "go.etcd.io/bbolt") && from != "analyzer/witness" && !below(from, "fixtures") {
				t.Errorf("%s imports %s: only the second witness reads with it", from, to)
			}
			to, ours := strings.CutPrefix(to, module)
			if ours && from == "analyzer/witness" && !slices.Contains(witnessKnows, to) {
				t.Errorf("%s imports %s: a witness stands apart from what it is held against", from, to)
			}
			for _, f := range forbidden {
				if ours && below(from, f.from) && (f.to == "" || below(to, strings.TrimSuffix(f.to, "/"))) {
					t.Errorf("%s imports %s: %s", from, to, f.why)
				}
			}
		}
	}
	// A wall around a room that is not there holds nothing.
	for _, f := range forbidden {
		for _, name := range []string{f.from, f.to} {
			name = strings.TrimSuffix(name, "/")
			if name != "" && !slices.ContainsFunc(slices.Collect(maps.Keys(packages)), func(p string) bool { return below(p, name) }) {
				t.Errorf("%s is no package", name)
			}
		}
	}
}

func below(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// The types of Kubernetes are more than a hundred packages. Whoever reads a single value, a key
// or unknown bytes depends on none of them: only who shows a whole object does.
func TestTypesOfKubernetes(t *testing.T) {
	const types = "k8s.io/api/core/v1"
	depends := func(pkg, unwanted string) (deps []string) {
		out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if dep := strings.TrimSpace(line); below(dep, unwanted) {
				deps = append(deps, dep)
			}
		}
		return deps
	}
	if len(depends("decode/manifest", types)) == 0 {
		t.Fatalf("decode/manifest does not depend on %s: the test looks at nothing", types)
	}
	for _, pkg := range []string{"decode/carve", "decode/object", "decode/resource", "decode/envelope", "analyzer/report"} {
		for _, dep := range depends(pkg, "k8s.io/api") {
			t.Errorf("%s depends on %s", pkg, dep)
		}
	}
}

// The program reads pages itself: etcd's server is for tests. Of the server it has the
// decoder of the WAL, which brings little with it, and bbolt for the second witness.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"cmd/etcdsift").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), module+"decode/page\n") {
		t.Fatal("go list does not name decode/page: the test looks at nothing")
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "go.etcd.io/etcd/server/v3/storage/wal") {
			continue
		}
		for _, unwanted := range []string{"go.etcd.io/etcd/server", "testing",
			"k8s.io/apiserver/pkg/server/options/encryptionconfig"} { // which is the witness
			if below(strings.TrimSpace(line), unwanted) {
				t.Errorf("the program depends on %s", line)
			}
		}
	}
}
