package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
	"github.com/etcdsift/etcdsift/fixtures/cases"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == witnessCommand {
		main() // as the program does, run in this process, starts itself
		return
	}
	testscript.Main(m, map[string]func(){"etcdsift": main})
}

// Each script in testdata/script is a promise to users. Its own commands:
//
//	captured NAME...        unpack files of the captured evidence into captured/
//	case NAME               unpack a case of fixtures/cases as NAME/
//	fixture SCENARIO        make the evidence of a scenario as SCENARIO/
//	encryption CASE         make that of a case about keys as CASE/, and serve its KMS
//	                        plugins until the script ends; $SOCKET is one of those that
//	                        are dead
//	drained WHERE           make a data dir as drained-WHERE/, with the key aescbc:old in
//	                        WHERE alone: history, residue or wal; and drained.yaml, which
//	                        has both keys
//	written DIR STEP...     make a data dir to which API servers wrote: see buildWritten
//	status N COMMAND        run a command and compare its exit status
//	nocanary FILE...        no value of a captured Secret occurs in these files
//	badconfig CONFIG REGEXP every command that takes it refuses the configuration with
//	                        an error that matches, and prints no piece of its secrets
//
// The condition [root] says that no mode keeps a file from being read.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("condition %q: not known", cond)
			}
			return os.Getuid() == 0 || runtime.GOOS == "windows", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"captured":   scriptCaptured,
			"case":       scriptCase,
			"fixture":    scriptFixture,
			"encryption": scriptEncryption,
			"drained":    scriptDrained,
			"written":    scriptWritten,
			"status":     scriptStatus,
			"nocanary":   scriptNoCanary,
			"badconfig":  scriptBadConfig,
		},
	})
}

func scriptCaptured(ts *testscript.TestScript, neg bool, args []string) {
	want := map[string]bool{}
	for _, name := range args {
		want[name] = true
	}
	ts.Check(os.MkdirAll(ts.MkAbs("captured"), 0o755))
	err := captured.Extract(ts.MkAbs("captured"), func(name string) bool { return want[name] })
	ts.Check(err)
	for name := range want {
		_, err := os.Stat(ts.MkAbs(filepath.Join("captured", name)))
		ts.Check(err)
	}
}

func scriptCase(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(cases.Extract(ts.MkAbs("."), args[0]))
}

func scriptFixture(ts *testscript.TestScript, neg bool, args []string) {
	scenario, err := fixtures.Lookup(args[0])
	ts.Check(err)
	// Sockets of KMS plugins lie in the temporary directory: their paths are short.
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	e, err := scenario.Build(context.Background(), dir)
	ts.Check(err)
	if e.Snapshot != "" {
		ts.Check(os.Rename(e.Snapshot, filepath.Join(dir, "snapshot.db")))
	}
}

func scriptEncryption(ts *testscript.TestScript, neg bool, args []string) {
	c, err := fixtures.LookupEncryption(args[0])
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	e, err := c.Build(context.Background(), dir)
	ts.Check(err)
	ts.Defer(func() { ts.Check(e.Close()) })
	if len(e.DeadSockets) > 0 {
		ts.Setenv("SOCKET", e.DeadSockets[0])
	}
}

func scriptDrained(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs("drained-" + args[0])
	ts.Check(buildDrained(context.Background(), dir, args[0]))
	config, err := fixtures.Configuration(fixtures.Group{Resources: []string{"secrets"},
		Keys: []fixtures.Key{{Provider: "aescbc", Name: "new"}, {Provider: "aescbc", Name: "old"}}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("drained.yaml"), []byte(config), 0o600))
}

func scriptWritten(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(buildWritten(context.Background(), ts.MkAbs(args[0]), ts.ReadFile, args[1:]...))
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		_, got, _ = strings.Cut(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s (%v)", got, args[0], err)
	}
}

func scriptNoCanary(ts *testscript.TestScript, neg bool, args []string) {
	canaries, err := captured.Canaries()
	ts.Check(err)
	for _, file := range args {
		out := []byte(ts.ReadFile(file))
		if len(out) == 0 {
			ts.Fatalf("%s is empty: the test looks at nothing", file)
		}
		for _, canary := range canaries {
			for _, trace := range fixtures.Traces(canary) {
				if bytes.Contains(out, []byte(trace)) {
					ts.Fatalf("%s holds the value of a Secret", file)
				}
			}
		}
	}
}

// secretLine is a secret in a configuration, whether it is a good one or not.
var secretLine = regexp.MustCompile(`(?m)secret: *"?([^\s"]+)`)

func scriptBadConfig(ts *testscript.TestScript, neg bool, args []string) {
	config, want := ts.MkAbs(args[0]), regexp.MustCompile("(?m)"+args[1])
	secrets := pieces{}
	if b, err := os.ReadFile(config); err == nil {
		for _, m := range secretLine.FindAllSubmatch(b, -1) {
			secrets.add(string(m[1]))
		}
	}
	path, key := ts.MkAbs("snapshot.db"), "/registry/secrets/payments/db"
	for _, command := range [][]string{
		{"scan", path}, {"list", path}, {"keys", path}, {"keys", "--retire", "aescbc:key1", path},
		{"history", path, key}, {"show", path, key}, {"show", "--reveal", path, key},
	} {
		command = append(command, "--encryption-config", config)
		var stdout, stderr bytes.Buffer
		status := run(context.Background(), command, &stdout, &stderr)
		text := strings.ReplaceAll(stderr.String(), ts.MkAbs(".")+string(filepath.Separator), "")
		if status != 2 || stdout.Len() > 0 {
			ts.Fatalf("%v: exit status %d, %d bytes, %s", command, status, stdout.Len(), text)
		}
		if !want.MatchString(text) {
			ts.Fatalf("%v: the error does not match %s:\n%s", command, want, text)
		}
		if piece := secrets.in(stderr.Bytes()); piece != "" {
			ts.Fatalf("%v: prints %q of a secret in %s", command, piece, config)
		}
	}
}

// Each case that was once answered wrong has a script with the right answer, but for that whose mend
// is still to come.
func TestCases(t *testing.T) {
	pending := []string{"names-cut-in-table"} // tables still break names over lines
	names, err := cases.Names()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		_, err := os.Stat(filepath.Join("testdata", "script", "case-"+name+".txtar"))
		if is := slices.Contains(pending, name); (err == nil) == is {
			t.Errorf("%s: pending %v, script: %v", name, is, err)
		}
	}
}
