package sweep

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/server/v3/lease"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.uber.org/zap"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// What the tree says of keys goes into the keyspace, and the plaintext of Secrets among the
// copies, wherever in the db it lies. The leaves of the first transaction are free, with all
// that they held, where a second one deleted a record.
func TestDB(t *testing.T) {
	one, two := secret(t, 1), secret(t, 2)
	sealed := forged.Sealed("aescbc:v1:key1", "sealed")
	pod := forged.Record{Rev: 4, Key: "/registry/pods/default/p", Value: []byte("k8s\x00 no object")}
	tests := []struct {
		name   string
		db     forged.DB
		keys   []string
		copies []string
		damage string
	}{
		{"one revision", forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: one}}},
			[]string{"s-1 at 5"}, []string{"s-1 at 5: tree"}, ""},
		{"the newest revision counts, and each is a copy", forged.DB{Records: []forged.Record{
			{Rev: 5, Key: forged.SecretKey(1), Value: one}, {Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: two}}},
			[]string{"s-1 at 6"}, []string{"s-1 at 5: tree", "s-1 at 6: tree"}, ""},
		{"an encrypted value is no copy", forged.DB{Records: []forged.Record{
			{Rev: 5, Key: forged.SecretKey(1), Value: one}, {Rev: 6, Create: 5, Version: 2, Key: forged.SecretKey(1), Value: sealed}}},
			[]string{"s-1 at 6"}, []string{"s-1 at 5: tree"}, ""},
		{"nor is a value of another resource", forged.DB{Records: []forged.Record{pod}}, []string{"/registry/pods/default/p at 4"}, []string{}, ""},
		{"but a Secret under its key is", forged.DB{Records: []forged.Record{{Rev: 4, Key: pod.Key, Value: one}}},
			[]string{"/registry/pods/default/p at 4"}, []string{"/registry/pods/default/p at 4: tree"}, ""},
		{"a tombstone", forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: one}, {Rev: 6, Key: forged.SecretKey(1), Tombstone: true}}},
			[]string{"s-1 at 6, deleted"}, []string{"s-1 at 5: tree"}, ""},
		{"a record that was freed is residue, and no key", forged.DB{Records: []forged.Record{
			{Rev: 5, Key: forged.SecretKey(1), Value: one}, {Rev: 6, Key: forged.SecretKey(2), Value: sealed}}, Freed: []int64{5}},
			[]string{"s-2 at 6"}, []string{"s-1 at 5: free page"}, ""},
		{"records in another bucket are damage, and their keys are unknown", forged.DB{Others: []forged.Record{
			{Rev: 5, Key: forged.SecretKey(1), Value: one}, {Rev: 6, Key: forged.SecretKey(2), Value: forged.Envelope("aesgcm:v1:key1", forged.Noise("long", 3000))}}},
			[]string{"s-1 at 5, unknown", "s-2 at 6, unknown"}, []string{"s-1 at 5: free page"}, "which belongs in the bucket key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := sweepDB(t, tt.db.Bytes(t))
			if diff := cmp.Diff(tt.keys, keysOf(ev)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.copies, copiesOf(ev)); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
			if got := damageOf(ev); !strings.Contains(got, tt.damage) || (tt.damage == "") != (got == "") || ev.Lost != (got != "") {
				t.Errorf("damage %q, want %q; lost: %v", got, tt.damage, ev.Lost)
			}
		})
	}
}

// The hash of a file is that of all its bytes, and a snapshot has one behind its db.
func TestDBHash(t *testing.T) {
	db := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: secret(t, 1)}}}.Bytes(t)
	sum := sha256.Sum256(db)
	changed := bytes.Clone(db)
	changed[len(changed)-1]++ // behind the last page in use
	tests := []struct {
		name string
		b    []byte
		kind report.Kind
		want report.SnapshotHash
	}{
		{"a db has none", db, report.KindDB, report.HashAbsent},
		{"a snapshot", append(bytes.Clone(db), sum[:]...), report.KindSnapshot, report.HashValid},
		{"another byte", append(changed, sum[:]...), report.KindSnapshot, report.HashMismatch},
	}
	for _, tt := range tests {
		ev := sweepDB(t, tt.b)
		whole := fmt.Sprintf("%x", sha256.Sum256(tt.b))
		if ev.Facts.Kind != tt.kind || ev.Facts.SnapshotHash != tt.want || ev.BytesRead != int64(len(tt.b)) {
			t.Errorf("%s: %s, %s, %d bytes read", tt.name, ev.Facts.Kind, ev.Facts.SnapshotHash, ev.BytesRead)
		}
		if ev.Facts.SHA256 != whole {
			t.Errorf("%s: SHA-256 %s, want %s", tt.name, ev.Facts.SHA256, whole)
		}
	}
}

// A page of zeros within an encrypted value is damage: no cipher writes it. In a plaintext
// value it may be what was stored.
func TestZeroPageInValue(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value []byte
		want  int // damages
	}{
		{"aesgcm", forged.Envelope("aesgcm:v1:key1", forged.Noise("value", 20_000)), 1},
		{"plaintext", bytes.Repeat([]byte("k8s\x00 no object"), 1500), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := forged.DB{Records: []forged.Record{{Rev: 5, Key: forged.SecretKey(1), Value: tt.value}}, Index: 10}.Bytes(t)
			page := bytes.Index(db, tt.value)/forged.PageSize + 2
			clear(db[page*forged.PageSize:][:forged.PageSize])
			ev := sweepDB(t, db)
			if len(ev.Damage) != tt.want || tt.want > 0 && ev.Damage[0].Offset != int64(page)*forged.PageSize {
				t.Errorf("damage %+v", ev.Damage)
			}
		})
	}
}

// An etcd that was killed within a compaction starts again at the revision that it was to
// compact, where that is higher than any that is left.
func TestRevisionOfScheduledCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := fixtures.OpenStore(path)
	s.Put([]byte(forged.SecretKey(1)), secret(t, 1))
	scheduled := s.Put([]byte(forged.SecretKey(1)), secret(t, 2)) + 3
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	config := backend.DefaultBackendConfig(zap.NewNop())
	config.Path = path
	be := backend.New(config)
	tx := be.BatchTx()
	tx.Lock()
	mvcc.UnsafeSetScheduledCompact(tx, scheduled)
	tx.Unlock()
	be.ForceCommit()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	store := mvcc.NewStore(zap.NewNop(), be, &lease.FakeLessor{}, mvcc.StoreConfig{})
	want := store.Rev()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_ = be.Close()
	if got := sweepDB(t, b).DB.Revision; got != want || got != scheduled {
		t.Errorf("revision %d, etcd starts at %d", got, want)
	}
}
