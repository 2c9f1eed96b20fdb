package mvcc

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// A record is cut out of its page, and not copied; what etcd keeps of itself is, and JSON
// costs more.
var (
	recordBound = alloc.Bound{Fixed: 1 << 10}
	stateBound  = alloc.Bound{Fixed: 8 << 10, PerByte: 128}
)

func FuzzParseRecord(f *testing.F) {
	for _, c := range recordCases() {
		f.Add(c.key, c.value, int64(0x7000))
	}
	f.Fuzz(func(t *testing.T, key, value []byte, off int64) {
		off = max(0, off%(1<<50))
		r, err := ParseRecord(key, value, off)
		checkError(t, err)
		if err == nil && !r.Marker && (len(r.Key) == 0 || !r.Tombstone && r.ModRevision != r.Revision.Main) {
			t.Errorf("record %v of revision %v has no error", r.KeyValue, r.Revision)
		}
		if r.Marker != (err == nil && len(value) == 0) {
			t.Errorf("marker %t with a value of %d bytes, error %v", r.Marker, len(value), err)
		}
		if err != nil && len(r.Key) > 0 && value[0] != 0x0a {
			t.Errorf("the key of a broken record is not its first field")
		}
		if start := r.ValueOff - off - int64(len(key)); r.Value != nil &&
			!bytes.Equal(value[start:start+int64(len(r.Value))], r.Value) {
			t.Errorf("the value is not at offset %#x", r.ValueOff)
		}
		recordBound.Check(t, len(key)+len(value), func() { _, _ = ParseRecord(key, value, off) })
		again, _ := ParseRecord(key, value, off)
		if diff := cmp.Diff(r, again); diff != "" {
			t.Errorf("a second parse gives something else:\n%s", diff)
		}
	})
}

func FuzzParseKeyValue(f *testing.F) {
	for _, c := range keyValueCases() {
		f.Add(c.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		compareKeyValue(t, b)
		recordBound.Check(t, len(b), func() { _, _ = ParseKeyValue(b, 0) })
	})
}

func FuzzStateAdd(f *testing.F) {
	buckets := []string{BucketKey, BucketMeta, BucketLease, BucketAlarm, BucketCluster, BucketMembers,
		BucketMembersRemoved, BucketAuth, BucketAuthUsers, BucketAuthRoles}
	for _, c := range stateCases() {
		f.Add(uint8(slices.Index(buckets, c.bucket)), []byte(c.key), []byte(c.value))
	}
	f.Fuzz(func(t *testing.T, bucket uint8, key, value []byte) {
		name := buckets[int(bucket)%len(buckets)]
		var s State
		err := s.Add(name, key, value, 0x40)
		checkError(t, err)
		s.Sort()
		if name == BucketAlarm {
			compareAlarm(t, key, s, err)
		}
		stateBound.Check(t, len(key)+len(value), func() {
			var s State
			_ = s.Add(name, key, value, 0x40)
		})
		var again State
		if second := again.Add(name, key, value, 0x40); (second == nil) != (err == nil) {
			t.Errorf("errors %v, then %v", err, second)
		}
		again.Sort()
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("a second parse gives something else:\n%s", diff)
		}
	})
}

// compareAlarm compares what Add made of an alarm with etcd's own decoder.
func compareAlarm(t *testing.T, key []byte, s State, err error) {
	t.Helper()
	var pb etcdserverpb.AlarmMember
	pbErr := proto.Unmarshal(key, &pb)
	if (pbErr == nil) != (err == nil) {
		t.Errorf("alarm %x: error %v, etcdserverpb says %v", key, err, pbErr)
	}
	want := []Alarm{{MemberID(pb.MemberID), pb.Alarm.String()}}
	if pb.Alarm == etcdserverpb.AlarmType_NONE {
		want[0].Kind = "0"
	}
	if err == nil && !slices.Equal(s.Alarms, want) {
		t.Errorf("alarm %x: %v, etcdserverpb says %v", key, s.Alarms, want)
	}
}

// checkError checks that err is nil or one that this package promises, and that
// it does not carry bytes of what was read.
func checkError(t testing.TB, err error) {
	t.Helper()
	var format *decode.FormatError
	switch {
	case err == nil:
	case !errors.As(err, &format):
		t.Errorf("error %v is not a *decode.FormatError", err)
	case format.Err != decode.ErrTruncated && format.Err != decode.ErrValue:
		t.Errorf("cause %v", format.Err)
	case format.Off < 0:
		t.Errorf("error at offset %d", format.Off)
	}
}

// A failer is a testing.TB or a *rapid.T.
type failer interface {
	Helper()
	Errorf(string, ...any)
}

// compareKeyValue compares ParseKeyValue with etcd's own decoder.
func compareKeyValue(t failer, b []byte) {
	t.Helper()
	const off = 0x1000
	kv, err := ParseKeyValue(b, off)
	var pb mvccpb.KeyValue
	if pbErr := proto.Unmarshal(b, &pb); (pbErr == nil) != (err == nil) {
		t.Errorf("%x: error %v, mvccpb says %v", b, err, pbErr)
	}
	if err != nil {
		return
	}
	got := KeyValue{Key: kv.Key, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision,
		Version: kv.Version, Value: kv.Value, Lease: kv.Lease}
	want := KeyValue{Key: pb.Key, CreateRevision: pb.CreateRevision, ModRevision: pb.ModRevision,
		Version: pb.Version, Value: pb.Value, Lease: pb.Lease}
	if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("%x: (-mvccpb +got):\n%s", b, diff)
	}
	if end := kv.ValueOff + len(kv.Value); end > len(b) || !bytes.Equal(b[kv.ValueOff:end], kv.Value) {
		t.Errorf("%x: the value is not at offset %d", b, kv.ValueOff)
	}
}
