package wal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// A segmentFile is a segment that etcd's own code wrote.
type segmentFile struct {
	name string
	data []byte
}

// value is what entry i puts.
func value(i int) []byte {
	return fmt.Appendf(nil, "value %d %s", i, bytes.Repeat([]byte{byte('a' + i%26)}, i*37%900))
}

// request is what entry i asks for: a put alone, one in a transaction, one in a
// transaction in a transaction, and a deletion.
func request(i int) *pb.InternalRaftRequest {
	put := &pb.PutRequest{Key: fmt.Appendf(nil, "/registry/secrets/default/s-%d", i), Value: value(i), Lease: int64(i % 3)}
	op := func(r *pb.PutRequest) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	}
	compare := []*pb.Compare{{
		Target: pb.Compare_MOD, Result: pb.Compare_EQUAL, Key: put.Key, TargetUnion: &pb.Compare_ModRevision{ModRevision: int64(i)},
	}}
	switch i % 4 {
	case 0:
		return &pb.InternalRaftRequest{ID: 1, Put: put}
	case 1:
		return &pb.InternalRaftRequest{ID: 1, Txn: &pb.TxnRequest{Compare: compare, Success: []*pb.RequestOp{op(put)}}}
	case 2:
		inner := &pb.TxnRequest{Compare: compare, Failure: []*pb.RequestOp{op(put)}}
		return &pb.InternalRaftRequest{ID: 1, Txn: &pb.TxnRequest{
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}},
		}}
	}
	return &pb.InternalRaftRequest{ID: 1, DeleteRange: &pb.DeleteRangeRequest{Key: put.Key, RangeEnd: []byte("z")}}
}

// makeLog writes entries 1 to n, in segments of about size bytes.
func makeLog(t testing.TB, n int, size int64) []segmentFile {
	t.Helper()
	return makeClusterLog(t, 0, n, size)
}

// makeClusterLog is makeLog for a cluster of that ID.
func makeClusterLog(t testing.TB, cluster uint64, n int, size int64) []segmentFile {
	t.Helper()
	log := forged.Log{Cluster: cluster, SegmentSize: size}
	for i := 1; i <= n; i++ {
		log.Entries = append(log.Entries, forged.Entry{Index: uint64(i), Term: 2, Commit: uint64(i - 1), Request: request(i)})
	}
	var files []segmentFile
	for _, s := range log.Segments(t) {
		files = append(files, segmentFile{s.Name, s.Data})
	}
	return files
}

// A reading is what a Chain says of some segments.
type reading struct {
	entries []Index
	puts    int
	flaws   []error // the causes
	kinds   map[Kind]int
	commit  Index
}

func read(t testing.TB, files ...segmentFile) reading {
	t.Helper()
	r := reading{kinds: map[Kind]int{}}
	var chain Chain
	for _, f := range files {
		readSegment(t, &r, chain.Read(bytes.NewReader(f.data), int64(len(f.data)), f.name, nil), f.data)
	}
	return r
}

func readSegment(t testing.TB, r *reading, records func(func(Record, error) bool), data []byte) {
	t.Helper()
	end := int64(0)
	for rec, err := range records {
		if err != nil {
			var format *decode.FormatError
			if !errors.As(err, &format) || format.Off < 0 || format.Off > int64(len(data)) {
				t.Fatalf("damage without a place in the file: %v", err)
			}
			r.flaws = append(r.flaws, format.Err)
			continue
		}
		if rec.Off != end || rec.Len <= 0 {
			t.Fatalf("%v at %d, %d bytes, behind %d", rec.Kind, rec.Off, rec.Len, end)
		}
		end = rec.Off + rec.Len
		r.kinds[rec.Kind]++
		if rec.Kind == KindEntry {
			r.entries = append(r.entries, rec.Entry.Index)
		}
		if rec.Kind == KindState {
			r.commit = rec.State.Commit
		}
		checkOps(t, r, rec.Entry.Ops, data, !rec.Damaged)
	}
	if end != int64(len(data)) {
		t.Fatalf("records up to %d in a file of %d bytes", end, len(data))
	}
}

func checkOps(t testing.TB, r *reading, ops []Op, data []byte, intact bool) {
	t.Helper()
	for _, op := range ops {
		if op.Kind == OpPut && len(op.Value) > 0 {
			r.puts++
		}
		if op.HasValue() {
			if got := data[op.ValueOff:][:len(op.Value)]; !bytes.Equal(got, op.Value) {
				t.Fatalf("value at %d is not that of the file", op.ValueOff)
			}
		}
		checkOps(t, r, op.Success, data, intact)
		checkOps(t, r, op.Failure, data, intact)
	}
}

// A healthy log of several segments: every entry and value that etcd's own reader has.
func TestHealthyLog(t *testing.T) {
	const n = 400
	files := makeLog(t, n, 16<<10)
	if len(files) < 5 {
		t.Fatalf("%d segments: too few", len(files))
	}
	r := read(t, files...)
	if len(r.flaws) > 0 || len(r.entries) != n || r.puts != n*3/4 || r.commit != n-1 {
		t.Errorf("%d entries, %d puts, commit %d, flaws %v", len(r.entries), r.puts, r.commit, r.flaws)
	}
	for i, index := range r.entries {
		if index != Index(i+1) {
			t.Fatalf("entry %d is of index %d", i, index)
		}
	}
	if r.kinds[KindMetadata] != len(files) || r.kinds[KindCRC] != len(files) || r.kinds[KindGap]+r.kinds[KindTorn] > 0 {
		t.Errorf("%v", r.kinds)
	}
	// The first segment may be any: etcd deletes old ones.
	if r := read(t, files[2:]...); len(r.flaws) > 0 {
		t.Errorf("without the first two: %v", r.flaws)
	}
}

