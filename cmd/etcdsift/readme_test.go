package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// Every command that the README shows, in a block marked "console", prints what the
// README says that it prints. A line "[...]" stands for any lines.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wanted := []string{"01-aescbc/snapshot.db", "02-rewritten/snapshot.db", "05-defragged/", "06-rotated/snapshot.db", "encryption-"}
	demo := filepath.Join(dir, "build", "demo")
	if err := os.MkdirAll(demo, 0o755); err != nil {
		t.Fatal(err)
	}
	isWanted := func(name string) bool {
		return slices.ContainsFunc(wanted, func(start string) bool { return strings.HasPrefix(name, start) })
	}
	if err := captured.Extract(demo, isWanted); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(readme, -1) {
		for shown := range strings.SplitSeq("\n"+string(block[1]), "\n$ ") {
			command, want, ok := strings.Cut(shown, "\n")
			args, isOurs := strings.CutPrefix(command, "etcdsift ")
			if !ok || !isOurs {
				continue
			}
			commands++
			var stdout, stderr bytes.Buffer
			run(context.Background(), strings.Fields(args), &stdout, &stderr)
			if stderr.Len() > 0 && !strings.HasPrefix(stderr.String(), "etcdsift: --retire aescbc:kye1: not seen:") { // as shown
				t.Errorf("%s: %s", command, stderr.String())
			}
			if !matches(strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(stdout.String()), "\n")) {
				t.Errorf("$ %s\nprints\n%s\nand the README shows\n%s", command, stdout.String(), want)
			}
		}
	}
	if commands == 0 {
		t.Error("the README shows no command: the test looks at nothing")
	}
}

func matches(want, got []string) bool {
	for i, line := range want {
		if line == "[...]" {
			for from := i; from <= len(got); from++ {
				if matches(want[i+1:], got[from:]) {
					return true
				}
			}
			return false
		}
		if i >= len(got) || strings.TrimRight(got[i], " ") != line {
			return false
		}
	}
	return len(want) == len(got)
}

func TestMatches(t *testing.T) {
	got := []string{"a", "b", "c"}
	for _, want := range [][]string{{"a", "b", "c"}, {"a", "[...]"}, {"[...]", "c"}, {"[...]"}, {"a", "[...]", "b", "c"}} {
		if !matches(want, got) {
			t.Errorf("%q does not match %q", want, got)
		}
	}
	for _, want := range [][]string{{"a", "b"}, {"[...]", "b"}, {"b", "[...]"}, {"a", "c"}, {"a", "b", "c", "d"}} {
		if matches(slices.Clone(want), got) {
			t.Errorf("%q matches %q", want, got)
		}
	}
}
