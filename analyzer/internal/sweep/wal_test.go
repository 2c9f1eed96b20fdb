package sweep

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/wal"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// logSources are the segments of a log as Sources.
func logSources(t *testing.T, log forged.Log) (sources []evidence.Source) {
	t.Helper()
	for _, s := range log.Segments(t) {
		sources = append(sources, evidence.Source{
			Path: report.Text(s.Name), Name: s.Name, Kind: report.KindWAL, File: strings.NewReader(string(s.Data)), Size: int64(len(s.Data)),
		})
	}
	return sources
}

// What the log says is committed, and what stands at its end, is replayed onto the db from its
// consistent index on. Each put of a plaintext Secret is a copy, whatever became of it.
func TestWAL(t *testing.T) {
	one, two, three := secret(t, 1), secret(t, 2), secret(t, 3)
	put := func(index, term, commit uint64, n int, value []byte) forged.Entry {
		return forged.Entry{Index: index, Term: term, Commit: commit, Request: forged.Put(forged.SecretKey(n), value)}
	}
	remove := func(index, term, commit uint64, n int) forged.Entry {
		return forged.Entry{Index: index, Term: term, Commit: commit, Request: forged.Delete(forged.SecretKey(n))}
	}
	db := &forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: one}}, Index: 2}
	tests := []struct {
		name   string
		db     *forged.DB // nil for a log alone
		log    []forged.Entry
		keys   []string
		copies []string
		hole   bool // entries are missing between db and log
	}{
		{"a log alone tells no revision", nil, []forged.Entry{put(1, 1, 1, 1, one), put(2, 1, 2, 2, two), remove(3, 1, 3, 2)},
			[]string{"s-1 at 0", "s-2 at 0, deleted"}, []string{"s-1 at 0: WAL", "s-2 at 0: WAL"}, false},
		{"what the db has is not replayed", db, []forged.Entry{put(1, 1, 1, 2, two), put(2, 1, 2, 3, three)},
			[]string{"s-1 at 5"}, []string{"s-1 at 5: tree", "s-2 at 0: WAL", "s-3 at 0: WAL"}, false},
		{"what it does not have is", db, []forged.Entry{put(2, 1, 2, 2, two), put(3, 1, 3, 1, three), put(4, 1, 4, 3, three)},
			[]string{"s-1 at 6", "s-3 at 7"}, []string{"s-1 at 5: tree", "s-1 at 6: WAL", "s-2 at 0: WAL", "s-3 at 7: WAL"}, false},
		{"also at the end of the log", db, []forged.Entry{put(2, 1, 2, 2, two), put(3, 1, 2, 1, three)},
			[]string{"s-1 at 6"}, []string{"s-1 at 5: tree", "s-1 at 6: WAL", "s-2 at 0: WAL"}, false},
		{"a deletion", db, []forged.Entry{put(2, 1, 2, 2, two), remove(3, 1, 3, 1)},
			[]string{"s-1 at 6, deleted"}, []string{"s-1 at 5: tree", "s-2 at 0: WAL"}, false},
		{"an entry that a later leader replaced", db, []forged.Entry{put(2, 1, 2, 2, two), put(3, 1, 2, 3, three), put(3, 2, 2, 1, three)},
			[]string{"s-1 at 6"}, []string{"s-1 at 5: tree", "s-1 at 6: WAL", "s-2 at 0: WAL", "s-3 at 0: WAL, void"}, false},
		{"a hole behind the db", db, []forged.Entry{put(5, 1, 5, 2, two)},
			[]string{"s-1 at 5", "s-2 at 6"}, []string{"s-1 at 5: tree", "s-2 at 6: WAL"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := newEvidence(nil)
			ev.File = nil
			if tt.db != nil {
				ev = sweepDB(t, tt.db.Bytes(t))
			}
			sources := logSources(t, forged.Log{Entries: tt.log})
			if first := tt.log[0].Index; first > 1 { // the log goes on from one that is gone
				sources[0].Name = wal.Name{Seq: 1, Index: wal.Index(first)}.String()
			}
			if err := WAL(t.Context(), ev, sources, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.keys, keysOf(ev)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.copies, copiesOf(ev)); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
			hole := slices.ContainsFunc(ev.NotExamined, func(n report.NotExamined) bool { return strings.HasPrefix(n.What, "raft entries ") })
			if hole != tt.hole || len(ev.Damage) > 0 {
				t.Errorf("not examined: %+v; damage %s", ev.NotExamined, damageOf(ev))
			}
		})
	}
}

