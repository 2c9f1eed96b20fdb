package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/captured"
)

// keysReport is the part of the JSON of `keys` that is promised.
type keysReport struct {
	SchemaVersion string
	Verdict       struct {
		Complete   bool
		ExitStatus int
	}
	Keys []struct {
		Provider, KeyName, KMSKeyID   string
		Newest, History, Residue, WAL int
		Resources                     map[string]int
		Proof                         string
	}
	Retire []struct {
		Key, Answer string
		Safe, Seen  bool
		Stragglers  []string
	}
}

// runJSON runs a command that prints JSON into v, and returns the exit status.
func runJSON(t *testing.T, v any, args ...string) int {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), args, &stdout, &stderr)
	unseen := slices.Contains(args, "aescbc:nobody") && strings.Contains(stderr.String(), "--retire aescbc:nobody: not seen:")
	if stderr.Len() > 0 != unseen {
		t.Errorf("%v: exit status %d: %s", args, status, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), v); err != nil {
		t.Fatalf("%v: exit status %d, %d bytes: %v", args, status, stdout.Len(), err)
	}
	return status
}

// What `keys` counts in the evidence of a real cluster is what its clients were told,
// what bbolt finds in the tree, and what a plain search finds in the bytes.
func TestKeysTruth(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	dir := extractShort(t, func(string) bool { return true })
	for i, stage := range stages {
		for _, path := range evidenceOf(stage, dir) {
			t.Run(stage.Dir+"/"+filepath.Base(path), func(t *testing.T) {
				t.Parallel()
				var r keysReport
				if status := runJSON(t, &r, "keys", "--format", "json", path); status != 0 || !r.Verdict.Complete {
					t.Fatalf("exit status %d, %+v", status, r.Verdict)
				}
				testNewest(t, r, liveSecrets(t, stages[:i+1]))
				db := path
				if filepath.Base(path) == "data-dir" {
					db = filepath.Join(path, "member", "snap", "db")
				}
				if !stage.Killed { // its newest values are not in the db yet
					testTreeAndResidue(t, r, db)
				}
				testWAL(t, r, path)
				testRetire(t, stage, path)
			})
		}
	}
}

// A usedKey is a key that values are encrypted with.
type usedKey struct{ provider, name, kmsKeyID string }

// liveSecrets is how each Secret that is live after these stages was stored, by the
// answers that the cluster's clients got.
func liveSecrets(t *testing.T, stages []captured.Stage) map[string]usedKey {
	t.Helper()
	writes, err := captured.Writes()
	if err != nil {
		t.Fatal(err)
	}
	last := 0 // of the stages; some writes between two are of a step that is no stage
	for i, w := range writes {
		if slices.ContainsFunc(stages, func(s captured.Stage) bool { return s.Name == w.Stage }) {
			last = i
		}
	}
	live := map[string]usedKey{}
	for _, w := range writes[:last+1] {
		key := "/registry/secrets/" + w.Namespace + "/" + w.Name
		delete(live, key)
		if w.Op != "delete" {
			live[key] = usedKey{w.Stored.Provider, w.Stored.KeyName, w.KMSKeyID}
		}
	}
	stage := stages[len(stages)-1]
	for key, stored := range stage.Secrets { // the two accounts agree
		if got := live[key]; got.provider != stored.Provider || got.name != stored.KeyName {
			t.Fatalf("%s: %+v, and the stage says %+v", key, got, stored)
		}
	}
	if !stage.Killed && len(live) != len(stage.Secrets) {
		t.Fatalf("%d Secrets, and the stage has %d", len(live), len(stage.Secrets))
	}
	return live
}

func testNewest(t *testing.T, r keysReport, live map[string]usedKey) {
	t.Helper()
	want, got := map[usedKey]int{}, map[usedKey]int{}
	for _, key := range live {
		if key.provider != "identity" {
			want[key]++
		}
	}
	for _, k := range r.Keys {
		if n := k.Resources["secrets"]; n > 0 {
			got[usedKey{k.Provider, k.KeyName, k.KMSKeyID}] = n
		}
		sum := 0
		for _, n := range k.Resources {
			sum += n
		}
		if sum != k.Newest {
			t.Errorf("%s:%s: %d newest values, by resource %d", k.Provider, k.KeyName, k.Newest, sum)
		}
		if k.Proof != "unproven" {
			t.Errorf("%s:%s is %s without a configuration", k.Provider, k.KeyName, k.Proof)
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(usedKey{})); diff != "" {
		t.Errorf("newest values of Secrets (-want +got):\n%s", diff)
	}
}

// prefixForm is how an encrypted value starts. No key name in the capture has a colon.
var prefixForm = regexp.MustCompile(`k8s:enc:(?:aescbc|aesgcm|secretbox|kms):v[12]:[a-z0-9-]+:`)

// prefixOf is that of a key, KMS key IDs aside.
func prefixOf(provider, name string) string {
	if kms, version, ok := strings.Cut(provider, "-"); ok {
		return "k8s:enc:" + kms + ":" + version + ":" + name + ":"
	}
	return "k8s:enc:" + provider + ":v1:" + name + ":"
}

// headSize is how much of an encrypted value tells it from any other, in bytes: it has a
// nonce, or a key of its own, in there.
const headSize = 160

// heads are the different encrypted values of each prefix that start in b and are there
// in full, as far as headSize goes.
func heads(b []byte) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	for _, at := range prefixForm.FindAllIndex(b, -1) {
		prefix := string(b[at[0]:at[1]])
		if found[prefix] == nil {
			found[prefix] = map[string]bool{}
		}
		if end := at[0] + headSize; end <= len(b) {
			found[prefix][string(b[at[0]:end])] = true
		}
	}
	return found
}

