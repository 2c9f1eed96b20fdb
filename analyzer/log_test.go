package analyzer

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// logOf is a segment of a WAL with entries, each an index and what it puts under
// /registry/secrets/default/NAME, or no value to delete that. Each entry has a term of its own,
// and the commit index is never above what is written.
func logOf(t *testing.T, commit uint64, entries ...[3]string) evidence.Source {
	t.Helper()
	var log forged.Log
	for term, e := range entries {
		index, err := strconv.ParseUint(e[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		key := "/registry/secrets/default/" + e[1]
		request := forged.Put(key, []byte(e[2]))
		if e[2] == "" {
			request = forged.Delete(key)
		}
		log.Entries = append(log.Entries, forged.Entry{Index: index, Term: uint64(term + 1), Commit: min(commit, index-1), Request: request})
	}
	segments := log.Segments(t)
	if len(segments) != 1 {
		t.Fatalf("%d segments, want one", len(segments))
	}
	return segmentSource(segments[0].Name, segments[0].Data)
}

// laterLog is logOf for a segment that is not the first of its WAL: its first entry, whose
// index is in its name, need not be the first of all.
func laterLog(t *testing.T, commit uint64, entries ...[3]string) evidence.Source {
	t.Helper()
	first, err := strconv.ParseUint(entries[0][0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s := logOf(t, commit, entries...)
	s.Name = fmt.Sprintf("%016x-%016x.wal", 1, first)
	s.Path = report.Text(s.Name)
	return s
}

// segmentSource is a segment as a Source.
func segmentSource(name string, b []byte) evidence.Source {
	return evidence.Source{Path: report.Text(name), Name: name, Kind: report.KindWAL, File: bytes.NewReader(b), Size: int64(len(b))}
}

// An entry that another leader's entry replaced never counted, and its bytes are
// evidence all the same.
func TestReplacedEntries(t *testing.T) {
	const sealed = "k8s:enc:secretbox:v1:key1:0123456789012345678901234567890123456789"
	log := logOf(t, 2,
		[3]string{"1", "kept", "plain text 1"}, [3]string{"2", "sealed", "plain text 2"},
		[3]string{"3", "sealed", "plain text 3"}, [3]string{"4", "lost", "plain text 4"},
		[3]string{"3", "sealed", sealed}, [3]string{"4", "gone", "plain text 5"}, [3]string{"5", "gone", ""})
	r, values := run(t, Options{FailOn: report.SeverityHigh}, log)
	if len(r.Coverage.Damage) > 0 || r.Coverage.WALEntries != 7 {
		t.Errorf("%+v", r.Coverage)
	}
	want := map[report.Text]report.Status{
		"/registry/secrets/default/kept":   report.StatusExposed, // a WAL alone tells no newest value
		"/registry/secrets/default/sealed": report.StatusExposed,
		"/registry/secrets/default/lost":   report.StatusExposed,
		"/registry/secrets/default/gone":   report.StatusExposed,
	}
	copies := 0
	for _, x := range r.Exposures {
		copies += len(x.Copies)
		if x.Status != want[x.Key] {
			t.Errorf("%s is %s, want %s", x.Key, x.Status, want[x.Key])
		}
		delete(want, x.Key)
	}
	if len(want) > 0 || copies != 5 {
		t.Errorf("%d copies; not reported: %v", copies, want)
	}
	if len(values) != 2 {
		t.Errorf("values %+v", values)
	}
}

// The plaintext in a frame at which etcd refuses the log is reported: a Secret also where it is all that there
// is, other text beside a key that shows the prefix. Its key is not called live, and nothing is clean then.
func TestRefusedEntries(t *testing.T) {
	secret, err := fixtures.EncodeSecret("default", "damaged", map[string]string{"password": "hunter2"}, fixtures.Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	const sealed = "k8s:enc:secretbox:v1:key1:0123456789012345678901234567890123456789"
	for name, entries := range map[string][][3]string{
		"a Secret alone":            {{"1", "damaged", string(secret)}},
		"text beside another value": {{"1", "sealed", sealed}, {"2", "damaged", "plain text 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			log := logOf(t, 2, entries...)
			b := make([]byte, log.Size)
			if err := log.ReadFull(b, 0); err != nil {
				t.Fatal(err)
			}
			value := entries[len(entries)-1][2]
			b[bytes.Index(b, []byte(value))+len(value)-1] ^= 1
			r, values := run(t, Options{FailOn: report.SeverityHigh}, segmentSource(log.Name, b))
			if len(r.Exposures) != 1 || r.Exposures[0].Key != "/registry/secrets/default/damaged" || r.Exposures[0].Status != report.StatusExposed {
				t.Errorf("exposures %+v", r.Exposures)
			}
			if len(values) != len(entries)-1 {
				t.Errorf("values %+v", values)
			}
			if r.Verdict.Complete || len(r.Coverage.Damage) == 0 {
				t.Errorf("verdict %+v, damage %+v", r.Verdict, r.Coverage.Damage)
			}
		})
	}
}
