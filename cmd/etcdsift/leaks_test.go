package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"

	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// pieceSize is how much of a secret must not be printed, in bytes.
const pieceSize = 8

// pieces are all runs of that size in secrets that no output may hold.
type pieces map[[pieceSize]byte]bool

func (p pieces) add(secret string) {
	for i := range max(0, len(secret)-pieceSize+1) {
		p[[pieceSize]byte([]byte(secret[i:]))] = true
	}
}

// addTraces adds the secret as it is and in base64.
func (p pieces) addTraces(secret string) {
	for _, trace := range fixtures.Traces(secret) {
		p.add(trace)
	}
}

// in is a piece that occurs in out, empty if none does.
func (p pieces) in(out []byte) string {
	for i := range max(0, len(out)-pieceSize+1) {
		if piece := [pieceSize]byte(out[i:]); p[piece] {
			return string(piece[:])
		}
	}
	return ""
}

// addKeys adds the keys of a configuration: their bytes, and the text that stands for
// them.
func (p pieces) addKeys(t *testing.T, config []byte) {
	t.Helper()
	var c apiserverv1.EncryptionConfiguration
	if err := yaml.UnmarshalStrict(config, &c); err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Resources {
		for _, provider := range r.Providers {
			var keys []apiserverv1.Key
			switch {
			case provider.AESCBC != nil:
				keys = provider.AESCBC.Keys
			case provider.AESGCM != nil:
				keys = provider.AESGCM.Keys
			case provider.Secretbox != nil:
				keys = provider.Secretbox.Keys
			}
			for _, k := range keys {
				secret, err := base64.StdEncoding.DecodeString(k.Secret)
				if err != nil {
					t.Fatal(err)
				}
				p.add(k.Secret)
				p.addTraces(string(secret))
			}
		}
	}
}

// A leakCheck runs commands, and no output of theirs may hold a piece of a secret.
type leakCheck struct {
	*testing.T
	secrets pieces
	config  string // a file; empty for none
	printed int    // bytes
}

// run runs a command with the configuration, and returns its exit status.
func (c *leakCheck) run(args ...string) (status int, stdout, stderr string) {
	c.Helper()
	if c.config != "" {
		args = append([]string{args[0], "--encryption-config", c.config}, args[1:]...)
	}
	var out, errs bytes.Buffer
	status = run(context.Background(), args, &out, &errs)
	c.printed += out.Len()
	for _, b := range [][]byte{out.Bytes(), errs.Bytes()} {
		if piece := c.secrets.in(b); piece != "" {
			c.Errorf("%v: prints %q of a secret", args, piece)
		}
	}
	return status, out.String(), errs.String()
}

// want runs a command that prints something, and ends with one of these statuses.
func (c *leakCheck) want(statuses []int, args ...string) {
	c.Helper()
	status, stdout, stderr := c.run(args...)
	warned := strings.HasPrefix(stderr, "etcdsift: --retire aescbc:key1: not seen:") // a key that is not there yet
	if !slices.Contains(statuses, status) || stdout == "" || stderr != "" && !warned {
		c.Errorf("%v: exit status %d, %d bytes, %s", args, status, len(stdout), stderr)
	}
}

// key runs the commands that are about one etcd key. Its values are never revealed.
func (c *leakCheck) key(path, key string) {
	c.Helper()
	c.want([]int{0}, "history", path, key)
	c.want([]int{0}, "history", "--format", "json", path, key)
	for _, args := range [][]string{{"show"}, {"show", "--copy", "1"}} {
		status, stdout, stderr := c.run(append(args, path, key)...)
		switch {
		case status == 0 && (strings.Contains(stdout, "<redacted: ") || strings.HasPrefix(stdout, "no Kubernetes object: ")):
		case status == 2 && stdout == "" && stderr != "": // no key opens it, or it is deleted
		default:
			c.Errorf("%v %s %s: exit status %d, %d bytes, %s", args, path, key, status, len(stdout), stderr)
		}
	}
}

// whole runs the commands that are about all of the evidence.
func (c *leakCheck) whole(path string) {
	c.Helper()
	c.want([]int{0, 1}, "scan", path)
	c.want([]int{0, 1}, "scan", "--format", "json", path)
	c.want([]int{0}, "list", path)
	c.want([]int{0}, "list", "--format", "jsonl", path)
	c.want([]int{0}, "keys", path)
	c.want([]int{0}, "keys", "--format", "json", path)
	c.want([]int{0, 1, 2, 3}, "keys", "--retire", "aescbc:key1", path)
}

// No command prints a value of a captured Secret, nor a key of the configuration that
// it was given.
func TestNoLeaks(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	dir := extractShort(t, func(string) bool { return true })
	canaries, err := captured.Canaries()
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		t.Run(stage.Dir, func(t *testing.T) {
			t.Parallel()
			c := &leakCheck{T: t, secrets: pieces{}}
			for _, canary := range canaries {
				c.secrets.addTraces(canary)
			}
			config, err := stage.EncryptionConfig()
			if err != nil {
				t.Fatal(err)
			}
			if config != nil {
				c.secrets.addKeys(t, config)
				c.config = filepath.Join(dir, stage.Config)
			}
			for i, path := range evidenceOf(stage, dir) {
				c.whole(path)
				for j, key := range leakKeys(t, stage) {
					if j%2 == i { // one half of the keys from the snapshot, the other from the data dir
						c.key(path, key)
					}
				}
			}
			if c.printed < 100_000 {
				t.Errorf("%d bytes were printed: the test looks at nothing", c.printed)
			}
		})
	}
}

