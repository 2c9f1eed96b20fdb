package analyzer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// Every value of every scenario is classified as what its writer put in.
func TestScenarios(t *testing.T) {
	for _, scenario := range fixtures.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			t.Parallel()
			e := build(t, scenario)
			for _, path := range files(e) {
				testScenario(t, e, path)
			}
		})
	}
}

func testScenario(t *testing.T, e fixtures.Evidence, path string) {
	r, values := run(t, Options{FailOn: report.SeverityHigh}, open(t, path))
	if diff := gocmp.Diff(wantValues(e.Answer), values); diff != "" {
		t.Errorf("%s: values (-want +got):\n%s", path, diff)
	}
	if len(r.Coverage.Damage) > 0 || r.Coverage.BytesRead != r.Coverage.Bytes {
		t.Errorf("%s: coverage: %+v", path, r.Coverage)
	}
	if ev := r.Evidence[0]; ev.Revision != e.Answer.Revision || ev.CompactRevision != e.Answer.CompactRevision {
		t.Errorf("%s: revision %d, compacted at %d; want %d, %d", path, ev.Revision, ev.CompactRevision, e.Answer.Revision, e.Answer.CompactRevision)
	}
	if diff := gocmp.Diff(wantSecrets(e.Answer), gotSecrets(r)); diff != "" {
		t.Errorf("%s: exposures (-want +got):\n%s", path, diff)
	}
	testUnreadable(t, e.Answer, r)
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range e.Answer.Canaries {
		for _, trace := range fixtures.Traces(canary) {
			if bytes.Contains(out, []byte(trace)) {
				t.Errorf("%s: the report holds a canary", path)
			}
		}
	}
}

func wantValues(a fixtures.Answer) []report.Value {
	var want []report.Value
	for _, v := range a.Live {
		want = append(want, report.Value{
			Key: report.Text(v.Key), Resource: report.Text(v.Resource), Namespace: report.Text(v.Namespace), Name: report.Text(v.Name),
			LogicalCluster: report.Text(v.LogicalCluster),
			Provider:       report.Provider(v.Provider), KeyName: report.Text(v.KeyName), KMSKeyID: report.Text(v.KMSKeyID), Encoding: report.Encoding(v.Encoding),
			Size: v.Size, CreateRevision: v.CreateRevision, ModRevision: v.ModRevision, Version: v.Version,
		})
	}
	return want
}

// A secret is what a report must say of a plaintext Secret.
type secret struct {
	Key, Type   string
	DataKeys    []string
	ModRevision int64
}

// storable is what the API server accepts as a key of a Secret's data. Anything
// else is a damaged object, or a value posing as a name, and is not printed.
var storable = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

func wantSecrets(a fixtures.Answer) []secret {
	want := []secret{}
	for _, v := range a.Live {
		if v.Resource != "secrets" || v.Provider != "identity" || v.Blank {
			continue
		}
		s := secret{v.Key, v.SecretType, []string{}, v.ModRevision}
		if strings.ContainsFunc(s.Type, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
			s.Type = ""
		}
		for _, k := range v.DataKeys {
			if storable.MatchString(k) {
				s.DataKeys = append(s.DataKeys, k)
			}
		}
		want = append(want, s)
	}
	return want
}

// gotSecrets is the Secrets whose newest value is plaintext.
func gotSecrets(r *allAnswers) []secret {
	got := []secret{}
	for _, x := range r.Exposures {
		live := slices.IndexFunc(x.Copies, func(c *report.Copy) bool { return c.Region == report.RegionLive })
		if x.Status != report.StatusPlaintext || live < 0 {
			continue
		}
		s := secret{Key: string(x.Key), Type: string(x.Type), DataKeys: []string{}, ModRevision: x.Copies[live].ModRevision}
		for _, k := range x.DataKeys {
			s.DataKeys = append(s.DataKeys, string(k))
		}
		got = append(got, s)
	}
	slices.SortFunc(got, func(a, b secret) int { return cmp.Compare(a.Key, b.Key) })
	return got
}

// testUnreadable checks that each envelope that is not known or broken has a finding, and each Secret
// that is no object, and no other value has.
func testUnreadable(t *testing.T, a fixtures.Answer, r *allAnswers) {
	want, got := map[string]bool{}, map[string]bool{}
	for _, v := range a.Live {
		if v.Provider == "unknown" || v.Broken || v.Resource == "secrets" && v.Encoding == fixtures.Other {
			want[v.Key] = true
		}
	}
	for _, f := range r.Findings {
		if f.Rule == report.RuleUnknownEnvelope {
			got[string(f.Key)] = true
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("keys with finding %s (-want +got):\n%s", report.RuleUnknownEnvelope, diff)
	}
}

func plain(texts []report.Text) []string {
	var out []string
	for _, t := range texts {
		out = append(out, string(t))
	}
	return out
}

// What info tells of etcd itself is what etcd's API said.
func TestCluster(t *testing.T) {
	scenario, err := fixtures.Lookup("cluster")
	if err != nil {
		t.Fatal(err)
	}
	e := build(t, scenario)
	for _, path := range files(e) {
		r, _ := run(t, Options{}, open(t, path))
		want, got := e.Answer.Cluster, r.Evidence[0].Details.Etcd
		if string(got.ClusterVersion) != want.ClusterVersion || string(r.Evidence[0].StorageVersion) != want.StorageVersion ||
			got.Term != want.RaftTerm || r.Evidence[0].ConsistentIndex != want.RaftIndex || got.AuthEnabled != want.AuthEnabled ||
			!slices.Equal(got.Users, report.Texts(want.Users)) || !slices.Equal(got.Roles, report.Texts(want.Roles)) || got.Leases != len(want.Leases) ||
			len(got.Alarms) != len(want.Alarms) {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
		members := []fixtures.Member{}
		for _, m := range got.Members {
			id, err := strconv.ParseUint(m.ID, 16, 64)
			if err != nil {
				t.Error(err)
			}
			members = append(members, fixtures.Member{ID: id, Name: string(m.Name), PeerURLs: plain(m.PeerURLs), ClientURLs: plain(m.ClientURLs), Learner: m.IsLearner})
		}
		byID := func(a, b fixtures.Member) int { return cmp.Compare(a.ID, b.ID) }
		wantMembers := slices.SortedFunc(slices.Values(want.Members), byID)
		if diff := gocmp.Diff(wantMembers, members); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", path, diff)
		}
	}
}
