package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"etcdsift": main})
}

// Each script in testdata/script is a promise to users. Its own commands:
//
//	captured NAME...    unpack files of the captured evidence into captured/
//	fixture SCENARIO    make the evidence of a scenario as SCENARIO/
//	status N COMMAND    run a command and compare its exit status
//	nocanary FILE...    no value of a captured Secret occurs in these files
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"captured": scriptCaptured,
			"fixture":  scriptFixture,
			"status":   scriptStatus,
			"nocanary": scriptNoCanary,
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