// evidenceOf is the snapshot of a stage, if it has one, and its data dir.
func evidenceOf(stage captured.Stage, dir string) []string {
	var paths []string
	if !stage.Killed {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(stage.Snapshot())))
	}
	return append(paths, filepath.Join(dir, stage.Dir, "data-dir"))
}

// leakKeys are some etcd keys of a stage: a Secret under each key of a provider, one that
// was rewritten, one that was deleted, and objects of other resources.
func leakKeys(t *testing.T, stage captured.Stage) []string {
	t.Helper()
	byStored := map[captured.Stored]string{}
	for _, key := range slices.Sorted(maps.Keys(stage.Secrets)) {
		if stored := stage.Secrets[key]; byStored[stored] == "" {
			byStored[stored] = key
		}
	}
	keys := slices.Sorted(maps.Values(byStored))
	return append(keys, "/registry/secrets/payments/s-plain-10", "/registry/secrets/default/s-plain-29",
		"/registry/configmaps/payments/c-plain-0", "/registry/lab.example.com/vaults/default/v-plain-0",
		"/registry/namespaces/payments")
}

// extractShort extracts captured evidence and takes the zeros from the ends of its WAL
// segments, which are all that is in 60 of their 61 MB.
func extractShort(t *testing.T, want func(name string) bool) string {
	t.Helper()
	dir := t.TempDir()
	if err := captured.Extract(dir, want); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*", "data-dir", "member", "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		b, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		end := len(bytes.TrimRight(b, "\x00"))
		if err := os.Truncate(segment, int64(end+64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Nor does one when keys are wrong or swapped, ciphertext was moved, or a KMS plugin was
// asked.
func TestNoLeaksOfCases(t *testing.T) {
	for _, c := range fixtures.EncryptionCases() {
		t.Run(c.Name, func(t *testing.T) {
			e, err := c.Build(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}()
			check := &leakCheck{T: t, secrets: pieces{}, config: e.ConfigFile}
			check.secrets.addKeys(t, []byte(e.Config))
			check.secrets.addKeys(t, []byte(e.Answer.Config))
			for _, canary := range e.Answer.Canaries {
				check.secrets.addTraces(canary)
			}
			path := cmp.Or(e.DataDir, e.DB)
			check.whole(path)
			for _, key := range findingKeys(e) {
				check.key(path, key)
			}
			testKMSLeaks(check, e)
		})
	}
}

// findingKeys are etcd keys with one value for each finding, and one without any.
func findingKeys(e fixtures.EncryptionEvidence) []string {
	found := map[string]string{}
	for _, v := range e.Values {
		found[fmt.Sprint(v.Findings)] = v.Key
	}
	return slices.Sorted(maps.Values(found))
}

// testKMSLeaks runs commands that ask the plugins, where there are any.
func testKMSLeaks(c *leakCheck, e fixtures.EncryptionEvidence) {
	switch {
	case !strings.Contains(e.Config, "kms:"):
		return
	case len(e.DeadSockets) > 0:
		status, stdout, stderr := c.run("scan", "--kms", e.DB)
		if status != 2 || stdout != "" || !strings.Contains(stderr, e.DeadSockets[0]) {
			c.Errorf("with a dead socket: exit status %d, %s, %s", status, stdout, stderr)
		}
		return
	}
	c.want([]int{0, 1}, "scan", "--kms", "--format", "json", e.DB)
	c.want([]int{0}, "keys", "--kms", e.DB)
	for _, v := range e.Values {
		if v.Proof == "proven" && strings.HasPrefix(v.Provider, "kms") {
			status, stdout, stderr := c.run("show", "--kms", e.DB, v.Key)
			if status != 0 || !strings.Contains(stdout, "\nkind: ") {
				c.Errorf("show %s: exit status %d, %s", v.Key, status, stderr)
			}
		}
	}
}

// The search for pieces finds what it is for.
func TestPieces(t *testing.T) {
	p := pieces{}
	p.addTraces("CNRY-abcdefghijklmnopqrstuvwx")
	p.add("short")
	for _, secret := range []string{"CNRY-abcdefghijklmnopqrstuvwx", "qrstuvwx", "CNRY-abc"} {
		if p.in([]byte("before "+secret+" after")) == "" {
			t.Errorf("%q is not found", secret)
		}
	}
	for skip := range 3 {
		s := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-", skip) + "CNRY-abcdefghijklmnopqrstuvwx--"))
		if p.in([]byte(s)) == "" {
			t.Errorf("%s is not found", s)
		}
	}
	for _, other := range []string{"", "qrstuvw", "CNRY-", "short", strings.Repeat("x", 100)} {
		if piece := p.in([]byte(other)); piece != "" {
			t.Errorf("%q holds %q", other, piece)
		}
	}
}
