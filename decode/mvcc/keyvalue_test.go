package mvcc

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

// marshal is what etcd writes for kv.
func marshal(kv *mvccpb.KeyValue) []byte {
	b, err := proto.Marshal(kv)
	if err != nil {
		panic(err)
	}
	return b
}

// A keyValueCase is a message, and where its error must be.
type keyValueCase struct {
	name string
	b    []byte
	want KeyValue
	off  int64 // of the error
	err  error
}

func keyValueCases() []keyValueCase {
	whole := marshal(&mvccpb.KeyValue{Key: []byte("/registry/x"), CreateRevision: 5, ModRevision: 9, Version: 2, Value: []byte("value"), Lease: 77})
	return []keyValueCase{
		{"empty", nil, KeyValue{}, 0, nil},
		{"whole", whole, KeyValue{[]byte("/registry/x"), 5, 9, 2, []byte("value"), 77, 21}, 0, nil},
		{"key alone", []byte("\x0a\x01k"), KeyValue{Key: []byte("k")}, 0, nil},
		{"empty value", []byte("\x0a\x01k\x2a\x00"), KeyValue{Key: []byte("k"), Value: []byte{}, ValueOff: 5}, 0, nil},
		{"the last value wins", []byte("\x2a\x01a\x2a\x02bc"), KeyValue{Value: []byte("bc"), ValueOff: 5}, 0, nil},
		{"negative lease", []byte("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), KeyValue{Lease: -1}, 0, nil},
		{"unknown fields", []byte("\x38\x01\x42\x01x\x49xxxxxxxx\x55xxxx\x5b\x08\x01\x5c\x18\x03"), KeyValue{ModRevision: 3}, 0, nil},
		{"known fields of another kind are unknown", []byte("\x08\x01\x2d0123\x12\x01x\x18\x03"), KeyValue{ModRevision: 3}, 0, nil},
		{"field 0", []byte("\x18\x03\x02\x00"), KeyValue{ModRevision: 3}, 2, decode.ErrValue},
		{"field 2^29", []byte("\x18\x03\x80\x80\x80\x80\x10\x00"), KeyValue{ModRevision: 3}, 2, decode.ErrValue},
		{"tag cut short", []byte("\x18\x03\x80"), KeyValue{ModRevision: 3}, 2, decode.ErrValue},
		{"key cut short", []byte("\x18\x03\x0a\x04abc"), KeyValue{ModRevision: 3}, 3, decode.ErrValue},
		{"value of 2^63 bytes", []byte("\x0a\x01k\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), KeyValue{Key: []byte("k")}, 4, decode.ErrValue},
		{"number cut short keeps the one before", []byte("\x18\x03\x18\x80"), KeyValue{ModRevision: 3}, 3, decode.ErrValue},
		{"number of 11 bytes", []byte("\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), KeyValue{}, 1, decode.ErrValue},
		{"end of a group that never began", []byte("\x5c"), KeyValue{}, 1, decode.ErrValue},
		{"group without an end", []byte("\x5b\x08\x01"), KeyValue{}, 1, decode.ErrValue},
		{"groups too deep", []byte(strings.Repeat("\x5b", 11_000) + strings.Repeat("\x5c", 11_000)), KeyValue{}, 1, decode.ErrValue},
		{"wire type 7", []byte("\x0f\x00"), KeyValue{}, 1, decode.ErrValue},
	}
}

func TestParseKeyValue(t *testing.T) {
	for _, c := range keyValueCases() {
		got, err := ParseKeyValue(c.b, 0x100)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		}
		var format *decode.FormatError
		if errors.As(err, &format) && format.Off != 0x100+c.off {
			t.Errorf("%s: error at offset %#x, want %#x", c.name, format.Off, 0x100+c.off)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		compareKeyValue(t, c.b)
	}
}

// Errors say where, never what: the bytes may be a Secret.
func TestErrorsHoldNoBytes(t *testing.T) {
	const secret = "hunter2"
	b := marshal(&mvccpb.KeyValue{Key: []byte(secret), Value: []byte(secret)})
	for n := range b {
		if _, err := ParseKeyValue(b[:n], 0); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("error with bytes of the record: %v", err)
		}
	}
	for _, bucket := range []string{BucketMeta, BucketCluster, BucketMembers, BucketMembersRemoved, BucketAuth, BucketAlarm} {
		for _, key := range []string{secret, "confState", "downgrade", "1a", "authRevision"} {
			var s State
			if err := s.Add(bucket, []byte(key), []byte(secret), 0); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("error with bytes of bucket %s: %v", bucket, err)
			}
		}
	}
}

func drawKeyValue(r *rapid.T) *mvccpb.KeyValue {
	bytes := rapid.SliceOfN(rapid.Byte(), 0, 200)
	number := rapid.Int64()
	return &mvccpb.KeyValue{
		Key: bytes.Draw(r, "key"), Value: bytes.Draw(r, "value"),
		CreateRevision: number.Draw(r, "create"), ModRevision: number.Draw(r, "mod"),
		Version: number.Draw(r, "version"), Lease: number.Draw(r, "lease"),
	}
}

// Whatever etcd writes is read as etcd reads it.
func TestKeyValueOfEtcd(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		compareKeyValue(r, marshal(drawKeyValue(r)))
	})
}

// Broken messages are refused where etcd refuses them, and read alike elsewhere.
func TestKeyValueMutated(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := marshal(drawKeyValue(r))
		for range rapid.IntRange(1, 8).Draw(r, "changes") {
			if len(b) == 0 {
				break
			}
			i := rapid.IntRange(0, len(b)-1).Draw(r, "at")
			switch rapid.IntRange(0, 3).Draw(r, "change") {
			case 0:
				b[i] = rapid.Byte().Draw(r, "byte")
			case 1:
				b = b[:i]
			case 2:
				b = append(b[:i:i], b[i+1:]...)
			case 3:
				b = append(b, b[i:]...)
			}
		}
		compareKeyValue(r, b)
	})
}

