package sweep

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// Where something of the tree is missing, the records that it does not lead to are looked for on
// all pages, and are unknown. Of a db whose tree is whole nothing is taken: its free pages hold
// what was deleted.
func TestSalvage(t *testing.T) {
	const size = forged.PageSize
	record := func(rev int64, n int) forged.Record {
		return forged.Record{Rev: rev, Key: forged.SecretKey(n), Value: secret(t, n)}
	}
	deleted := forged.Record{Rev: 9, Key: forged.SecretKey(1), Tombstone: true}
	// roots writes a root page with the bucket "key" on page 3, and another one whose leaf is in its value.
	roots := func(b []byte, inline ...forged.Element) {
		bucket := append(forged.Bucket(0), forged.Page{Flags: forged.FlagLeaf, Elements: inline}.Bytes()...)
		clear(b[2*size : 3*size])
		copy(b[2*size:], forged.Page{ID: 2, Flags: forged.FlagLeaf, Elements: []forged.Element{
			{Flags: forged.ElementBucket, Key: []byte("key"), Value: forged.Bucket(3)},
			{Flags: forged.ElementBucket, Key: []byte("other"), Value: bucket},
		}}.Bytes())
	}
	element := func(r forged.Record) forged.Element {
		key, value := r.Element(t)
		return forged.Element{Key: key, Value: value}
	}
	meta := func(b []byte, id int) []byte { return b[id*size+16:][:64] }
	tests := []struct {
		name  string
		free  []byte // page 4
		wreck func(b []byte)
		keys  []string
		lost  bool
	}{
		{"a whole tree", forged.Leaf(t, 4, 0, record(4, 2)), func([]byte) {}, []string{"s-1 at 5"}, false},
		{"both metas", forged.Leaf(t, 4, 0, record(4, 2)), func(b []byte) { clear(b[:2*size]) },
			[]string{"s-1 at 5, unknown", "s-2 at 4, unknown"}, true},
		{"the root", nil, func(b []byte) { clear(b[2*size : 3*size]) }, []string{"s-1 at 5, unknown"}, true},
		{"the name of the bucket", nil, func(b []byte) { b[bytes.Index(b, []byte("key"))+2] = 'z' }, []string{"s-1 at 5, unknown"}, true},
		{"the header of the leaf", nil, func(b []byte) { clear(b[3*size:][:16]) }, []string{"s-1 at 5, unknown"}, true},
		{"the elements of the leaf, too", nil, func(b []byte) { clear(b[3*size:][:32]) }, []string{"s-1 at 5, unknown"}, true},
		{"the newest of several revisions counts", forged.Leaf(t, 4, 0, record(7, 1), record(8, 1)), func(b []byte) { clear(b[2*size : 3*size]) },
			[]string{"s-1 at 8, unknown"}, true},
		{"a tombstone counts where the tree has no key", forged.Leaf(t, 4, 0, deleted), func(b []byte) { clear(b[2*size : 3*size]) },
			[]string{"s-1 at 9, deleted, unknown"}, true},
		{"and proves nothing where it has", forged.Leaf(t, 4, 0, deleted), func(b []byte) {
			root := forged.Page{ID: 2, Flags: forged.FlagLeaf, Elements: []forged.Element{
				{Flags: forged.ElementBucket, Key: []byte("key"), Value: forged.Bucket(3)},
				{Flags: forged.ElementBucket, Key: []byte("lost"), Value: forged.Bucket(99)},
			}}
			copy(b[2*size:], root.Bytes())
		}, []string{"s-1 at 5, unknown"}, true},
		{"a record in an inline bucket", nil, func(b []byte) {
			roots(b, element(record(6, 2)))
			clear(b[3*size : 4*size])
		}, []string{"s-2 at 6, unknown"}, true},
		{"the newest of its key there counts, and state is no record", nil, func(b []byte) {
			roots(b, element(record(4, 1)), element(record(6, 2)), element(record(7, 2)), forged.Element{Key: []byte("term"), Value: make([]byte, 8)})
			b[3*size+8] = 0 // the flags of the leaf
		}, []string{"s-1 at 5, unknown", "s-2 at 7, unknown"}, true},
		{"which is damage enough", nil, func(b []byte) { roots(b, element(record(6, 2))) }, []string{"s-1 at 5", "s-2 at 6, unknown"}, true},
		{"one meta: only later revisions may be lost", forged.Leaf(t, 4, 0, record(4, 2), record(6, 3)), func(b []byte) { clear(meta(b, 0)) },
			[]string{"s-1 at 5", "s-3 at 6, unknown"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := freeDB(t, tt.free)
			tt.wreck(b)
			ev := sweepDB(t, b)
			if diff := cmp.Diff(tt.keys, keysOf(ev)); diff != "" {
				t.Errorf("keys (-want +got):\n%s\ndamage %s", diff, damageOf(ev))
			}
			if ev.Lost != tt.lost {
				t.Errorf("lost: %v, want %v; damage %s", ev.Lost, tt.lost, damageOf(ev))
			}
		})
	}
}

// A value over the end of a page is one copy, complete, in place of the pieces that the sweep of
// single pages made of it.
func TestSalvageAcrossPages(t *testing.T) {
	const size = forged.PageSize
	b := freeDB(t, nil)
	clear(b[2*size : 3*size]) // the root
	record := forged.Record{Rev: 7, Key: forged.SecretKey(2), Value: secret(t, 2)}.Bytes(t)
	start := 5*size - 40
	copy(b[start:], record)
	binary.LittleEndian.PutUint64(b[4*size:], 4) // what is left of a page
	ev := sweepDB(t, b)
	if diff := cmp.Diff([]string{"s-2 at 7: pieces"}, copiesOf(ev)); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
	if len(ev.Unkeyed) > 0 {
		t.Errorf("and without a key: %+v", ev.Unkeyed)
	}
}
