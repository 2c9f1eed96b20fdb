package mvcc

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/pkg/v3/traceutil"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	downgrade "go.etcd.io/etcd/server/v3/etcdserver/version"
	"go.etcd.io/etcd/server/v3/lease"
	"go.etcd.io/etcd/server/v3/lease/leasepb"
	"go.etcd.io/etcd/server/v3/storage/backend"
	etcd "go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"github.com/etcdsift/etcdsift/decode/page"
)

// writeBackend lets etcd's own code write a backend database.
func writeBackend(t *testing.T, write func(*zap.Logger, backend.Backend)) []byte {
	t.Helper()
	lg := zap.NewNop()
	path := filepath.Join(t.TempDir(), "db")
	be := backend.New(backend.BackendConfig{Path: path, Logger: lg, BatchInterval: 1e9, BatchLimit: 10_000, UnsafeNoFsync: true, MmapSize: 1 << 20})
	write(lg, be)
	be.ForceCommit()
	if err := be.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readBackend reads what etcd wrote: its state, and the records of its keys.
func readBackend(t *testing.T, b []byte) (state State, records []Record) {
	t.Helper()
	f, err := page.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	tree := f.Walk(page.Branches)
	for p, err := range f.Sweep(tree, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Use != page.Leaf {
			continue
		}
		for e, err := range p.LeafElements() {
			if err != nil {
				t.Fatal(err)
			}
			switch bucket := tree.BucketPath(p.Bucket); {
			case e.IsBucket():
			case bucket != BucketKey:
				if err := state.Add(bucket, e.Key, e.Value, e.ValueOff()); err != nil {
					t.Error(err)
				}
				if !IsStateOf(bucket, e.Key, e.Value) || !IsState(e.Key, e.Value) {
					t.Errorf("bucket %s, key %q: etcd wrote the value, and it does not have the bucket's form", bucket, e.Key)
				}
			default:
				r, err := ParseRecord(e.Key, e.Value, e.Off)
				if err != nil {
					t.Error(err)
				}
				if !bytes.Equal(b[r.ValueOff:r.ValueOff+int64(len(r.Value))], r.Value) {
					t.Errorf("revision %v: the value is not at offset %#x", r.Revision, r.ValueOff)
				}
				r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
				r.ValueOff, r.KeyValue.ValueOff = 0, 0
				records = append(records, r)
			}
		}
	}
	if tree.Damage != nil || tree.Deeper {
		t.Errorf("damage %v, deeper %t", tree.Damage, tree.Deeper)
	}
	state.Sort()
	return state, records
}

// What etcd's schema package writes is what State says.
func TestStateOfEtcd(t *testing.T) {
	b := writeBackend(t, func(lg *zap.Logger, be backend.Backend) {
		writeMeta(lg, be)
		writeMembership(lg, be)
		writeAuth(lg, be)
		alarms := schema.NewAlarmBackend(lg, be)
		alarms.CreateAlarmBucket()
		alarms.MustPutAlarm(&etcdserverpb.AlarmMember{MemberID: 0xB0B, Alarm: etcdserverpb.AlarmType_NOSPACE})
		alarms.MustPutAlarm(&etcdserverpb.AlarmMember{MemberID: 0xA11CE, Alarm: etcdserverpb.AlarmType_CORRUPT})
		alarms.MustPutAlarm(&etcdserverpb.AlarmMember{MemberID: 0xA11CE})
	})
	got, records := readBackend(t, b)
	want := State{
		ConsistentIndex:     812_345,
		Term:                6,
		FinishedCompactRev:  400,
		ScheduledCompactRev: 500,
		StorageVersion:      "3.6.0",
		Voters:              []MemberID{0xA11CE, 1<<64 - 2},
		Learners:            []MemberID{0xB0B},
		ClusterVersion:      "3.7.0",
		DowngradeTarget:     "3.6.0",
		Members: []Member{
			{ID: 0xB0B, Name: "bob", PeerURLs: []string{"https://b:2380"}, IsLearner: true},
			{ID: 0xA11CE, Name: "alice", PeerURLs: []string{"https://a:2380", "https://a2:2380"}, ClientURLs: []string{"https://a:2379"}},
		},
		RemovedMembers: []MemberID{0xDEAD},
		AuthEnabled:    true,
		AuthRevision:   17,
		Users:          []string{"operator", "root"},
		Roles:          []string{"reader", "root"},
		Alarms:         []Alarm{{0xB0B, "NOSPACE"}, {0xA11CE, "0"}, {0xA11CE, "CORRUPT"}},
		Leases:         2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if records != nil {
		t.Errorf("%d records", len(records))
	}
}

func writeMeta(lg *zap.Logger, be backend.Backend) {
	tx := be.BatchTx()
	schema.CreateMetaBucket(tx)
	tx.LockOutsideApply()
	defer tx.Unlock()
	schema.UnsafeUpdateConsistentIndex(tx, 812_345, 6)
	schema.MustUnsafeSaveConfStateToBackend(lg, tx, &raftpb.ConfState{Voters: []uint64{0xA11CE, 1<<64 - 2}, Learners: []uint64{0xB0B}})
	schema.UnsafeSetStorageVersion(tx, &version.V3_6)
	etcd.UnsafeSetScheduledCompact(tx, 500)
	etcd.UnsafeSetFinishedCompact(tx, 400)
	schema.UnsafeCreateLeaseBucket(tx)
	for _, id := range []int64{-5, 7, 1 << 40} {
		schema.MustUnsafePutLease(tx, &leasepb.Lease{ID: id, TTL: 60})
	}
	schema.UnsafeDeleteLease(tx, &leasepb.Lease{ID: 7})
}

func writeMembership(lg *zap.Logger, be backend.Backend) {
	members := schema.NewMembershipBackend(lg, be)
	members.MustCreateBackendBuckets()
	members.MustSaveMemberToBackend(&membership.Member{ID: 0xA11CE,
		RaftAttributes: membership.RaftAttributes{PeerURLs: []string{"https://a:2380", "https://a2:2380"}},
		Attributes:     membership.Attributes{Name: "alice", ClientURLs: []string{"https://a:2379"}}})
	members.MustSaveMemberToBackend(&membership.Member{ID: 0xB0B,
		RaftAttributes: membership.RaftAttributes{PeerURLs: []string{"https://b:2380"}, IsLearner: true},
		Attributes:     membership.Attributes{Name: "bob"}})
	members.MustSaveMemberToBackend(&membership.Member{ID: 0xDEAD})
	members.MustDeleteMemberFromBackend(0xDEAD)
	members.MustSaveClusterVersionToBackend(&version.V3_7)
	members.MustSaveDowngradeToBackend(&downgrade.DowngradeInfo{TargetVersion: "3.6.0", Enabled: true})
}

func writeAuth(lg *zap.Logger, be backend.Backend) {
	auth := schema.NewAuthBackend(lg, be)
	auth.CreateAuthBuckets()
	tx := auth.BatchTx()
	tx.Lock()
	defer tx.Unlock()
	tx.UnsafeSaveAuthEnabled(true)
	tx.UnsafeSaveAuthRevision(17)
	for _, name := range []string{"root", "operator"} {
		tx.UnsafePutUser(&authpb.User{Name: []byte(name), Password: []byte("$2a$10$" + strings.Repeat("x", 53)), Roles: []string{"root"},
			Options: &authpb.UserAddOptions{NoPassword: true}})
	}
	for _, name := range []string{"root", "reader"} {
		tx.UnsafePutRole(&authpb.Role{Name: []byte(name), KeyPermission: []*authpb.Permission{
			{PermType: authpb.READWRITE, Key: []byte("/registry/"), RangeEnd: []byte("/registry0")},
			{PermType: authpb.READ, Key: []byte("a"), RangeEnd: []byte{0}},
		}})
	}
}

// What etcd's store writes is what ParseRecord says, before and after compaction.
func TestRecordsOfEtcd(t *testing.T) {
	large := bytes.Repeat([]byte("v"), 100_000)
	write := func(compact int64) []byte {
		return writeBackend(t, func(lg *zap.Logger, be backend.Backend) {
			schema.CreateMetaBucket(be.BatchTx())
			s := etcd.NewStore(lg, be, &lease.FakeLessor{}, etcd.StoreConfig{})
			s.Put([]byte("a"), []byte("1"), lease.NoLease)
			s.Put([]byte("a"), large, 99)
			s.DeleteRange([]byte("a"), nil)
			both := s.Write(traceutil.TODO())
			both.Put([]byte("a"), []byte("again"), lease.NoLease)
			both.Put([]byte("b"), nil, lease.NoLease)
			both.End()
			if compact > 0 {
				done, err := s.Compact(traceutil.TODO(), compact)
				if err != nil {
					t.Fatal(err)
				}
				<-done
			}
			s.Commit()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	all := []Record{
		{Revision: Revision{2, 0}, KeyValue: KeyValue{Key: []byte("a"), CreateRevision: 2, ModRevision: 2, Version: 1, Value: []byte("1")}},
		{Revision: Revision{3, 0}, KeyValue: KeyValue{Key: []byte("a"), CreateRevision: 2, ModRevision: 3, Version: 2, Value: large, Lease: 99}},
		{Revision: Revision{4, 0}, Tombstone: true, KeyValue: KeyValue{Key: []byte("a")}},
		{Revision: Revision{5, 0}, KeyValue: KeyValue{Key: []byte("a"), CreateRevision: 5, ModRevision: 5, Version: 1, Value: []byte("again")}},
		{Revision: Revision{5, 1}, KeyValue: KeyValue{Key: []byte("b"), CreateRevision: 5, ModRevision: 5, Version: 1}},
	}
	cases := []struct {
		name    string
		compact int64
		want    []Record
	}{
		{"no compaction", 0, all},
		{"superseded revision", 3, all[1:]},
		{"tombstone at the compact revision stays", 4, all[2:]},
		{"tombstone before it goes", 5, all[3:]},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			state, got := readBackend(t, write(c.compact))
			// They come in file order, and commits choose the pages.
			slices.SortFunc(got, func(a, b Record) int { return a.Revision.Compare(b.Revision) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			want := State{FinishedCompactRev: c.compact, ScheduledCompactRev: c.compact}
			if diff := cmp.Diff(want, state); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}
