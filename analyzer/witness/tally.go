package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"

	"github.com/etcdsift/etcdsift/decode/page"
)

// keySize is the size of the key of the hashes, in bytes.
const keySize = 32

// A digest is a keyed hash.
type digest [sha256.Size]byte

// A sum is a sum of digests modulo 2^256. It does not depend on their order: bbolt
// reads in the order of keys, this program in that of the file.
type sum [4]uint64

func (s *sum) add(d digest) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], binary.LittleEndian.Uint64(d[8*i:]), carry)
	}
}

// A tally is what one reader found, by bucket. Its size depends on the number of
// buckets alone.
type tally struct {
	key     []byte
	hash    hash.Hash
	buckets map[digest]*bucketTally
}

// A bucketTally is the records of one bucket: keys with values, and the buckets in it, which
// count only for the sum.
type bucketTally struct {
	name    []byte // its last part
	records int
	sum     sum
}

// rootBucket is the bucket of buckets.
var rootBucket digest

func newTally(key []byte) *tally {
	return &tally{key: key, hash: sha256.New(), buckets: map[digest]*bucketTally{rootBucket: {}}}
}

// What a digest is of.
const (
	ofRecord byte = iota
	ofNested
	ofPath
	ofKey
)

// digest hashes two strings and a number, so that no two different calls hash the same bytes.
func (t *tally) digest(what byte, bucket digest, n uint64, a, b []byte) (d digest) {
	var head [1 + sha256.Size + 16]byte
	head[0] = what
	copy(head[1:], bucket[:])
	binary.LittleEndian.PutUint64(head[1+sha256.Size:], n)
	binary.LittleEndian.PutUint64(head[1+sha256.Size+8:], uint64(len(a)))
	t.hash.Reset()
	t.hash.Write(t.key)
	t.hash.Write(head[:])
	t.hash.Write(a)
	t.hash.Write(b)
	t.hash.Sum(d[:0])
	return d
}

// record takes a key and its value.
func (t *tally) record(bucket digest, key, value []byte) {
	b := t.bucket(bucket, nil)
	b.records++
	b.sum.add(t.digest(ofRecord, bucket, 0, key, value))
}

// nested takes a bucket in a bucket.
func (t *tally) nested(parent digest, name []byte, sequence uint64) digest {
	t.bucket(parent, nil).sum.add(t.digest(ofNested, parent, sequence, name, nil))
	path := t.path(parent, name)
	t.bucket(path, name)
	return path
}

// path identifies a bucket by those that it lies in.
func (t *tally) path(parent digest, name []byte) digest {
	return t.digest(ofPath, parent, 0, name, nil)
}

func (t *tally) bucket(path digest, name []byte) *bucketTally {
	b := t.buckets[path]
	if b == nil {
		b = &bucketTally{}
		t.buckets[path] = b
	}
	if len(b.name) == 0 { // records may come before their bucket
		b.name = bytes.Clone(name)
	}
	return b
}

// records is how many records there are in all buckets.
func (t *tally) records() (n int) {
	for _, b := range t.buckets {
		n += b.records
	}
	return n
}

// A difference is a bucket on which two readers disagree. A nil tally means that the reader
// found no such bucket.
type difference struct {
	path         digest
	ours, theirs *bucketTally
}

// name is the bucket's name, empty for the root.
func (d *difference) name() []byte {
	if d.ours != nil {
		return d.ours.name
	}
	return d.theirs.name
}

// compare is the first bucket on which they differ, by name; nil if they agree.
func (t *tally) compare(theirs *tally) *difference {
	var first *difference
	note := func(path digest) {
		a, b := t.buckets[path], theirs.buckets[path]
		if a != nil && b != nil && a.records == b.records && a.sum == b.sum {
			return
		}
		d := &difference{path, a, b}
		// The bucket of buckets differs if either reader misses a bucket.
		if first == nil || first.path == rootBucket || path != rootBucket && bytes.Compare(d.name(), first.name()) < 0 {
			first = d
		}
	}
	for path := range t.buckets {
		note(path)
	}
	for path := range theirs.buckets {
		note(path)
	}
	return first
}

// readPages takes all records of f. The error is that of the context: the scan tells of damage.
func (t *tally) readPages(ctx context.Context, f *page.File) error {
	reset := func() { t.buckets = map[digest]*bucketTally{rootBucket: {}} }
	return eachLeaf(ctx, f, t, reset, func(bucket digest, e page.LeafElement, _ page.ID) {
		if e.IsBucket() {
			t.nested(bucket, e.Key, sequenceOf(e.Value, f.Order))
		} else {
			t.record(bucket, e.Key, e.Value)
		}
	})
}

// eachLeaf calls take with each leaf element of f that has bytes, in file order, with its
// bucket and page. eachLeaf reads a file with buckets inside of buckets once more, and calls
// reset before each reading. t hashes the paths.
func eachLeaf(ctx context.Context, f *page.File, t *tally, reset func(), take func(digest, page.LeafElement, page.ID)) error {
	for _, depth := range []page.Depth{page.Branches, page.Thorough} {
		reset()
		tree := f.Walk(depth)
		var paths []digest
		for p, err := range f.Sweep(tree, nil) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// A page that the tree leads to and does not mean holds no records of it.
			if err != nil || p.Use != page.Leaf || p.Header.Flags != page.FlagLeaf || p.Astray {
				continue
			}
			for _, b := range tree.Buckets[len(paths):] { // Sweep adds to them
				path := rootBucket
				if b.Parent >= 0 {
					path = t.path(paths[b.Parent], b.Name)
				}
				paths = append(paths, path)
			}
			for e := range p.LeafElements() {
				if e.Key != nil {
					take(paths[p.Bucket], e, p.ID)
				}
			}
		}
		if !tree.Deeper {
			break
		}
	}
	return ctx.Err()
}

// sequenceOf is the sequence of the bucket that a leaf element holds, 0 if it is cut.
//
// Source: InBucket in go.etcd.io/bbolt/internal/common/bucket.go.
func sequenceOf(value []byte, order page.Order) uint64 {
	if len(value) < 16 {
		return 0
	}
	if order == page.Big {
		return binary.BigEndian.Uint64(value[8:])
	}
	return binary.LittleEndian.Uint64(value[8:])
}

// nativeOrder is that of this machine.
func nativeOrder() page.Order {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return page.Little
	}
	return page.Big
}