// What an entry asks for is what was put in, as etcd's types have it.
func TestOps(t *testing.T) {
	files := makeLog(t, 8, 1<<20)
	for r, err := range Read(bytes.NewReader(files[0].data), int64(len(files[0].data)), nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != KindEntry {
			continue
		}
		i := int(r.Entry.Index)
		want := wantOps(request(i))
		for _, ops := range [][]Op{want, r.Entry.Ops} {
			withoutPlaces(ops)
		}
		if diff := cmp.Diff(want, r.Entry.Ops); diff != "" {
			t.Errorf("entry %d (-want +got):\n%s", i, diff)
		}
	}
}

// Requests without a key, as etcd encodes them.
func TestKeylessOps(t *testing.T) {
	tests := []struct {
		request *pb.InternalRaftRequest
		want    Op
	}{
		{&pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{ID: 77, TTL: 60}}, Op{Kind: OpLeaseGrant, Lease: 77, Complete: true}},
		{&pb.InternalRaftRequest{LeaseRevoke: &pb.LeaseRevokeRequest{ID: 77}}, Op{Kind: OpLeaseRevoke, Lease: 77, Complete: true}},
		{&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 9, Physical: true}}, Op{Kind: OpCompact, Revision: 9, Complete: true}},
	}
	for _, tt := range tests {
		data, err := proto.Marshal(tt.request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseRequest(data, 0)
		if diff := cmp.Diff([]Op{tt.want}, got); diff != "" || err != nil {
			t.Errorf("%v: %v (-want +got):\n%s", tt.request, err, diff)
		}
	}
}

// All yields every operation once, in both branches of a transaction, and ends when it is told to.
func TestAll(t *testing.T) {
	put := func(key string) Op { return Op{Kind: OpPut, Key: []byte(key)} }
	ops := []Op{put("a"), {Kind: OpTxn, Success: []Op{put("b"), {Kind: OpTxn, Failure: []Op{put("c")}}}, Failure: []Op{put("d")}}, put("e")}
	var keys string
	for op := range All(ops) {
		keys += string(op.Key)
		if op.Kind == OpTxn {
			keys += "("
		}
	}
	if want := "a(b(cde"; keys != want {
		t.Errorf("%s, want %s", keys, want)
	}
	for n := range 7 {
		seen := 0
		for range All(ops) {
			if seen++; seen > n {
				break
			}
		}
		if seen != n+1 {
			t.Errorf("%d operations, want %d", seen, n+1)
		}
	}
}

func wantOps(r *pb.InternalRaftRequest) []Op {
	put := func(p *pb.PutRequest) Op {
		return Op{Kind: OpPut, Key: p.Key, Value: p.Value, Lease: p.Lease, Complete: true}
	}
	var txn func(*pb.TxnRequest) Op
	ops := func(list []*pb.RequestOp) (out []Op) {
		for _, o := range list {
			if p := o.GetRequestPut(); p != nil {
				out = append(out, put(p))
			}
			if x := o.GetRequestTxn(); x != nil {
				out = append(out, txn(x))
			}
		}
		return out
	}
	txn = func(x *pb.TxnRequest) Op {
		o := Op{Kind: OpTxn, Complete: true, Success: ops(x.Success), Failure: ops(x.Failure)}
		for _, c := range x.Compare {
			o.Compare = append(o.Compare, Compare{Target: CompareMod, Key: c.Key, Number: c.GetModRevision()})
		}
		return o
	}
	switch {
	case r.Put != nil:
		return []Op{put(r.Put)}
	case r.Txn != nil:
		return []Op{txn(r.Txn)}
	}
	return []Op{{Kind: OpDelete, Key: r.DeleteRange.Key, RangeEnd: r.DeleteRange.RangeEnd, Complete: true}}
}

func withoutPlaces(ops []Op) {
	for i := range ops {
		ops[i].ValueOff = 0
		withoutPlaces(ops[i].Success)
		withoutPlaces(ops[i].Failure)
	}
}

// frames is where the frames of a segment start, by etcd's own decoder.
func frames(t testing.TB, data []byte) (starts []int) {
	t.Helper()
	d := newFrameDecoder()
	for off := 0; off+8 <= len(data); {
		record, padding, ok := frameSize(data[off:])
		if !ok {
			return starts
		}
		starts = append(starts, off)
		if err := d.decode(data[off : off+8+int(record+padding)]); err == decode.ErrValue {
			t.Fatal(err)
		}
		off += 8 + int(record+padding)
	}
	return starts
}

func TestParseName(t *testing.T) {
	tests := []struct {
		in   string
		want Name
		ok   bool
	}{
		{"0000000000000003-000000000004f1a2.wal", Name{Seq: 3, Index: 0x4f1a2}, true},
		{"0000000000000003-000000000004f1a2.wal.broken", Name{Seq: 3, Index: 0x4f1a2, Broken: true}, true},
		{"0000000000000003-000000000004f1a2.snap", Name{}, false},
		{"3-4.wal", Name{}, false},
		{"000000000000000x-000000000004f1a2.wal", Name{}, false},
		{"1.tmp", Name{}, false},
	}
	for _, tt := range tests {
		if got, ok := ParseName(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("ParseName(%q) = %+v, %t", tt.in, got, ok)
		}
		if tt.ok && tt.want.String() != tt.in {
			t.Errorf("%+v is written %s", tt.want, tt.want)
		}
	}
}
