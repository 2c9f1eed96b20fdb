package evidence

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// boltDB is a db with these buckets, and a key in each.
func boltDB(t *testing.T, buckets ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range buckets {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte(name))
			if err == nil {
				err = b.Put([]byte("a"), []byte("b"))
			}
			return err
		})
		if err != nil {
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

func foreignIn(b []byte) string {
	s := Source{Kind: report.KindDB, File: bytes.NewReader(b), Size: int64(len(b))}
	return s.foreign()
}

func TestForeign(t *testing.T) {
	var many []string
	for i := range 200 {
		many = append(many, strings.Repeat("m", 100)+string(rune('a'+i%26))+strings.Repeat("x", i))
	}
	for _, c := range []struct {
		name    string
		buckets []string
		want    string
	}{
		{"an etcd's", []string{"key", "meta", "members"}, ""},
		{"an etcd's without its keys", []string{"meta", "members"}, ""},
		{"never used", nil, "a bbolt db without any bucket yet: never used"},
		{"Vault's", []string{"data", "config"}, "a bbolt db, but not etcd's: buckets config, data"},
		{"containerd's", []string{"v1"}, "a bbolt db, but not etcd's: bucket v1"},
		{"with odd names", []string{"a\x1b[31m\n", "\"b"}, `a bbolt db, but not etcd's: buckets \"b, a\x1b[31m\n`},
	} {
		if got := foreignIn(boltDB(t, c.buckets...)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := foreignIn(boltDB(t, many...)); len(got) > 600 || !strings.HasSuffix(got, " and 192 more") {
		t.Errorf("200 buckets: %q", got)
	}
}

// No damage makes a db of an etcd foreign: each byte of the metas and of the bucket of buckets is
// broken, in both metas at once, and other pages stand in its place.
func TestDamageIsNotForeign(t *testing.T) {
	db := boltDB(t, "alarm", "key", "meta", "members")
	const pageSize = 4096
	root := int(binary.LittleEndian.Uint64(db[16+16:]))
	if newer := binary.LittleEndian.Uint64(db[pageSize+16+48:]); newer > binary.LittleEndian.Uint64(db[16+48:]) {
		root = int(binary.LittleEndian.Uint64(db[pageSize+16+16:]))
	}
	for at := range 600 {
		for _, bit := range []byte{1, 0x80, 0xff} {
			broken := slices.Clone(db)
			broken[at%80] ^= bit
			broken[pageSize+at%80] ^= bit
			if got := foreignIn(broken); got != "" {
				t.Errorf("byte %d of the metas: %q", at%80, got)
			}
			broken = slices.Clone(db)
			broken[root*pageSize+at] ^= bit
			if got := foreignIn(broken); got != "" {
				t.Errorf("byte %d of the bucket of buckets: %q", at, got)
			}
		}
	}
	for other := 0; (other+1)*pageSize <= len(db); other++ {
		for _, header := range []bool{false, true} {
			broken := slices.Clone(db)
			copy(broken[root*pageSize:(root+1)*pageSize], db[other*pageSize:])
			if header {
				binary.LittleEndian.PutUint64(broken[root*pageSize:], uint64(root))
			}
			if got := foreignIn(broken); got != "" {
				t.Errorf("page %d instead of the bucket of buckets: %q", other, got)
			}
		}
	}
}