func TestKeyValueRandomBytes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		compareKeyValue(r, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "bytes"))
	})
}

// A recordCase is an entry of the bucket "key".
type recordCase struct {
	name       string
	key, value []byte
	want       Record // without the KeyValue
	off        int64  // of the error
	err        error
}

func recordCases() []recordCase {
	rev := []byte("\x00\x00\x00\x00\x00\x00\x00\x09_\x00\x00\x00\x00\x00\x00\x00\x01")
	dead := append(bytes.Clone(rev), 't')
	with := func(create, mod, version int64) []byte {
		return marshal(&mvccpb.KeyValue{Key: []byte("k"), CreateRevision: create, ModRevision: mod, Version: version, Value: []byte("v")})
	}
	nine := Revision{9, 1}
	whole := append(bytes.Clone(rev[:16]), 0)
	swallowed := with(5, 9, 2)
	swallowed[1] = byte(len(swallowed) - 2)
	const valueOff = 0x1000 + 17 + 9 + 2 // behind key, four fields, and the tag and length of the value
	return []recordCase{
		{"write", rev, with(5, 9, 2), Record{Revision: nine, ValueOff: valueOff + 0}, 0, nil},
		{"tombstone", dead, marshal(&mvccpb.KeyValue{Key: []byte("k")}), Record{Revision: nine, Tombstone: true, ValueOff: 0x1000 + 18}, 0, nil},
		{"marker", whole, nil, Record{Revision: Revision{9, 0}, Marker: true}, 0, nil},
		{"marker of a write within a transaction", rev, nil, Record{Revision: nine}, 17, decode.ErrTruncated},
		{"empty tombstone", append(bytes.Clone(whole), 't'), nil, Record{Revision: Revision{9, 0}, Tombstone: true}, 18, decode.ErrTruncated},
		{"value in place of the key", rev, append(with(5, 9, 2), "\x0a\x06secret"...), Record{Revision: nine}, 17, decode.ErrValue},
		{"key that swallows what follows", rev, swallowed, Record{Revision: nine}, 17, decode.ErrValue},
		{"unknown field", rev, append(with(5, 9, 2), 0x38, 1), Record{Revision: nine, ValueOff: valueOff}, 17, decode.ErrValue},
		{"field of another type", rev, append(with(5, 9, 2), 0x32, 0), Record{Revision: nine}, 17, decode.ErrValue},
		{"write under a tombstone", dead, with(5, 9, 2), Record{Revision: nine, Tombstone: true, ValueOff: valueOff + 1}, 18, decode.ErrValue},
		{"revision cut short", rev[:16], with(5, 9, 2), Record{ValueOff: valueOff - 1}, 0, decode.ErrTruncated},
		{"wrong mark", append(bytes.Clone(rev), 'u'), with(5, 9, 2), Record{Revision: nine, ValueOff: valueOff + 1}, 0, decode.ErrValue},
		{"no KeyValue", rev, []byte{0xFF}, Record{Revision: nine}, 17, decode.ErrValue},
		{"no key", rev, marshal(&mvccpb.KeyValue{CreateRevision: 5, ModRevision: 9, Version: 1}), Record{Revision: nine, ValueOff: 0x1000 + 17}, 17, decode.ErrValue},
		{"no key in a tombstone", dead, []byte("\x0a\x00"), Record{Revision: nine, Tombstone: true}, 18, decode.ErrValue},
		{"value in a tombstone", dead, marshal(&mvccpb.KeyValue{Key: []byte("k"), Value: []byte("v")}), Record{Revision: nine, Tombstone: true}, 18, decode.ErrValue},
		{"revision in a tombstone", dead, marshal(&mvccpb.KeyValue{Key: []byte("k"), ModRevision: 9}), Record{Revision: nine, Tombstone: true}, 18, decode.ErrValue},
		{"other mod revision", rev, with(5, 8, 2), Record{Revision: nine, ValueOff: valueOff}, 17, decode.ErrValue},
		{"no create revision", rev, marshal(&mvccpb.KeyValue{Key: []byte("k"), ModRevision: 9, Version: 1}), Record{Revision: nine}, 17, decode.ErrValue},
		{"created after it was modified", rev, with(10, 9, 2), Record{Revision: nine, ValueOff: valueOff}, 17, decode.ErrValue},
		{"no version", rev, marshal(&mvccpb.KeyValue{Key: []byte("k"), CreateRevision: 9, ModRevision: 9}), Record{Revision: nine}, 17, decode.ErrValue},
		{"negative version", rev, marshal(&mvccpb.KeyValue{Key: []byte("k"), CreateRevision: 9, ModRevision: 9, Version: -1}), Record{Revision: nine}, 17, decode.ErrValue},
	}
}

func TestParseRecord(t *testing.T) {
	const off = 0x1000
	for _, c := range recordCases() {
		got, err := ParseRecord(c.key, c.value, off)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		}
		var format *decode.FormatError
		if errors.As(err, &format) && format.Off != off+c.off {
			t.Errorf("%s: error at offset %#x, want %#x", c.name, format.Off, off+c.off)
		}
		want := c.want
		if kv, _ := ParseKeyValue(c.value, 0); want.ValueOff != 0 {
			want.KeyValue = kv
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseRecordAllocates(t *testing.T) {
	for _, c := range recordCases()[:3] {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := ParseRecord(c.key, c.value, 0); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
