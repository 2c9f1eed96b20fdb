package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// canaryForm is how the values of captured Secrets are marked. It is all that this
// test knows of the files.
var canaryForm = regexp.MustCompile(`CNRY-[A-Za-z0-9]{24}`)

// The independent check: wherever a plain search of bytes finds the value of a
// Secret in the evidence of a real cluster, the report has a plaintext copy of that
// Secret there; every copy that it calls plaintext holds plaintext of that Secret;
// and no value is in any output.
func TestCanaries(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := captured.Extract(dir, func(name string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	keys := canaryKeys(t)
	for _, stage := range stages {
		paths := []string{stage.Dir + "/data-dir"}
		if !stage.Killed {
			paths = append(paths, stage.Snapshot())
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) { testCanaries(t, keys, filepath.Join(dir, filepath.FromSlash(path))) })
		}
	}
}

// canaryKeys is the key of the Secret that each canary was written to.
func canaryKeys(t *testing.T) map[string]string {
	writes, err := captured.Writes()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, w := range writes {
		if w.Canary != "" {
			keys[w.Canary] = "/registry/secrets/" + w.Namespace + "/" + w.Name
		}
	}
	return keys
}

func testCanaries(t *testing.T, keys map[string]string, path string) {
	out := scanJSON(t, path)
	if canaryForm.Match(out) {
		t.Error("the report holds a canary")
	}
	var r report.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	root := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		root = filepath.Dir(path)
	}
	byFile := map[report.Text][]canaryCopy{}
	for _, x := range r.Exposures {
		for _, c := range x.Copies {
			byFile[c.Path] = append(byFile[c.Path], canaryCopy{string(x.Key), *c})
		}
	}
	total := 0
	for _, e := range r.Evidence {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(string(e.Path))))
		if err != nil {
			t.Fatal(err)
		}
		var extents []report.Extent // that may hold anybody's text
		for _, x := range r.Coverage.Unattributed {
			if x.Path == e.Path && x.LooksLike != "random" {
				extents = append(extents, x)
			}
		}
		total += checkFound(t, keys, content, byFile[e.Path], extents)
		checkPlaintext(t, keys, content, byFile[e.Path])
	}
	if len(r.Coverage.Damage) > 0 || !r.Verdict.Complete {
		t.Errorf("%+v %+v", r.Verdict, r.Coverage.Damage)
	}
	status := report.StatusClean
	if total > 0 {
		status = report.StatusExposed
	}
	if got := r.Verdict.Status; got != status && !(total > 0 && got == report.StatusPlaintext) {
		t.Errorf("%d canaries in plaintext, and the verdict is %+v", total, r.Verdict)
	}
	t.Logf("%d canaries, %d exposures, verdict %+v", total, len(r.Exposures), r.Verdict)
}

// isOf reports whether a copy of key may hold a canary of the Secret want. The
// capture has canaries in custom resources too, and its truth says nothing of those.
func isOf(key, want string) bool {
	return key == want || want == "" && strings.HasPrefix(key, "/registry/lab.example.com/vaults/")
}

type canaryCopy struct {
	key string
	report.Copy
}

// checkFound looks for every canary in the copies of the file, and else in what is
// said to belong to nothing known.
func checkFound(t *testing.T, keys map[string]string, content []byte, copies []canaryCopy, extents []report.Extent) int {
	at := canaryForm.FindAllIndex(content, -1)
	for _, span := range at {
		key := keys[string(content[span[0]:span[1]])]
		covered := false
		for _, c := range copies {
			inside := int64(span[0]) >= c.Offset && int64(span[1]) <= c.Offset+c.Length
			covered = covered || inside && isOf(c.key, key)
			if inside && !isOf(c.key, key) {
				t.Errorf("offset %#x holds a value of %s, and is said to be of %s", span[0], key, c.key)
			}
		}
		for _, x := range extents {
			covered = covered || int64(span[0]) >= x.Offset && int64(span[1]) <= x.Offset+x.Length
		}
		if !covered {
			t.Errorf("offset %#x holds a value of %s, and is in no copy of it", span[0], key)
		}
	}
	return len(at)
}

// checkPlaintext looks into the copies.
func checkPlaintext(t *testing.T, keys map[string]string, content []byte, copies []canaryCopy) {
	seen := map[int64]bool{}
	for _, c := range copies {
		if seen[c.Offset] {
			t.Errorf("offset %#x is reported twice", c.Offset)
		}
		seen[c.Offset] = true
		value := content[c.Offset : c.Offset+c.Length]
		canary := canaryForm.Find(value)
		isObject := bytes.HasPrefix(value, []byte("k8s\x00")) || bytes.HasPrefix(value, []byte(`{"apiVersion"`))
		if c.Complete && (canary == nil || !isOf(c.key, keys[string(canary)]) || !isObject) || bytes.Contains(value, []byte("k8s:enc:")) {
			t.Errorf("%s: the copy at offset %#x is not its plaintext", c.key, c.Offset)
		}
	}
}

// scanJSON scans path. The exit status must be that of the report.
func scanJSON(t *testing.T, path string) []byte {
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), []string{"scan", "--format", "json", "--resources", "secrets,vaults.lab.example.com", path}, &stdout, &stderr)
	if stderr.Len() > 0 || status > 1 {
		t.Errorf("exit status %d: %s", status, stderr.String())
	}
	if !strings.Contains(stdout.String(), `"schemaVersion"`) {
		t.Fatalf("no report: %s", stdout.String())
	}
	checkSchema(t, "", stdout.Bytes())
	return stdout.Bytes()
}

// After a kill the newest writes are in the WAL alone. What is live then, how it is
// stored and at which revision is what the cluster's clients were told.
func TestKilled(t *testing.T) {
	writes, err := captured.Writes()
	if err != nil {
		t.Fatal(err)
	}
	type stored struct {
		Provider, KeyName string
		Revision          int64
	}
	want := map[string]stored{}
	for _, w := range writes {
		key := "/registry/secrets/" + w.Namespace + "/" + w.Name
		delete(want, key)
		if w.Op != "delete" {
			want[key] = stored{w.Stored.Provider, w.Stored.KeyName, w.Revision}
		}
	}
	dir := t.TempDir()
	if err := captured.Extract(dir, func(name string) bool { return strings.HasPrefix(name, "12-killed/") }); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"list", "--format", "jsonl", "--resources", "secrets", filepath.Join(dir, "12-killed", "data-dir")}
	if status := run(context.Background(), args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	got := map[string]stored{}
	for line := range strings.Lines(stdout.String()) {
		var v report.Value
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		got[string(v.Key)] = stored{v.Provider.String(), string(v.KeyName), v.ModRevision}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("live Secrets (-want +got):\n%s", diff)
	}
}
