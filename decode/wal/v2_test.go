package wal

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// A v2Message is an etcdserverpb.Request. etcd's API has no type for it any more.
type v2Message struct {
	method, path, value, previous string
	dir, recursive, refresh       bool
}

// encode writes all fields, as the gogoproto code of etcd 2 and 3.0 to 3.5 did: fields 7 and 8 are
// those that it left out if they were nil.
func (m v2Message) encode() []byte {
	flag := func(b []byte, num protowire.Number, v bool) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), protowire.EncodeBool(v))
	}
	text := func(b []byte, num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1<<60|7)
	b = text(text(text(b, 2, m.method), 3, m.path), 4, m.value)
	b = text(flag(b, 5, m.dir), 6, m.previous)
	for num := protowire.Number(7); num <= 16; num++ {
		b = flag(b, num, num == 12 && m.recursive)
	}
	return flag(b, 17, m.refresh)
}

// wrapped is the request in an InternalRaftRequest, as etcd 3.5 wrote what it says of itself.
func wrapped(b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(protowire.AppendVarint([]byte{1 << 3}, 9), fieldV2, protowire.BytesType), b)
}

// An opText is what matters of an Op.
type opText struct {
	Kind            OpKind
	Key, End, Value string
	Keeps           bool
}

func opTexts(ops []Op) []opText {
	var all []opText
	for op := range All(ops) {
		all = append(all, opText{op.Kind, string(op.Key), string(op.RangeEnd), string(op.Value), op.IgnoreValue})
	}
	return all
}

func TestParseV2(t *testing.T) {
	const path, key = "/1/registry/secrets/a/b", "/registry/secrets/a/b"
	for name, tt := range map[string]struct {
		in   v2Message
		want []opText
	}{
		"put":           {v2Message{method: "PUT", path: path, value: "x"}, []opText{{Kind: OpV2Put, Key: key, Value: "x"}}},
		"in order":      {v2Message{method: "POST", path: path, value: "x"}, []opText{{Kind: OpV2Put, Key: key, Value: "x"}}},
		"empty value":   {v2Message{method: "PUT", path: path}, []opText{{Kind: OpV2Put, Key: key}}},
		"compare":       {v2Message{method: "PUT", path: path, value: "x", previous: "y"}, []opText{{Kind: OpV2Prev, Key: key, Value: "y"}, {Kind: OpV2Put, Key: key, Value: "x"}}},
		"refresh":       {v2Message{method: "PUT", path: path, refresh: true}, []opText{{Kind: OpV2Put, Key: key, Keeps: true}}},
		"dir":           {v2Message{method: "PUT", path: path, dir: true}, nil},
		"delete":        {v2Message{method: "DELETE", path: path}, []opText{{Kind: OpV2Delete, Key: key}}},
		"delete all":    {v2Message{method: "DELETE", path: path, recursive: true}, []opText{{Kind: OpV2Delete, Key: key}, {Kind: OpV2Delete, Key: key + "/", End: key + "0"}}},
		"delete if":     {v2Message{method: "DELETE", path: path, previous: "y"}, []opText{{Kind: OpV2Prev, Key: key, Value: "y"}, {Kind: OpV2Delete, Key: key}}},
		"read":          {v2Message{method: "QGET", path: path}, nil},
		"sync":          {v2Message{method: "SYNC"}, nil},
		"other":         {v2Message{method: "PATCH", path: path, value: "x"}, []opText{{Kind: OpV2Put, Key: key, Value: "x"}}},
		"member":        {v2Message{method: "PUT", path: "/0/members/7/attributes", value: "{}"}, nil},
		"version":       {v2Message{method: "PUT", path: "/0/version", value: "3.5.0"}, nil},
		"no such store": {v2Message{method: "PUT", path: "/10/a", value: "x"}, []opText{{Kind: OpV2Put, Key: "/10/a", Value: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			for form, b := range map[string][]byte{"alone": tt.in.encode(), "wrapped": wrapped(tt.in.encode())} {
				ops, err := parseRequest(b, 0)
				if diff := cmp.Diff(tt.want, opTexts(ops)); diff != "" || err != nil {
					t.Errorf("%s: %v (-want +got):\n%s", form, err, diff)
				}
				var r reading
				checkOps(t, &r, ops, b, true)
			}
		})
	}
}

// Of a request that was not written whole, what is there of its value is told, and that it is cut.
func TestCutV2(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringN(1, -1, -1).Draw(r, "value")
		b := v2Message{method: "PUT", path: "/1/registry/secrets/a/b", value: value}.encode()
		if rapid.Bool().Draw(r, "wrapped") {
			b = wrapped(b)
		}
		n := rapid.IntRange(0, len(b)).Draw(r, "cut")
		ops, _ := parseRequest(b[:n], 100)
		for op := range All(ops) {
			if op.Kind != OpV2Put {
				r.Fatalf("%+v", op)
			}
			if op.Complete && string(op.Value) != value || !bytes.HasPrefix([]byte(value), op.Value) {
				r.Errorf("complete %t, %d bytes of %d", op.Complete, len(op.Value), len(value))
			}
			if len(op.Value) > 0 && !bytes.Equal(b[op.ValueOff-100:][:len(op.Value)], op.Value) {
				r.Errorf("not what stands at %d", op.ValueOff)
			}
		}
	})
}

// A request of the API of today is never taken for one of the v2 API.
func TestNoV2(t *testing.T) {
	for i := range 8 {
		b, err := proto.Marshal(request(i))
		if err != nil {
			t.Fatal(err)
		}
		ops, err := parseRequest(b, 0)
		if err != nil || len(ops) == 0 {
			t.Fatal(i, err)
		}
		for op := range All(ops) {
			if op.IsV2() {
				t.Errorf("%d: %+v", i, op)
			}
		}
	}
}

// Whatever the bytes, values are where they say, and a request costs no more than it may.
func FuzzParseV2(f *testing.F) {
	m := v2Message{method: "PUT", path: "/1/registry/secrets/a/b", value: "x", previous: "y"}
	f.Add(m.encode())
	f.Add(wrapped(m.encode()))
	f.Add(v2Message{method: "DELETE", path: "/1/a", recursive: true}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		ops, _ := parseRequest(b, 0)
		var r reading
		checkOps(t, &r, ops, b, true)
		for op := range All(ops) {
			if op.IsV2() && bytes.HasPrefix(op.Key, []byte("/0/")) {
				t.Error("what etcd says of itself is no key")
			}
		}
		requestBound.Check(t, len(b), func() { _, _ = parseRequest(b, 0) })
		var want pb.InternalRaftRequest
		if proto.Unmarshal(b, &want) == nil && len(want.ProtoReflect().GetUnknown()) == 0 && len(ops) > 0 && ops[0].IsV2() {
			t.Error("taken for a v2 request")
		}
	})
}
