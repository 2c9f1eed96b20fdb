package analyzer

import (
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/lease"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.uber.org/zap"

	"github.com/etcdsift/etcdsift/fixtures"
)

// An etcd that was killed within a compaction starts again at the revision that it was to
// compact, where that is higher than any that is left.
func TestRevisionOfScheduledCompaction(t *testing.T) {
	scenario, err := fixtures.Lookup("deleted")
	if err != nil {
		t.Fatal(err)
	}
	e := build(t, scenario)
	b, err := os.ReadFile(e.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b[:len(b)-len(b)%512], 0o600); err != nil {
		t.Fatal(err)
	}
	config := backend.DefaultBackendConfig(zap.NewNop())
	config.Path = path
	be := backend.New(config)
	scheduled := e.Answer.Revision + 3
	tx := be.BatchTx()
	tx.Lock()
	mvcc.UnsafeSetScheduledCompact(tx, scheduled)
	tx.Unlock()
	be.ForceCommit()
	if b, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	store := mvcc.NewStore(zap.NewNop(), be, &lease.FakeLessor{}, mvcc.StoreConfig{})
	want := store.Rev()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_ = be.Close()
	r, _ := run(t, Options{}, inMemory(b))
	if got := r.Evidence[0].Revision; got != want || got != scheduled {
		t.Errorf("revision %d, etcd starts at %d", got, want)
	}
}
