package sweep

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/pkg/v3/traceutil"
	"go.etcd.io/etcd/server/v3/etcdserver/txn"
	"go.etcd.io/etcd/server/v3/lease"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// An etcdStore is etcd's mvcc store and lessor, and etcd's own code applies requests to them. It
// is what replay is held against.
type etcdStore struct {
	kv     mvcc.WatchableKV
	lessor lease.Lessor
	be     backend.Backend
}

// withStore calls f with an empty store.
func withStore(dir string, f func(*etcdStore)) {
	config := backend.DefaultBackendConfig(zap.NewNop())
	config.Path, config.UnsafeNoFsync, config.BatchInterval = filepath.Join(dir, "db"), true, time.Hour
	config.MmapSize = 1 << 20
	s := &etcdStore{be: backend.New(config)}
	schema.CreateMetaBucket(s.be.BatchTx())
	s.lessor = lease.NewLessor(zap.NewNop(), s.be, nil, lease.LessorConfig{MinLeaseTTL: 3600})
	s.kv = mvcc.New(zap.NewNop(), s.be, s.lessor, mvcc.StoreConfig{})
	s.lessor.SetRangeDeleter(func() lease.TxnDelete { return s.kv.Write(traceutil.TODO()) })
	f(s)
	s.lessor.Stop()
	_ = s.kv.Close()
	_ = s.be.Close()
	_ = os.Remove(config.Path)
}

// apply applies a request as the entry at index. The errors are those that etcd sends to the client.
//
// Source: applierV3backend in etcdserver/apply/backend.go.
func (s *etcdStore) apply(t *rapid.T, index uint64, r *pb.InternalRaftRequest) {
	ctx, lg := t.Context(), zap.NewNop()
	switch {
	case r.Put != nil:
		_, _, _ = txn.Put(ctx, lg, s.lessor, s.kv, r.Put)
	case r.DeleteRange != nil:
		_, _, _ = txn.DeleteRange(ctx, lg, s.kv, r.DeleteRange)
	case r.Txn != nil:
		_, _, _ = txn.Txn(ctx, lg, r.Txn, true, s.kv, s.lessor, false)
	case r.LeaseGrant != nil:
		_, _ = s.lessor.Grant(lease.LeaseID(r.LeaseGrant.ID), r.LeaseGrant.TTL)
	case r.LeaseRevoke != nil:
		_ = s.lessor.Revoke(lease.LeaseID(r.LeaseRevoke.ID))
	}
	tx := s.be.BatchTx()
	tx.LockOutsideApply()
	schema.UnsafeUpdateConsistentIndexForce(tx, index, 1)
	tx.Unlock()
}

// file is the db file as it is now.
func (s *etcdStore) file(t *rapid.T) []byte {
	s.kv.Commit()
	var b bytes.Buffer
	snapshot := s.be.Snapshot()
	_, err := snapshot.WriteTo(&b)
	if err := cmpOr(err, snapshot.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// The keys and leases of the requests: few, so that requests meet.
var (
	replayKeys   = []string{"/a", "/b", "/c", "/d", "/e", "/f"}
	replayLeases = []int64{71, 72, 73}
)

// drawRequest draws a request as the client API lets it through: no branch of a transaction writes a key
// twice.
func drawRequest(t *rapid.T) *pb.InternalRaftRequest {
	leases := rapid.SampledFrom(replayLeases)
	switch rapid.SampledFrom([]string{"put", "put", "delete", "txn", "txn", "grant", "revoke"}).Draw(t, "request") {
	case "put":
		return &pb.InternalRaftRequest{Put: drawPut(t, rapid.SampledFrom(replayKeys).Draw(t, "key"))}
	case "delete":
		r := &pb.DeleteRangeRequest{Key: []byte(rapid.SampledFrom(replayKeys).Draw(t, "key"))}
		r.RangeEnd = drawEnd(t)
		return &pb.InternalRaftRequest{DeleteRange: r}
	case "txn":
		keys := rapid.Permutation(replayKeys).Draw(t, "keys")
		return &pb.InternalRaftRequest{Txn: drawTxn(t, &keys, 2)}
	case "grant":
		return &pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{ID: leases.Draw(t, "lease"), TTL: 3600}}
	}
	return &pb.InternalRaftRequest{LeaseRevoke: &pb.LeaseRevokeRequest{ID: leases.Draw(t, "lease")}}
}

func drawPut(t *rapid.T, key string) *pb.PutRequest {
	p := &pb.PutRequest{Key: []byte(key)}
	if rapid.IntRange(0, 3).Draw(t, "leave the value") == 0 {
		p.IgnoreValue = true
	} else {
		p.Value = []byte(rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "value"))
	}
	switch rapid.SampledFrom([]string{"none", "none", "lease", "leave"}).Draw(t, "leased") {
	case "lease":
		p.Lease = rapid.SampledFrom(replayLeases).Draw(t, "lease")
	case "leave":
		p.IgnoreLease = true
	}
	return p
}

