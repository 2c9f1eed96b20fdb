package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
	"github.com/etcdsift/etcdsift/reports"
)

// A scan costs what it takes to start, its windows, and for each byte what is kept and
// written of it: a few bytes of evidence can be a line of a report for each of several
// reasons, and a table is laid out in memory.
var commandBound = alloc.Bound{Fixed: 16 << 20, PerByte: 512}

// smallHostile is a db of 1 KiB pages with hostile names in it: a mutation hits something
// that matters.
func smallHostile(f *testing.F) []byte {
	f.Helper()
	dir := f.TempDir()
	large, small := filepath.Join(dir, "large"), filepath.Join(dir, "small")
	if _, err := fixtures.BuildHostile(large, []string{"db", "\x1b[31m\n::error::", "##vso[x]"}); err != nil {
		f.Fatal(err)
	}
	if err := fixtures.Repage(large, small, 1024, true); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(small)
	if err != nil {
		f.Fatal(err)
	}
	return b[:min(len(b), (len(bytes.TrimRight(b, "\x00"))+4095)&^1023)] // bbolt makes it larger than it needs
}

// Whatever the bytes of a file are, every command ends with a status that all formats of
// it agree on, and prints what does no harm and holds no value of a Secret.
func FuzzScan(f *testing.F) {
	db := smallHostile(f)
	f.Add(db)
	sum := sha256.Sum256(db[:len(db)&^511])
	f.Add(append(bytes.Clone(db[:len(db)&^511]), sum[:]...))
	damages, err := fixtures.Damages(db)
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range damages {
		broken, _, err := d.Apply(db)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(broken)
	}
	f.Add([]byte{})
	path := filepath.Join(f.TempDir(), "evidence")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<18 {
			return
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		status := fuzzFormats(t, path, "scan", reports.ScanFormats.Names(), -1)
		if status == 1 {
			status = 0 // the others do not fail on findings
		}
		for _, c := range []struct {
			command string
			formats []string
		}{{"list", reports.ListFormats.Names()}, {"keys", reports.KeysFormats.Names()}} {
			fuzzFormats(t, path, c.command, c.formats, status)
		}
		fuzzFormats(t, path, "info", reports.InfoFormats.Names(), -1)
		commandBound.Check(t, len(b), func() {
			run(context.Background(), []string{"scan", "--format", "json", path}, io.Discard, io.Discard)
		})
	})
}

// fuzzFormats runs a command in all its formats, and returns the exit status that they
// agree on, which must be want unless that is negative.
func fuzzFormats(t *testing.T, path, command string, formats []string, want int) int {
	t.Helper()
	for _, format := range formats {
		status, out, said := harmless(t, format, command, "--format", format, path)
		if want < 0 {
			want = status
		}
		if status != want || status == 2 || status > 4 {
			t.Errorf("%s --format %s: exit status %d, want %d: %s", command, format, status, want, said)
		}
		if bytes.Contains(out, []byte("hunter2")) || bytes.Contains([]byte(said), []byte("hunter2")) {
			t.Errorf("%s --format %s prints the password", command, format)
		}
		switch {
		case status == 3 && len(out) > 0:
			t.Errorf("%s --format %s writes a report on nothing", command, format)
		case status == 3 || command != "scan":
		case format == "table" && !endsWithStatus(out, status):
			t.Errorf("exit status %d, and the table ends with %.200q", status, out[max(0, len(out)-200):])
		case format == "json":
			checkVerdict(t, out, status)
		}
	}
	return want
}

// checkVerdict compares the verdict of a report with the exit status.
func checkVerdict(t *testing.T, out []byte, status int) {
	t.Helper()
	var r struct {
		Verdict struct {
			Status     string
			Complete   bool
			ExitStatus int
		}
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	v := r.Verdict
	if v.ExitStatus != status || v.Complete != (status < 4) || v.Status == "clean" && status != 0 {
		t.Errorf("exit status %d with the verdict %+v", status, v)
	}
}

// endsWithStatus reports whether the last line of a table is the verdict, with that exit status.
func endsWithStatus(table []byte, status int) bool {
	lines := strings.Split(strings.TrimSuffix(string(table), "\n"), "\n")
	last := lines[len(lines)-1]
	return strings.HasPrefix(last, "Verdict: ") && strings.HasSuffix(last, ")") && strings.Contains(last, fmt.Sprintf("(exit status %d", status))
}
