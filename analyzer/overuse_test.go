package analyzer

import (
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// versionOf is the write of a version of the Secret s-N with aesgcm:NAME.
func versionOf(rev, create, version int64, n int, name string) forged.Record {
	return forged.Record{Rev: rev, Create: create, Version: version, Key: forged.SecretKey(n), Value: forged.Sealed("aesgcm:v1:"+name, fmt.Sprint(rev))}
}

// A version counts the writes to an object, whichever key they were made with. They are a
// key's own where it was in use before the object was created, and no other one since.
func TestOveruseOfSeveralKeys(t *testing.T) {
	tests := []struct {
		name    string
		records []forged.Record
		want    []report.Severity
	}{
		// key1 wrote most of it, and a compaction left nothing of that.
		{"one value, of the key after another", []forged.Record{versionOf(1_000_000, 5, 300_000, 1, "key2")}, []report.Severity{report.SeverityLow}},
		{"one value, seldom written", []forged.Record{versionOf(1_000_000, 5, 3_000, 1, "key2")}, nil},
		{"beside a value that is older", []forged.Record{versionOf(4, 4, 1, 1, "key1"), versionOf(400_000, 10, 300_000, 2, "key1")}, []report.Severity{report.SeverityMedium}},
		{"two values, of which the first writes are gone", []forged.Record{versionOf(150_000, 10, 110_000, 1, "key1"), versionOf(400_000, 11, 110_000, 2, "key1")}, []report.Severity{report.SeverityLow}},
		{"a key, then another that wrote most", []forged.Record{versionOf(10, 10, 1, 1, "key1"), versionOf(20, 10, 2, 1, "key2"), versionOf(500_020, 10, 500_002, 1, "key2")},
			[]report.Severity{report.SeverityMedium}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _ := run(t, Options{}, inMemory(forged.DB{Records: test.records, Index: 10, Member: 7}.Bytes(t)))
			var got []report.Severity
			for _, f := range of(r, report.RuleKeyOveruse) {
				got = append(got, f.Severity)
			}
			slices.Sort(got)
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s%+v", diff, of(r, report.RuleKeyOveruse))
			}
		})
	}
}

// Of what was written between two versions under a key, all may be another key's.
func TestOveruseOfKeyUsedAgain(t *testing.T) {
	records := []forged.Record{versionOf(4, 4, 1, 9, "key1"), versionOf(10, 10, 1, 1, "key1"), versionOf(20, 10, 11, 1, "key2"),
		versionOf(500_020, 10, 500_011, 1, "key2"), versionOf(500_021, 10, 500_012, 1, "key1")}
	r, _ := run(t, Options{}, inMemory(forged.DB{Records: records, Index: 10, Member: 7}.Bytes(t)))
	for _, f := range of(r, report.RuleKeyOveruse) {
		if f.Severity > report.SeverityLow {
			t.Errorf("%+v", f)
		}
	}
}
