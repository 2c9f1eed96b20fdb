package analyzer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

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
	r, values := run(t, Options{FailOn: SeverityHigh}, open(t, path))
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

func wantValues(a fixtures.Answer) []Value {
	var want []Value
	for _, v := range a.Live {
		want = append(want, Value{
			Key: Text(v.Key), Resource: Text(v.Resource), Namespace: Text(v.Namespace), Name: Text(v.Name),
			Provider: v.Provider, KeyName: Text(v.KeyName), KMSKeyID: Text(v.KMSKeyID), Encoding: v.Encoding,
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
		if v.Resource != "secrets" || v.Provider != "identity" {
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
func gotSecrets(r *Report) []secret {
	got := []secret{}
	for _, x := range r.Exposures {
		live := slices.IndexFunc(slices.Collect(x.Copies.All()), func(c Copy) bool { return c.Region == RegionLive })
		if x.Status != StatusPlaintext || live < 0 {
			continue
		}
		s := secret{Key: string(x.Key), Type: string(x.Type), DataKeys: []string{}, ModRevision: x.Copies.At(live).ModRevision}
		for _, k := range x.DataKeys {
			s.DataKeys = append(s.DataKeys, string(k))
		}
		got = append(got, s)
	}
	slices.SortFunc(got, func(a, b secret) int { return cmp.Compare(a.Key, b.Key) })
	return got
}

// testUnreadable checks that each envelope that is not known or broken has a
// finding, and no other value has.
func testUnreadable(t *testing.T, a fixtures.Answer, r *Report) {
	want, got := map[string]bool{}, map[string]bool{}
	for _, v := range a.Live {
		if v.Provider == "unknown" || v.Broken && v.Provider != "identity" {
			want[v.Key] = true
		}
	}
	for _, f := range r.Findings {
		if f.Rule == RuleUnknownEnvelope {
			got[string(f.Key)] = true
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("keys with finding %s (-want +got):\n%s", RuleUnknownEnvelope, diff)
	}
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
		if got.ClusterVersion != want.ClusterVersion || string(r.Evidence[0].StorageVersion) != want.StorageVersion ||
			got.Term != want.RaftTerm || got.ConsistentIndex != want.RaftIndex || got.AuthEnabled != want.AuthEnabled ||
			!slices.Equal(got.Users, want.Users) || !slices.Equal(got.Roles, want.Roles) || got.Leases != len(want.Leases) ||
			len(got.Alarms) != len(want.Alarms) {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
		members := []fixtures.Member{}
		for _, m := range got.Members {
			members = append(members, fixtures.Member{ID: uint64(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner})
		}
		byID := func(a, b fixtures.Member) int { return cmp.Compare(a.ID, b.ID) }
		wantMembers := slices.SortedFunc(slices.Values(want.Members), byID)
		if diff := gocmp.Diff(wantMembers, members); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", path, diff)
		}
	}
}
