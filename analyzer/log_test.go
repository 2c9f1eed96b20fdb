package analyzer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// logOf writes entries with etcd's own code, each an index and what it puts under
// /registry/secrets/default/NAME, with the given commit index, and opens the segment.
func logOf(t *testing.T, commit uint64, entries ...[3]string) evidence.Source {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wal")
	metadata, err := proto.Marshal(&pb.Metadata{NodeID: proto.Uint64(7), ClusterID: proto.Uint64(9)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := wal.Create(zap.NewNop(), dir, metadata)
	if err != nil {
		t.Fatal(err)
	}
	w.SetUnsafeNoFsync()
	for term, e := range entries {
		var index uint64
		if _, err := fmt.Sscan(e[0], &index); err != nil {
			t.Fatal(err)
		}
		r := &pb.InternalRaftRequest{ID: 1, Put: &pb.PutRequest{Key: []byte("/registry/secrets/default/" + e[1]), Value: []byte(e[2])}}
		if e[2] == "" {
			r = &pb.InternalRaftRequest{ID: 1, DeleteRange: &pb.DeleteRangeRequest{Key: []byte("/registry/secrets/default/" + e[1])}}
		}
		data, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		state := &raftpb.HardState{Term: proto.Uint64(uint64(term + 1)), Vote: proto.Uint64(7), Commit: proto.Uint64(min(commit, index-1))}
		entry := &raftpb.Entry{Term: proto.Uint64(uint64(term + 1)), Index: proto.Uint64(index), Data: data}
		if err := w.Save(state, []*raftpb.Entry{entry}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const name = "0000000000000000-0000000000000000.wal"
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Source{Path: name, Name: name, Kind: report.KindWAL, File: bytes.NewReader(b), Size: int64(len(b))}
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
