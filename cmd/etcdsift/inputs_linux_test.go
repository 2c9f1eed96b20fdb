package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A bind mount gives a folder of the evidence another path, and no link leads there.
func TestOutputThroughMount(t *testing.T) {
	dir := readableFolder(t)
	if err := os.Mkdir(filepath.Join(dir, "mounted"), 0o755); err != nil {
		t.Fatal(err)
	}
	const script = `
cd "$1"
mount --bind data-dir mounted
exec "$2" scan data-dir -o mounted/member/out.txt`
	o := start(t, inNamespace(t, script, dir, programPath(t)))()
	if o.status != 2 || !strings.Contains(o.stderr, "would change the evidence data-dir") {
		t.Errorf("%+v", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "data-dir", "member", "out.txt")); err == nil {
		t.Error("a report lies in the evidence")
	}
}

// What lies at the place of a report is looked at again before it is replaced: while a
// long scan ran, somebody may have put evidence there.
func TestOutputBecomesInput(t *testing.T) {
	dir := t.TempDir()
	evidencePath, output := filepath.Join(dir, "notes"), filepath.Join(dir, "report.txt")
	if err := os.WriteFile(evidencePath, []byte("evidence"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(evidencePath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := evidenceFlags{output: output}
	if err := flags.inputs.addFile("the evidence notes", f); err != nil {
		t.Fatal(err)
	}
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetOut(&bytes.Buffer{})
	if err := flags.checkOutputs(cmd); err != nil {
		t.Fatal(err)
	}
	err = flags.write(cmd, false, func(w io.Writer) error {
		if _, err := io.WriteString(w, "report"); err != nil {
			return err
		}
		return os.Link(evidencePath, output)
	})
	if err == nil || !strings.Contains(err.Error(), "would replace the evidence notes") {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(evidencePath); string(b) != "evidence" {
		t.Errorf("the evidence is %q", b)
	}
	if b, _ := os.ReadFile(output); string(b) != "evidence" {
		t.Errorf("what was put in the report's place is %q", b)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".etcdsift-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
