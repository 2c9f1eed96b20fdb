package witness

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/page"
)

// maxLocated bounds the records of one bucket that locate compares one by one, in memory, to
// find the first that differs. With more, it names only the bucket.
const maxLocated = 1 << 20

// etcdBuckets are the names of etcd's own buckets.
//
// Source: go.etcd.io/etcd/server/v3/storage/schema/bucket.go.
var etcdBuckets = []string{
	"key", "meta", "lease", "alarm", "cluster", "members", "members_removed", "auth", "authUsers", "authRoles",
}

// located is a record as this program read it.
type located struct {
	sum  digest
	off  int64
	page page.ID
	key  []byte // the start of it
}

// String says what differs, without any byte of a key or value.
func (d *difference) String() string {
	name := fmt.Sprintf("a bucket with a name of %d bytes", len(d.name())) // on damage perhaps bytes of a value
	switch {
	case d.path == rootBucket:
		name = "the bucket of buckets"
	case slices.Contains(etcdBuckets, string(d.name())):
		name = "bucket " + string(d.name())
	}
	switch {
	case d.ours == nil:
		return fmt.Sprintf("it reads %s with %d %s, which this program does not see", name, d.theirs.records, plural(d.theirs.records, "record", "records"))
	case d.theirs == nil:
		return fmt.Sprintf("it does not see %s, of which this program reads %d %s", name, d.ours.records, plural(d.ours.records, "record", "records"))
	}
	return fmt.Sprintf("%s: it reads %d %s, this program %d", name, d.theirs.records, plural(d.theirs.records, "record", "records"), d.ours.records)
}

// locate tells the report how the two readings of a bucket differ, and where the first
// differing record lies. The error is that of the context.
func (w *Witness) locate(ctx context.Context, c *replica, size int64, f *page.File, key []byte, d *difference, said *report.SecondWitness) error {
	said.Detail = d.String()
	if f == nil || d.ours == nil || d.theirs == nil || d.ours.records > maxLocated {
		return nil
	}
	ours, err := index(ctx, f, newTally(key), d.path)
	if err != nil {
		return err
	}
	var n struct{ alone, other int } // records that bbolt alone reads, and that it reads differently
	first := ""
	_, err = w.run(ctx, c, request{Key: key, Size: size, Bucket: d.path[:]}, w.limits(size, f.Pages()), func(a answer) error {
		if a.Record == nil || len(a.Record.ID) != len(digest{}) {
			return nil
		}
		id := digest(a.Record.ID)
		r, seen := ours[id]
		delete(ours, id)
		switch {
		case !seen:
			n.alone++
			if first == "" {
				first = describe(a.Record.Key) + ", which it alone reads"
			}
		case string(a.Record.Sum) != string(r.sum[:]):
			if n.other++; first == "" {
				first = describe(r.key) + ", whose value it reads otherwise"
				said.Offset, said.Page = r.off, report.PageOf(uint64(r.page))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r := lowest(ours); r != nil && first == "" {
		first = describe(r.key) + ", which this program alone reads"
		said.Offset, said.Page = r.off, report.PageOf(uint64(r.page))
	}
	if first != "" {
		said.Detail += fmt.Sprintf("; %d are in its reading alone, %d in this one alone, %d have other values; the first is %s",
			n.alone, len(ours), n.other, first)
	}
	return nil
}

// index is the records of a bucket by the digest of their keys.
func index(ctx context.Context, f *page.File, t *tally, bucket digest) (records map[digest]located, err error) {
	reset := func() { records = map[digest]located{} }
	err = eachLeaf(ctx, f, t, reset, func(path digest, e page.LeafElement, id page.ID) {
		if path == bucket && !e.IsBucket() {
			key := append([]byte{}, e.Key[:min(len(e.Key), maxShown)]...)
			records[t.digest(ofKey, path, 0, e.Key, nil)] = located{t.digest(ofRecord, path, 0, e.Key, e.Value), e.Off, id, key}
		}
	})
	return records, err
}

// lowest is the first record in the file, nil without records.
func lowest(records map[digest]located) (first *located) {
	for _, r := range records {
		if first == nil || r.off < first.off {
			first = &r
		}
	}
	return first
}

// describe names a key of etcd's by its revision. Any other may be bytes of a value.
func describe(key []byte) string {
	if (len(key) == 17 || len(key) == 18 && key[17] == 't') && key[8] == '_' {
		return fmt.Sprintf("that of revision %d.%d", binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[9:]))
	}
	return fmt.Sprintf("that of a key of %d bytes", len(key))
}
