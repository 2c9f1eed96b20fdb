package analyzer

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/fixtures"
)

// readPaths reads what the paths lead to.
func readPaths(t *testing.T, paths ...string) *allAnswers {
	t.Helper()
	set, err := evidence.Open(paths, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	r, _ := run(t, Options{}, set.Sources...)
	return r
}

// A log that ends before what its db has applied has lost its end. Where a snapshot stands for the
// entries, or where the log is another member's, nothing is missing.
func TestLogEnd(t *testing.T) {
	scenario, err := fixtures.Lookup("deleted")
	if err != nil {
		t.Fatal(err)
	}
	e := build(t, scenario)
	whole := readPaths(t, e.DataDir)
	if len(whole.Coverage.Damage) > 0 {
		t.Fatalf("whole data dir: damage %+v", whole.Coverage.Damage)
	}
	facts := whole.Evidence[1].WAL
	node, err := strconv.ParseUint(facts.NodeID, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := strconv.ParseUint(facts.ClusterID, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	applied := whole.Evidence[0].ConsistentIndex
	if applied == 0 || applied > facts.LastIndex {
		t.Fatalf("the db has applied %d, and the log ends at %d", applied, facts.LastIndex)
	}
	for name, tt := range map[string]struct {
		node     uint64
		snapshot uint64 // index; 0 for none
		entries  int    // behind it
		missing  uint64
	}{
		"snapshot from the leader":        {node, applied, 0, 0},
		"snapshot, and entries behind it": {node, applied - 3, 3, 0},
		"more than the db has":            {node, applied - 3, 7, 0},
		"snapshot before the db":          {node, applied - 3, 0, 3},
		"entries before the db":           {node, applied - 3, 2, 1},
		"no entry at all":                 {node, 0, 0, applied},
		"another member's":                {node + 1, 0, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "member")
			if err := os.CopyFS(filepath.Join(dir, "snap"), os.DirFS(filepath.Join(e.DataDir, "member", "snap"))); err != nil {
				t.Fatal(err)
			}
			writeLog(t, filepath.Join(dir, "wal"), &pb.Metadata{NodeID: &tt.node, ClusterID: &cluster}, tt.snapshot, tt.entries)
			r := readPaths(t, dir)
			var found []string
			for _, d := range r.Coverage.Damage {
				found = append(found, d.What)
			}
			what := strings.Join(found, "; ")
			want := "), " + strconv.FormatUint(tt.missing, 10) + " raft entries: missing"
			if tt.missing == 1 {
				want = "), 1 raft entry: missing"
			}
			if tt.missing > 0 && (len(found) != 1 || !strings.HasSuffix(what, want)) {
				t.Errorf("damage %q, want one that ends in %q", what, want)
			}
			if tt.missing == 0 && what != "" {
				t.Errorf("damage %q", what)
			}
			if clean := r.Verdict.Complete; clean && tt.missing > 0 {
				t.Error("complete, although entries are missing")
			}
		})
	}
}

// writeLog writes a log with etcd's own code: a snapshot record, and entries behind it.
func writeLog(t *testing.T, dir string, m *pb.Metadata, index uint64, entries int) {
	t.Helper()
	metadata, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wal.Create(zap.NewNop(), dir, metadata)
	if err != nil {
		t.Fatal(err)
	}
	w.SetUnsafeNoFsync()
	if index > 0 {
		err := w.SaveSnapshot(&walpb.Snapshot{Index: &index, Term: proto.Uint64(2), ConfState: &raftpb.ConfState{}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range entries {
		index++
		entry := &raftpb.Entry{Term: proto.Uint64(2), Index: proto.Uint64(index)}
		if err := w.Save(&raftpb.HardState{Term: proto.Uint64(2), Commit: proto.Uint64(index)}, []*raftpb.Entry{entry}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// What etcdutl restores from a snapshot has a log that reaches its db, and one that is older than a
// snapshot file beside it says nothing of a lost end.
func TestRestoredLog(t *testing.T) {
	scenario, err := fixtures.Lookup("cluster")
	if err != nil {
		t.Fatal(err)
	}
	e := build(t, scenario)
	for name, bump := range map[string]uint64{"plain": 0, "with a bump": 1000} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "restored")
			err := snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
				SnapshotPath: e.Snapshot, Name: "m1", OutputDataDir: dir, PeerURLs: []string{"http://127.0.0.1:2380"},
				InitialCluster: "m1=http://127.0.0.1:2380", InitialClusterToken: "restored", RevisionBump: bump, MarkCompacted: bump > 0,
			})
			if err != nil {
				t.Fatal(err)
			}
			r := readPaths(t, dir)
			if len(r.Coverage.Damage) > 0 || r.Coverage.WALEntries == 0 {
				t.Errorf("%d entries, damage %+v", r.Coverage.WALEntries, r.Coverage.Damage)
			}
			if r := readPaths(t, e.Snapshot, filepath.Join(dir, "member", "wal")); len(r.Coverage.Damage) > 0 {
				t.Errorf("snapshot and another log: damage %+v", r.Coverage.Damage)
			}
		})
	}
}
