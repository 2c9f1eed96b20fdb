package analyzer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/mvcc"
)

// A forgery is a db that no etcd wrote: bbolt wrote it, with records that a test chooses.
type forgery struct {
	records []record
	// freed are main revisions. Their records are deleted in a second transaction, which
	// leaves the leaf pages that held them free, with all that they hold.
	freed  []int64
	others []record // records that stand in the bucket "meta", as none does
	index  uint64   // consistent index
	member uint64   // 0 without one
	// compacted is the revision of the last compaction; 0 without one.
	compacted int64
}

// A record is one of the bucket "key". A create or version of 0 stands for the revision
// and for 1.
type record struct {
	rev, create, version int64
	key                  string
	value                []byte
}

// revision is the key of a record in its bucket.
func revision(main int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(main))
	return append(append(b, '_'), make([]byte, 8)...)
}

// bytes is the file of the db.
func (f forgery) bytes(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(*bbolt.Tx) error{f.write, f.free} {
		if err := db.Update(step); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f forgery) write(tx *bbolt.Tx) error {
	buckets := map[string]*bbolt.Bucket{}
	for _, name := range []string{mvcc.BucketKey, "meta", "members"} {
		b, err := tx.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		b.FillPercent = 0.9
		buckets[name] = b
	}
	put := func(bucket string, r record) error {
		kv := &mvccpb.KeyValue{Key: []byte(r.key), Value: r.value, ModRevision: r.rev,
			CreateRevision: r.create, Version: max(r.version, 1)}
		if r.create == 0 {
			kv.CreateRevision = r.rev
		}
		b, err := proto.Marshal(kv)
		if err != nil {
			return err
		}
		return buckets[bucket].Put(revision(r.rev), b)
	}
	for _, r := range f.records {
		if err := put(mvcc.BucketKey, r); err != nil {
			return err
		}
	}
	for _, r := range f.others {
		if err := put("meta", r); err != nil {
			return err
		}
	}
	if f.member != 0 {
		name := fmt.Sprintf("%016x", f.member)
		member := fmt.Sprintf(`{"id":%d,"peerURLs":["http://127.0.0.1:2380"],"name":"m"}`, f.member)
		if err := buckets["members"].Put([]byte(name), []byte(member)); err != nil {
			return err
		}
	}
	if f.compacted > 0 {
		for _, name := range []string{"scheduledCompactRev", "finishedCompactRev"} {
			if err := buckets["meta"].Put([]byte(name), revision(f.compacted)); err != nil {
				return err
			}
		}
	}
	for name, n := range map[string]uint64{"consistent_index": f.index, "term": 1} {
		if err := buckets["meta"].Put([]byte(name), binary.BigEndian.AppendUint64(nil, n)); err != nil {
			return err
		}
	}
	return nil
}

func (f forgery) free(tx *bbolt.Tx) error {
	for _, rev := range f.freed {
		if err := tx.Bucket([]byte(mvcc.BucketKey)).Delete(revision(rev)); err != nil {
			return err
		}
	}
	return nil
}

// source is the db as a Source.
func (f forgery) source(t *testing.T) evidence.Source {
	t.Helper()
	return inMemory(f.bytes(t))
}

// withLog makes a db and a WAL those of one member.
func withLog(db, log evidence.Source) []evidence.Source {
	db.Kind, db.Member, log.Member = report.KindDB, "member", "member"
	return []evidence.Source{db, log}
}

// laterLog is logOf for a segment that is not the first of its WAL: its first entry, whose
// index is in its name, need not be the first of all.
func laterLog(t *testing.T, commit uint64, entries ...[3]string) evidence.Source {
	t.Helper()
	size := wal.SegmentSizeBytes
	wal.SegmentSizeBytes = 64 << 10
	defer func() { wal.SegmentSizeBytes = size }()
	var first uint64
	if _, err := fmt.Sscan(entries[0][0], &first); err != nil {
		t.Fatal(err)
	}
	s := logOf(t, commit, entries...)
	s.Name = fmt.Sprintf("%016x-%016x.wal", 1, first)
	s.Path = report.Text(s.Name)
	return s
}

// secretKey is the etcd key of the Secret s-N of the namespace default.
func secretKey(n int) string { return fmt.Sprintf("/registry/secrets/default/s-%d", n) }

// noise is n bytes that look random, and are the same for each seed.
func noise(seed string, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte(fmt.Appendf(nil, "%-32.32s", seed))).Read(b) // never fails
	return b
}

// sealed is a value as a provider stores it, such as "aesgcm:v1:key1". Nothing opens it.
func sealed(how, seed string) []byte {
	return append([]byte("k8s:enc:"+how+":"), noise(seed, 96)...)
}

// offsets are where b holds part.
func offsets(b, part []byte) []int {
	var all []int
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], part)
		if i < 0 {
			return all
		}
		at += i
		all = append(all, at)
	}
}

// of are the findings of a rule.
func of(r *allAnswers, rule report.RuleID) []report.Finding {
	var found []report.Finding
	for _, f := range r.Findings {
		if f.Rule == rule {
			found = append(found, f)
		}
	}
	return found
}