// Segments are read in the order of their names, in whatever order they come.
func TestWALOrder(t *testing.T) {
	var log forged.Log
	log.SegmentSize = 4 << 10
	for i := range uint64(60) {
		log.Entries = append(log.Entries, forged.Entry{Index: i + 1, Term: 1, Commit: i + 1, Request: forged.Put(forged.SecretKey(int(i%3)), secret(t, int(i)))})
	}
	sources := logSources(t, log)
	if len(sources) < 3 {
		t.Fatalf("%d segments", len(sources))
	}
	slices.Reverse(sources)
	ev := seen.New(evidence.Source{Path: "wal"}, newEvidence(nil).Interest)
	if err := WAL(t.Context(), ev, sources, nil); err != nil {
		t.Fatal(err)
	}
	if len(ev.Damage) > 0 || ev.Keys.Entries.Len() != 3 || ev.Copies.Len() != 60 || ev.Commit != 60 {
		t.Errorf("%d keys, %d copies, commit %d, damage %s", ev.Keys.Entries.Len(), ev.Copies.Len(), ev.Commit, damageOf(ev))
	}
	for i, s := range ev.Segments {
		if got := s.Facts.WAL.Sequence; got != uint64(i) {
			t.Errorf("segment %d is the %dth", got, i)
		}
	}
}

// frameAt is the nth record of a kind in a segment, counted from 0.
func frameAt(t *testing.T, data []byte, kind wal.Kind, n int) []byte {
	t.Helper()
	for r, err := range wal.Read(bytes.NewReader(data), int64(len(data)), nil, nil) {
		if err != nil || r.Kind != kind {
			continue
		}
		if n--; n < 0 {
			return data[r.Off : r.Off+r.Len]
		}
	}
	t.Fatalf("too few records of kind %v", kind)
	return nil
}

