package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// Names of files are no more trusted than what is in them: none gets its control
// characters to a terminal, by whatever way.
func TestHostileNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such names on Windows")
	}
	t.Chdir(t.TempDir())
	snapshot, err := captured.ReadFile("00-plain/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	const name = "x\x1b[2J\n::error::\u009b.db"
	if err := os.WriteFile(name, snapshot[:300_000], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"scan", name}, {"list", name}, {"info", name}, {"scan", "missing" + name}, {"scan", name, "missing" + name},
		{"scan", "-o", filepath.Join("nowhere"+name, "x"), name}, {"scan", "--" + name}, {name}, {"scan", "--format", name, name},
		{"scan", "--prefix", name, name}, {"scan", "--resources", name, name}, {"scan", "--format", "json", name},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), args, &stdout, &stderr); code == 0 {
			t.Errorf("%q: exit status 0", args)
		}
		for _, r := range stdout.String() + stderr.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q: prints %U", args, r)
				break
			}
		}
		if strings.Contains("\n"+stderr.String(), "\n::") || strings.Contains("\n"+stdout.String(), "\n::") {
			t.Errorf("%q: prints a command for CI", args)
		}
	}
}

// A data dir that the user may not look into is not one without a db.
func TestUnreadFolder(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may look into any folder")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "member", "snap"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "member"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "member"), 0o700)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"scan", dir}, &stdout, &stderr); code != 4 || !strings.Contains(stdout.String(), "permission denied") {
		t.Errorf("exit status %d, %s%s", code, stdout.String(), stderr.String())
	}
}
