package analyzer

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// More deletions of ranges than are replayed leave it open which keys are live: never clean.
func TestManyRanges(t *testing.T) {
	for n, want := range map[int]bool{10: true, 1100: false} {
		log := forged.Log{Entries: []forged.Entry{{Index: 1, Term: 1, Request: forged.Put(forged.SecretKey(1), forged.Sealed("aescbc:v1:key1", "x"))}}}
		for i := range n {
			log.Entries = append(log.Entries, forged.Entry{Index: uint64(i + 2), Term: 1, Commit: uint64(i + 1),
				Request: &pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("/registry/pods/"), RangeEnd: []byte("/registry/pods0")}}})
		}
		var sources []evidence.Source
		for _, s := range log.Segments(t) {
			source := segmentSource(s.Name, s.Data)
			source.Member = "member" // one log, of as many segments as it takes
			sources = append(sources, source)
		}
		r, _ := run(t, Options{}, sources...)
		told := slices.ContainsFunc(r.Coverage.NotExamined, func(n report.NotExamined) bool { return n.Unread && strings.Contains(n.What, "deletions of ranges") })
		if r.Verdict.Complete != want || told == want {
			t.Errorf("%d ranges: complete %v, %+v", n, r.Verdict.Complete, r.Coverage.NotExamined)
		}
	}
}

// Two clusters have keys of one name: no finding counts for both.
func TestWeakProvidersOfClusters(t *testing.T) {
	f := forged.DB{Index: 1, Member: 7}
	for i, key := range []string{"/tenants_a/secrets/d/1", "/tenants_a/secrets/d/2", "/tenants_b/secrets/d/1"} {
		f.Records = append(f.Records, forged.Record{Rev: int64(i + 2), Key: key, Value: forged.Sealed("aescbc:v1:key1", key)})
	}
	r, _ := run(t, Options{}, inMemory(f.Bytes(t)))
	var got []string
	for _, found := range of(r, report.RuleWeakProvider) {
		text, _, _ := strings.Cut(found.Message(), ":")
		got = append(got, text)
	}
	want := []string{"in cluster 1, 2 newest values are encrypted with aescbc", "in cluster 2, one newest value is encrypted with aescbc"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