// drawEnd draws the end of a range: mostly none.
func drawEnd(t *rapid.T) []byte {
	switch rapid.IntRange(0, 5).Draw(t, "range") {
	case 0:
		return []byte(rapid.SampledFrom(replayKeys).Draw(t, "end"))
	case 1:
		return []byte{0}
	}
	return nil
}

// drawTxn draws a transaction that writes some of keys, and takes these out.
func drawTxn(t *rapid.T, keys *[]string, depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		r.Compare = append(r.Compare, drawCompare(t))
	}
	for _, branch := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		for range rapid.IntRange(0, 3).Draw(t, "operations") {
			if len(*keys) == 0 {
				break
			}
			kind := rapid.SampledFrom([]string{"put", "put", "delete", "range", "txn"}).Draw(t, "operation")
			if kind == "txn" && depth > 1 {
				*branch = append(*branch, &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: drawTxn(t, keys, depth-1)}})
				continue
			}
			key := (*keys)[0]
			*keys = (*keys)[1:]
			switch kind {
			case "delete":
				d := &pb.DeleteRangeRequest{Key: []byte(key)}
				if rapid.Bool().Draw(t, "as a range") {
					d.RangeEnd = []byte(key + "\x00")
				}
				*branch = append(*branch, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: d}})
			case "range":
				*branch = append(*branch, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key)}}})
			default:
				*branch = append(*branch, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: drawPut(t, key)}})
			}
		}
	}
	return r
}

func drawCompare(t *rapid.T) *pb.Compare {
	c := &pb.Compare{
		Key: []byte(rapid.SampledFrom(replayKeys).Draw(t, "compared")), RangeEnd: drawEnd(t),
		Target: pb.Compare_CompareTarget(rapid.IntRange(0, 4).Draw(t, "target")),
		Result: pb.Compare_CompareResult(rapid.IntRange(0, 3).Draw(t, "result")),
	}
	small := int64(rapid.IntRange(0, 6).Draw(t, "number"))
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: small}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: small}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: small}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: []byte(rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "value"))}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: rapid.SampledFrom([]int64{0, 71, 72, 73}).Draw(t, "lease")}
	}
	return c
}

// keyspaceOf is all that is known of each key, with its value.
func keyspaceOf(t *rapid.T, ev *seen.Evidence) map[string]string {
	keys := map[string]string{}
	for _, e := range ev.Keys.All() {
		line := fmt.Sprintf("%d_%d created %d version %d lease %d deleted %v", e.Rev.Main, e.Rev.Sub, e.Create, e.Version, e.Lease, e.Deleted)
		if !e.Deleted {
			value, err := ev.ReadValue(e)
			if err != nil {
				t.Fatal(err)
			}
			line += ": " + string(value)
		}
		keys[e.Key] = line
	}
	return keys
}

// Whatever the log asks for, a db and its log hold what etcd makes of them: the keyspace is that of
// the store to which etcd itself applied all of the log.
func TestReplayAsEtcd(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		var requests []*pb.InternalRaftRequest
		for _, id := range replayLeases { // a log tells only of the end of a lease that it has seen
			requests = append(requests, &pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{ID: id, TTL: 3600}})
		}
		for range rapid.IntRange(1, 25).Draw(rt, "requests") {
			requests = append(requests, drawRequest(rt))
		}
		has := rapid.IntRange(0, len(requests)).Draw(rt, "entries that the db has")
		var log forged.Log
		var before, after []byte
		withStore(dir, func(s *etcdStore) {
			for i, r := range requests {
				if i == has {
					before = s.file(rt)
				}
				index := uint64(i + 1)
				s.apply(rt, index, r)
				log.Entries = append(log.Entries, forged.Entry{Index: index, Term: 1, Commit: index, Request: r})
			}
			after = s.file(rt)
			if has == len(requests) {
				before = after
			}
		})
		ev, want := sweepDB(t, before), sweepDB(t, after)
		if err := WAL(t.Context(), ev, logSources(t, log), nil); err != nil {
			rt.Fatal(err)
		}
		if len(ev.Damage) > 0 {
			rt.Fatalf("damage: %s", damageOf(ev))
		}
		if diff := cmp.Diff(keyspaceOf(rt, want), keyspaceOf(rt, ev)); diff != "" {
			rt.Errorf("the db has %d entries of %d (-etcd +replay):\n%s\n%s", has, len(requests), diff, requestLines(requests[min(3, len(requests)):]))
		}
	})
}

func requestLines(requests []*pb.InternalRaftRequest) (lines string) {
	for _, r := range requests {
		lines += r.String() + "\n"
	}
	return lines
}
