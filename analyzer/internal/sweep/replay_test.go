package sweep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/wal"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// replayed is the keyspace of a db that has s-1 at revision 5 with a lease, and s-2 at revision
// 6 in version 2, once the writes of one raft entry are replayed.
func replayed(t *testing.T, blind bool, ops ...write) []string {
	t.Helper()
	ev := sweepDB(t, forged.DB{Records: []forged.Record{
		{Rev: 5, Key: forged.SecretKey(1), Value: []byte("one")},
		{Rev: 6, Create: 4, Version: 2, Key: forged.SecretKey(2), Value: []byte("two")},
	}}.Bytes(t))
	ev.Keys.At(ev.Keys.Find([]byte(forged.SecretKey(1)))).Lease = 77
	r := newReplay(ev)
	r.blind = blind
	r.apply(9, ops)
	return keysOf(ev)
}

// The writes of an entry become what etcd would make of them: one revision for all, and none
// where nothing changes.
func TestReplay(t *testing.T) {
	key := forged.SecretKey
	put := func(n int) write { return write{kind: wal.OpPut, key: key(n), value: seen.Entry{File: seen.DBFile}} }
	del := func(n int) write { return write{kind: wal.OpDelete, key: key(n)} }
	keep := func(n int) write { return write{kind: wal.OpPut, key: key(n), keepOld: true} }
	keepLease := write{kind: wal.OpPut, key: key(1), keepLease: true, value: seen.Entry{File: seen.DBFile}}
	revoke := write{kind: wal.OpLeaseRevoke, lease: 77}
	leased := write{kind: wal.OpPut, key: key(2), lease: 77, value: seen.Entry{File: seen.DBFile}}
	txn := func(holds bool, success, failure int) write {
		c := condition{target: wal.CompareMod, result: wal.Equal, key: key(1), number: 5}
		if !holds {
			c.number = 4
		}
		return write{kind: wal.OpTxn, conditions: []condition{c}, success: success, failure: failure}
	}
	tests := []struct {
		name string
		ops  []write
		want []string
	}{
		{"nothing", nil, []string{"s-1 at 5", "s-2 at 6"}},
		{"a put", []write{put(1)}, []string{"s-1 at 7", "s-2 at 6"}},
		{"a put of a new key", []write{put(3)}, []string{"s-1 at 5", "s-2 at 6", "s-3 at 7"}},
		{"two in one revision", []write{put(1), put(2)}, []string{"s-1 at 7", "s-2 at 7"}},
		{"a deletion", []write{del(1)}, []string{"s-1 at 7, deleted", "s-2 at 6"}},
		{"a deletion of what is not there", []write{del(4)}, []string{"s-1 at 5", "s-2 at 6"}},
		{"a range", []write{{kind: wal.OpDelete, key: key(2), end: key(9)}}, []string{"s-1 at 5", "s-2 at 7, deleted"}},
		{"all keys from one on", []write{{kind: wal.OpDelete, key: "/", end: "\x00"}}, []string{"s-1 at 7, deleted", "s-2 at 7, deleted"}},
		{"a put that leaves the value", []write{keep(1)}, []string{"s-1 at 7", "s-2 at 6"}},
		{"the end of a lease", []write{revoke}, []string{"s-1 at 7, deleted", "s-2 at 6"}},
		{"of the lease that a key had before", []write{put(1), revoke}, []string{"s-1 at 7", "s-2 at 6"}},
		{"of the lease that a put leaves", []write{keepLease, revoke}, []string{"s-1 at 7, deleted", "s-2 at 6"}},
		{"a put under a lease that has ended", []write{revoke, leased}, []string{"s-1 at 7, deleted", "s-2 at 6"}},
		{"and is granted again", []write{revoke, {kind: wal.OpLeaseGrant, lease: 77}, leased}, []string{"s-1 at 7, deleted", "s-2 at 7"}},
		{"a put that leaves the value of no key", []write{keep(3)}, []string{"s-1 at 5", "s-2 at 6"}},
		{"in a transaction, which is refused then", []write{txn(true, 2, 0), put(1), keep(3)}, []string{"s-1 at 5", "s-2 at 6"}},
		{"of another lease", []write{{kind: wal.OpLeaseRevoke, lease: 78}}, []string{"s-1 at 5", "s-2 at 6"}},
		{"a transaction that holds", []write{txn(true, 1, 1), put(1), del(2)}, []string{"s-1 at 7", "s-2 at 6"}},
		{"one that does not", []write{txn(false, 1, 1), put(1), del(2)}, []string{"s-1 at 5", "s-2 at 7, deleted"}},
		{"one in another", []write{txn(true, 2, 0), txn(false, 0, 1), del(2)}, []string{"s-1 at 5", "s-2 at 7, deleted"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, replayed(t, false, tt.ops...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	// Nobody knows the revisions before a blind replay, so every condition holds.
	if diff := cmp.Diff([]string{"s-1 at 0", "s-2 at 6"}, replayed(t, true, txn(false, 1, 1), put(1), del(2), keep(3))); diff != "" {
		t.Errorf("blind (-want +got):\n%s", diff)
	}
}

// Each target of a condition, and each result, as etcd compares them.
func TestConditions(t *testing.T) {
	one, two, none := forged.SecretKey(1), forged.SecretKey(2), forged.SecretKey(9)
	tests := []struct {
		name string
		c    condition
		want bool
	}{
		{"version", condition{target: wal.CompareVersion, result: wal.Equal, key: two, number: 2}, true},
		{"creation", condition{target: wal.CompareCreate, result: wal.Equal, key: two, number: 4}, true},
		{"modification", condition{target: wal.CompareMod, result: wal.Equal, key: two, number: 6}, true},
		{"lease", condition{target: wal.CompareLease, result: wal.Equal, key: one, number: 77}, true},
		{"value", condition{target: wal.CompareValue, result: wal.Equal, key: one, value: []byte("one")}, true},
		{"another value", condition{target: wal.CompareValue, result: wal.Equal, key: one, value: []byte("two")}, false},
		{"not equal", condition{target: wal.CompareVersion, result: wal.NotEqual, key: two, number: 2}, false},
		{"greater", condition{target: wal.CompareMod, result: wal.Greater, key: two, number: 5}, true},
		{"not greater", condition{target: wal.CompareMod, result: wal.Greater, key: two, number: 6}, false},
		{"less", condition{target: wal.CompareMod, result: wal.Less, key: two, number: 7}, true},
		{"no key has version 0", condition{target: wal.CompareVersion, result: wal.Equal, key: none, number: 0}, true},
		{"no key has no value", condition{target: wal.CompareValue, result: wal.NotEqual, key: none, value: []byte("one")}, false},
		{"each of a range", condition{target: wal.CompareMod, result: wal.Greater, key: one, end: none, number: 4}, true},
		{"not each of it", condition{target: wal.CompareMod, result: wal.Greater, key: one, end: none, number: 5}, false},
		{"an empty range is compared as one key that is not there", condition{target: wal.CompareMod, result: wal.Greater, key: none, end: "\x00", number: 5}, false},
		{"and is of revision 0", condition{target: wal.CompareMod, result: wal.Equal, key: none, end: "\x00"}, true},
		{"a range that ends before it starts", condition{target: wal.CompareMod, result: wal.Equal, key: two, end: one}, true},
	}
	ev := sweepDB(t, forged.DB{Records: []forged.Record{
		{Rev: 5, Key: one, Value: []byte("one")}, {Rev: 6, Create: 4, Version: 2, Key: two, Value: []byte("two")},
	}}.Bytes(t))
	ev.Keys.At(ev.Keys.Find([]byte(one))).Lease = 77
	for _, tt := range tests {
		if got := newReplay(ev).holds([]condition{tt.c}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