// Where the CRC of a frame is wrong, etcd refuses the log. The plaintext in it is a copy, and nothing else
// that it says counts: no key, no index, no commit, no writer. What follows is replayed, though its conditions
// may be about a revision that nobody knows any more.
func TestRefusedFrames(t *testing.T) {
	one, two, three := secret(t, 1), secret(t, 2), secret(t, 3)
	put := func(index, commit uint64, n int, value []byte) forged.Entry {
		return forged.Entry{Index: index, Term: 1, Commit: commit, Request: forged.Put(forged.SecretKey(n), value)}
	}
	update := func(index uint64, n int, rev int64, value []byte) forged.Entry {
		key := []byte(forged.SecretKey(n))
		return forged.Entry{Index: index, Term: 1, Commit: index, Request: &pb.InternalRaftRequest{ID: 1, Txn: &pb.TxnRequest{
			Compare: []*pb.Compare{{Target: pb.Compare_MOD, Key: key, TargetUnion: &pb.Compare_ModRevision{ModRevision: rev}}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}},
		}}}
	}
	replace := func(frame []byte, old, new string) {
		t.Helper()
		if n := bytes.Count(frame, []byte(old)); n == 0 || len(old) != len(new) {
			t.Fatalf("%q stands %d times in the frame", old, n)
		}
		copy(frame, bytes.ReplaceAll(frame, []byte(old), []byte(new)))
	}
	db := &forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: one}}, Index: 2}
	plain := []forged.Entry{put(1, 1, 1, one), put(2, 2, 2, two), put(3, 3, 3, three)}
	tests := []struct {
		name   string
		db     *forged.DB // nil for a log alone
		log    []forged.Entry
		wreck  func(b []byte)
		keys   []string
		copies []string
	}{
		{"a letter of a key", nil, plain, func(b []byte) { replace(frameAt(t, b, wal.KindEntry, 1), "/s-2", "/s-9") },
			[]string{"s-1 at 0", "s-3 at 0"}, []string{"s-1 at 0: WAL", "s-3 at 0: WAL", "s-9 at 0: WAL"}},
		{"a low index, which would replace what stands before it", nil, plain,
			func(b []byte) { replace(frameAt(t, b, wal.KindEntry, 2), "\x18\x03\x22", "\x18\x01\x22") },
			[]string{"s-1 at 0", "s-2 at 0"}, []string{"s-1 at 0: WAL", "s-2 at 0: WAL", "s-3 at 0: WAL"}},
		{"a commit, which would apply what is replaced later", db,
			[]forged.Entry{put(2, 2, 2, two), put(3, 2, 1, three), {Index: 3, Term: 2, Commit: 2, Request: forged.Put(forged.SecretKey(3), three)}},
			func(b []byte) { replace(frameAt(t, b, wal.KindState, 1), "\x18\x02", "\x18\x7f") },
			[]string{"s-1 at 5", "s-3 at 6"}, []string{"s-1 at 0: WAL, void", "s-1 at 5: tree", "s-2 at 0: WAL", "s-3 at 6: WAL"}},
		{"the writer of the log", nil, plain, func(b []byte) { replace(frameAt(t, b, wal.KindMetadata, 0), "\x08\x07", "\x08\x08") },
			[]string{"s-1 at 0", "s-2 at 0", "s-3 at 0"}, []string{"s-1 at 0: WAL", "s-2 at 0: WAL", "s-3 at 0: WAL"}},
		{"before a condition on the revision after it", db, []forged.Entry{put(2, 2, 2, two), put(3, 3, 2, two), put(4, 4, 3, one), update(5, 3, 7, three)},
			func(b []byte) { replace(frameAt(t, b, wal.KindEntry, 1), "/s-2", "/s-9") },
			[]string{"s-1 at 5", "s-3 at 7"}, []string{"s-1 at 5: tree", "s-2 at 0: WAL", "s-3 at 6: WAL", "s-3 at 7: WAL", "s-9 at 0: WAL"}},
		{"an entry that the db has", db, []forged.Entry{put(1, 1, 2, two), put(2, 2, 2, two), put(3, 3, 3, one), update(4, 3, 9, three)},
			func(b []byte) { replace(frameAt(t, b, wal.KindEntry, 1), "/s-2", "/s-9") },
			[]string{"s-1 at 5", "s-3 at 6"}, []string{"s-1 at 5: tree", "s-2 at 0: WAL", "s-3 at 0: WAL, void", "s-3 at 6: WAL", "s-9 at 0: WAL"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := newEvidence(nil)
			ev.File = nil
			if tt.db != nil {
				ev = sweepDB(t, tt.db.Bytes(t))
			}
			segment := forged.Log{Entries: tt.log}.Segments(t)[0]
			tt.wreck(segment.Data)
			source := evidence.Source{
				Path: "log", Name: wal.Name{Index: wal.Index(tt.log[0].Index)}.String(), Kind: report.KindWAL,
				File: bytes.NewReader(segment.Data), Size: int64(len(segment.Data)),
			}
			if err := WAL(t.Context(), ev, []evidence.Source{source}, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.keys, keysOf(ev)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.copies, copiesOf(ev)); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
			if got := damageOf(ev); !strings.Contains(got, "record of ") || strings.Contains(got, "of member") {
				t.Errorf("damage %s", got)
			}
			if len(ev.NotExamined) > 0 {
				t.Errorf("not examined: %+v", ev.NotExamined)
			}
		})
	}
}
