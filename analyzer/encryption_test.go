package analyzer

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// What the configuration says of each value, and whether its keys open it, is what the
// API server itself says: see fixtures.Witness.
func TestEncryptionCases(t *testing.T) {
	for _, c := range fixtures.EncryptionCases() {
		t.Run(c.Name, func(t *testing.T) {
			e := buildEncryption(t, c)
			config := openConfig(t, e)
			var values []report.Value
			o := Options{Encryption: config, Keys: true, Values: func(v report.Value) error { values = append(values, v); return nil }}
			r, err := askAll(t.Context(), []evidence.Source{open(t, e.DB)}, o)
			if err != nil {
				t.Fatal(err)
			}
			testFindings(t, e, r)
			testReadings(t, e, r, values)
			testNonces(t, e, r)
			testStragglers(t, e, config)
		})
	}
}

func buildEncryption(t *testing.T, c fixtures.EncryptionCase) fixtures.EncryptionEvidence {
	t.Helper()
	e, err := c.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// openConfig reads the configuration of a case, and connects to its plugins where they
// answer.
func openConfig(t *testing.T, e fixtures.EncryptionEvidence) *encryption.Config {
	t.Helper()
	b, err := os.ReadFile(e.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	config, err := encryption.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if kms, _ := config.KMS(); kms {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		err := config.OpenKMS(ctx)
		if dead := len(e.DeadSockets) > 0; dead != (err != nil) {
			t.Fatalf("OpenKMS: %v", err)
		}
		for _, socket := range e.DeadSockets {
			if !strings.Contains(err.Error(), socket) {
				t.Errorf("the error %q does not name the socket %s", err, socket)
			}
		}
	}
	return config
}

// testFindings compares the findings of each key, and those of no key.
func testFindings(t *testing.T, e fixtures.EncryptionEvidence, r *allAnswers) {
	t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	live := map[string]bool{}
	for _, v := range e.Values {
		live[v.Key] = true
		findings := slices.Clone(v.Findings)
		if v.KMSStale != "" && v.Readable {
			findings = append(findings, string(report.RuleStaleKey)) // which a plugin that answers can tell
		}
		if len(findings) > 0 {
			want[v.Key] = slices.Sorted(slices.Values(findings))
		}
	}
	runs := map[string]bool{}
	wantRuns := slices.Clone(e.RunFindings)
	for _, v := range e.Values {
		// Another key, for all that the name tells.
		if slices.Contains(v.Findings, string(report.RuleUndecryptable)) && !strings.HasPrefix(v.Provider, "kms") && !slices.Contains(wantRuns, string(report.RuleSharedName)) {
			wantRuns = append(wantRuns, string(report.RuleSharedName))
		}
	}
	slices.Sort(wantRuns)
	newest := func(f report.Finding) bool { return !strings.Contains(f.Message(), "older value") }
	for _, f := range r.Findings {
		switch {
		case slices.Contains(e.RunFindings, string(f.Rule)) || f.Key == "" || f.Rule == report.RuleNonceReuse:
			runs[string(f.Rule)] = true
		case f.Rule.IsPlaintext() && f.Rule != report.RulePlaintextLive, f.Rule == report.RuleUnknownEnvelope, !newest(f):
		default:
			if !live[string(f.Key)] {
				t.Errorf("finding of a key that is not live: %+v", f)
			}
			got[string(f.Key)] = append(got[string(f.Key)], string(f.Rule))
		}
	}
	for key := range got {
		slices.Sort(got[key])
		if chance(e, key) && slices.Equal(got[key], []string{string(report.RuleUndecryptable)}) {
			got[key] = []string{string(report.RuleNotObject)}
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	var all []string
	for rule := range runs {
		all = append(all, rule)
	}
	slices.Sort(all)
	if diff := gocmp.Diff(append([]string{}, wantRuns...), append([]string{}, all...)); diff != "" {
		t.Errorf("findings of the run (-want +got):\n%s", diff)
	}
	for _, v := range e.Values {
		if v.RelocatedFrom == "" {
			continue
		}
		i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Rule == report.RuleRelocated && string(f.Key) == v.Key })
		if i < 0 || !strings.Contains(r.Findings[i].Message(), "path of "+v.RelocatedFrom+" ") {
			t.Errorf("%s was moved from %s: not told", v.Key, v.RelocatedFrom)
		}
	}
}

// chance reports whether the value of a key is one of AES-CBC that a wrong key opens by
// chance: the API server takes what comes out of it for the object. Nobody can tell it
// from any other value that the key does not open.
func chance(e fixtures.EncryptionEvidence, key string) bool {
	return strings.HasSuffix(key, "/lucky-padding")
}

// testNonces compares which values share a nonce.
func testNonces(t *testing.T, e fixtures.EncryptionEvidence, r *allAnswers) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, reuse := range e.Reused {
		want[reuse.Keys[0]]++
	}
	for _, f := range r.Findings {
		if f.Rule == report.RuleNonceReuse {
			got[string(f.Key)]++
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("reused nonces, by the first key (-want +got):\n%s", diff)
	}
}

// testReadings compares what the API server makes of each value: whether it can read it,
// and whether it would write it anew.
func testReadings(t *testing.T, e fixtures.EncryptionEvidence, r *allAnswers, values []report.Value) {
	t.Helper()
	rules := map[string][]report.RuleID{}
	for _, f := range r.Findings {
		if !strings.Contains(f.Message(), "older value") {
			rules[string(f.Key)] = append(rules[string(f.Key)], f.Rule)
		}
	}
	byKey := map[string]report.Value{}
	for _, v := range values {
		byKey[string(v.Key)] = v
	}
	for _, want := range e.Values {
		got := byKey[want.Key]
		elsewhere := slices.Contains(want.Findings, string(report.RuleNotConfigured)) || slices.Contains(want.Findings, string(report.RuleUnknownKey))
		if string(got.Proof) != want.Proof && !(elsewhere && got.Proof == report.Proven) { // by a key that is another resource's
			t.Errorf("%s: proof %q, want %q", want.Key, got.Proof, want.Proof)
		}
		if got.Proof == report.Unproven && strings.HasPrefix(got.Provider.String(), "kms") {
			continue // without its plugin nobody can read it
		}
		readable := !slices.ContainsFunc(rules[want.Key], func(rule report.RuleID) bool {
			return rule == report.RuleNotConfigured || rule == report.RuleUnknownKey || rule == report.RuleUndecryptable || rule == report.RuleRelocated
		})
		if got.Provider == "identity" {
			readable = want.Readable // the identity provider is asked for below
		}
		if readable != want.Readable && !chance(e, want.Key) {
			t.Errorf("%s: readable %v, the API server says %v", want.Key, readable, want.Readable)
		}
		stale := got.Policy == report.PolicyWrongProvider || got.Policy == report.PolicyStaleKey || got.Policy == report.PolicyNotEncrypted
		if want.Readable && stale != want.Stale {
			t.Errorf("%s: stale %v (%s), the API server says %v", want.Key, stale, got.Policy, want.Stale)
		}
	}
}

// testStragglers asks of each key whether it may be dropped.
func testStragglers(t *testing.T, e fixtures.EncryptionEvidence, config *encryption.Config) {
	t.Helper()
	for label, want := range e.Stragglers {
		r, err := askAll(t.Context(), []evidence.Source{open(t, e.DB)}, Options{Encryption: config, Keys: true, Retire: []string{label}, AllowEmpty: true})
		if err != nil {
			t.Fatal(err)
		}
		var wanted []report.Text
		for _, key := range want {
			wanted = append(wanted, report.Text(key))
		}
		slices.SortFunc(wanted, cmp.Compare)
		if diff := gocmp.Diff(wanted, r.Retire[0].Stragglers); diff != "" || r.Retire[0].Safe || r.Verdict.ExitStatus != report.ExitFindings {
			t.Errorf("%s: safe %v, exit status %d, stragglers (-want +got):\n%s", label, r.Retire[0].Safe, r.Verdict.ExitStatus, diff)
		}
	}
	r, err := askAll(t.Context(), []evidence.Source{open(t, e.DB)}, Options{Keys: true, Retire: []string{"aescbc:no-such-key"}, AllowEmpty: true})
	if err != nil {
		t.Fatal(err)
	}
	want, status := report.RetireUnseen, report.ExitUsage
	if r.Retire[0].Unreadable > 0 {
		want, status = report.RetireUnknown, report.ExitFindings
	}
	if u := r.Retire[0]; u.Safe || u.Seen || u.Answer != want || r.Verdict.ExitStatus != status {
		t.Errorf("a key that nobody uses: %+v, exit status %d", u, r.Verdict.ExitStatus)
	}
}
