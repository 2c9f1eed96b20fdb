package wal

import (
	"bytes"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/etcdsift/etcdsift/fixtures/alloc"
)

// A segment costs its buffers, and for each record, of 16 bytes at least, its fields and
// what is wrong with it.
var readBound = alloc.Bound{Fixed: 6 << 20, PerByte: 32}

// An operation takes some hundred bytes in memory where the log has two, and a list that
// grows lets go of twice its size. maxOps bounds both.
var requestBound = alloc.Bound{Fixed: 4 << 10, PerByte: 512}

// Whatever the bytes, the records are those of the file, each byte is in one of
// them, and it ends.
func FuzzRead(f *testing.F) {
	files := makeLog(f, 12, 1<<12)
	for _, file := range files {
		f.Add(file.data)
	}
	b := bytes.Clone(files[0].data)
	clear(b[600:1200])
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		r := reading{kinds: map[Kind]int{}}
		readSegment(t, &r, Read(bytes.NewReader(b), int64(len(b)), nil, nil), b)
		readBound.Check(t, len(b), func() {
			for range Read(bytes.NewReader(b), int64(len(b)), nil, nil) {
			}
		})
	})
}

// What etcd's types make of a request is what is found in it.
func FuzzParseRequest(f *testing.F) {
	for i := range 4 {
		b, err := proto.Marshal(request(i))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ops, err := parseRequest(b, 0)
		var r reading
		checkOps(t, &r, ops, b, true)
		requestBound.Check(t, len(b), func() { _, _ = parseRequest(b, 0) })
		var want pb.InternalRaftRequest
		if proto.Unmarshal(b, &want) != nil || err != nil || want.Put == nil || len(ops) != 1 || ops[0].Kind != OpPut {
			return
		}
		if !bytes.Equal(want.Put.Value, ops[0].Value) && len(want.Put.Value) != len(ops[0].Value) {
			t.Errorf("value of %d bytes, want %d", len(ops[0].Value), len(want.Put.Value))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	files := makeLog(b, 20_000, 64<<20)
	b.SetBytes(int64(len(files[0].data)))
	for b.Loop() {
		n := 0
		for r, err := range Read(bytes.NewReader(files[0].data), int64(len(files[0].data)), nil, nil) {
			if err != nil {
				b.Fatal(err)
			}
			if r.Kind == KindEntry {
				n++
			}
		}
		if n != 20_000 {
			b.Fatal(n)
		}
	}
}