// testTreeAndResidue compares the counts of the tree with bbolt's, and those of residue
// with what a search for prefixes finds beyond that.
func testTreeAndResidue(t *testing.T, r keysReport, db string) {
	t.Helper()
	newest, history, tree := treeCounts(t, db)
	gotNewest, gotHistory, residue := map[string]int{}, map[string]int{}, map[string]int{}
	for _, k := range r.Keys {
		prefix := prefixOf(k.Provider, k.KeyName)
		gotNewest[prefix] += k.Newest
		gotHistory[prefix] += k.History
		residue[prefix] += k.Residue
	}
	drop := func(m map[string]int) {
		maps.DeleteFunc(m, func(_ string, n int) bool { return n == 0 })
	}
	drop(gotNewest)
	drop(gotHistory)
	drop(residue)
	if diff := cmp.Diff(newest, gotNewest); diff != "" {
		t.Errorf("newest values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(history, gotHistory); diff != "" {
		t.Errorf("older values in the tree (-want +got):\n%s", diff)
	}
	b, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	wantResidue := map[string]int{}
	for prefix, found := range heads(b) {
		for head := range found {
			if !tree[head] {
				wantResidue[prefix]++
			}
		}
		occurrences := bytes.Count(b, []byte(prefix))
		if n := gotNewest[prefix] + gotHistory[prefix] + residue[prefix]; n > occurrences {
			t.Errorf("%s: %d values, and it occurs %d times", prefix, n, occurrences)
		}
	}
	if diff := cmp.Diff(wantResidue, residue); diff != "" {
		t.Errorf("values outside of the tree (-want +got):\n%s", diff)
	}
}

// treeCounts counts, by prefix, the encrypted newest values of live keys, and all others
// in the bucket "key". tree has the heads of both.
func treeCounts(t *testing.T, file string) (newest, history map[string]int, tree map[string]bool) {
	t.Helper()
	db, err := bolt.Open(file, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	newest, history, tree = map[string]int{}, map[string]int{}, map[string]bool{}
	live := map[string]string{} // prefixes, by etcd key; empty for plaintext
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(revision, v []byte) error { // in the order of revisions
			kv := new(mvccpb.KeyValue)
			if err := proto.Unmarshal(v, kv); err != nil {
				return err
			}
			if old := live[string(kv.Key)]; old != "" {
				history[old]++
			}
			live[string(kv.Key)] = string(prefixForm.Find(kv.Value[:min(len(kv.Value), 64)]))
			if len(revision) == 18 { // a tombstone
				delete(live, string(kv.Key))
			}
			if !bytes.HasPrefix(kv.Value, []byte("k8s:enc:")) {
				return nil
			}
			if len(kv.Value) < headSize {
				return fmt.Errorf("a value of %d bytes: shorter than a head", len(kv.Value))
			}
			tree[string(kv.Value[:headSize])] = true
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range live {
		if prefix != "" {
			newest[prefix]++
		}
	}
	return newest, history, tree
}

// testWAL compares the puts in the WAL with what a search finds there: each has another
// value. A snapshot has none.
func testWAL(t *testing.T, r keysReport, path string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(path, "member", "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]int{}, map[string]int{}
	for _, segment := range segments {
		b, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		for prefix, found := range heads(b) {
			want[prefix] += len(found)
		}
	}
	for _, k := range r.Keys {
		if k.WAL > 0 {
			got[prefixOf(k.Provider, k.KeyName)] += k.WAL
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values in the WAL (-want +got):\n%s", diff)
	}
}

// testRetire asks of every key whether it may be dropped: not while a Secret needs it.
func testRetire(t *testing.T, stage captured.Stage, path string) {
	t.Helper()
	if stage.Killed {
		return
	}
	want := map[string][]string{"aescbc:nobody": nil}
	for key, stored := range stage.Secrets {
		if name := stored.Provider + ":" + stored.KeyName; stored.Provider != "identity" {
			want[name] = append(want[name], key)
		}
	}
	for name, secrets := range want {
		var r keysReport
		status := runJSON(t, &r, "keys", "--format", "json", "--retire", name, path)
		var got []string
		for _, key := range r.Retire[0].Stragglers {
			if strings.HasPrefix(key, "/registry/secrets/") {
				got = append(got, key)
			}
		}
		slices.Sort(secrets)
		if diff := cmp.Diff(secrets, got); diff != "" {
			t.Errorf("--retire %s: Secrets that need it (-want +got):\n%s", name, diff)
		}
		answer, code := "needed", 1
		switch {
		case len(want) == 1 && len(r.Keys) == 0:
			answer, code = "empty", 3 // before anything was encrypted
		case name == "aescbc:nobody":
			answer, code = "unseen", 2
		}
		if u := r.Retire[0]; len(r.Retire) != 1 || u.Safe || u.Answer != answer || status != code || u.Key != name || u.Seen != (answer == "needed") {
			t.Errorf("--retire %s: exit status %d, want %d and %s, %+v", name, status, code, answer, r.Retire)
		}
	}
}

// writers is what each captured configuration writes Secrets with, read from the files.
var writers = map[string]captured.Stored{
	"encryption-aescbc.yaml":    {Provider: "aescbc", KeyName: "key1"},
	"encryption-rotated.yaml":   {Provider: "aescbc", KeyName: "key2"},
	"encryption-aesgcm.yaml":    {Provider: "aesgcm", KeyName: "gcm1"},
	"encryption-secretbox.yaml": {Provider: "secretbox", KeyName: "box1"},
	"encryption-kmsv2.yaml":     {Provider: "kms-v2", KeyName: "lab-v2"},
	"encryption-kmsv1.yaml":     {Provider: "kms-v1", KeyName: "lab-v1"},
	"encryption-decrypted.yaml": {Provider: "identity"},
}

// policyRules are those about the newest value of one key.
var policyRules = []report.RuleID{report.RulePlaintextLive, report.RuleWrongProvider, report.RuleStaleKey,
	report.RuleNotConfigured, report.RuleUnknownKey, report.RuleUndecryptable, report.RuleRelocated, report.RuleNotObject}

// The findings of every Secret of every stage are what the configuration in force says of
// how the cluster's clients were told that it is stored. A key is proven for all but KMS.
func TestPolicyTruth(t *testing.T) {
	stages, err := captured.Stages()
	if err != nil {
		t.Fatal(err)
	}
	dir := extractShort(t, func(name string) bool {
		return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, "/snapshot.db")
	})
	for _, stage := range stages {
		if stage.Config == "" || stage.Killed {
			continue
		}
		t.Run(stage.Dir, func(t *testing.T) {
			t.Parallel()
			want, got := map[string][]string{}, map[string][]string{}
			for key, stored := range stage.Secrets {
				if rule := ruleFor(stored, writers[stage.Config]); rule != "" {
					want[key] = []string{string(rule)}
				}
			}
			path, config := filepath.Join(dir, filepath.FromSlash(stage.Snapshot())), filepath.Join(dir, stage.Config)
			var r report.Report
			runJSON(t, &r, "scan", "--format", "json", "--encryption-config", config, path)
			identityFirst := false
			for _, f := range r.Findings {
				if f.Resource == "secrets" && slices.Contains(policyRules, f.Rule) {
					got[string(f.Key)] = append(got[string(f.Key)], string(f.Rule))
				}
				identityFirst = identityFirst || f.Rule == report.RuleIdentityFirst && f.Resource == "secrets"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings of Secrets (-want +got):\n%s", diff)
			}
			if identityFirst != (writers[stage.Config].Provider == "identity") {
				t.Errorf("identity-first is %v with %s", identityFirst, stage.Config)
			}
			testProofs(t, stage, path, config)
		})
	}
}

// ruleFor is the rule that a value breaks which is stored like this.
func ruleFor(stored, writer captured.Stored) report.RuleID {
	switch {
	case stored.Provider == "identity":
		return report.RulePlaintextLive
	case stored.Provider != writer.Provider:
		return report.RuleWrongProvider
	case stored.KeyName != writer.KeyName:
		return report.RuleStaleKey
	}
	return ""
}

// testProofs compares what `list` says of each Secret.
func testProofs(t *testing.T, stage captured.Stage, path, config string) {
	t.Helper()
	type line struct{ Key, Provider, Proof, Policy string }
	want, got := map[string]line{}, map[string]line{}
	for key, stored := range stage.Secrets {
		l := line{Key: key, Provider: stored.Provider, Proof: "proven", Policy: string(ruleFor(stored, writers[stage.Config]))}
		switch {
		case stored.Provider == "identity":
			l.Proof = ""
		case strings.HasPrefix(stored.Provider, "kms-"):
			l.Proof = "unproven"
		}
		switch {
		case stored == writers[stage.Config]:
			l.Policy = "current"
		case l.Policy == "":
			t.Fatalf("%s: %+v is neither current nor wrong", key, stored)
		}
		want[key] = l
	}
	var stdout, stderr bytes.Buffer
	args := []string{"list", "--format", "jsonl", "--resources", "secrets", "--encryption-config", config, path}
	if status := run(context.Background(), args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	for text := range strings.Lines(stdout.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		got[l.Key] = l
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
}
