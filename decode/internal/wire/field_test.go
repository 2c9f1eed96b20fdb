package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/etcdsift/etcdsift/decode"
)

func TestNext(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		want Field
		err  error
	}{
		{"varint", []byte{0x08, 0x96, 0x01, 0xFF}, Field{Num: 1, Type: protowire.VarintType, Size: 3, Varint: 150}, nil},
		{"bytes", []byte{0x12, 0x02, 'a', 'b', 'c'}, Field{Num: 2, Type: protowire.BytesType, Size: 4, Bytes: []byte("ab")}, nil},
		{"empty bytes", []byte{0x12, 0x00}, Field{Num: 2, Type: protowire.BytesType, Size: 2, Bytes: []byte{}}, nil},
		{"fixed32", []byte{0x1D, 1, 2, 3, 4}, Field{Num: 3, Type: protowire.Fixed32Type, Size: 5}, nil},
		{"group", []byte{0x23, 0x08, 0x01, 0x24}, Field{Num: 4, Type: protowire.StartGroupType, Size: 4}, nil},
		{"bytes that are cut", []byte{0x12, 0x05, 'a'}, Field{Num: 2, Type: protowire.BytesType, Size: 3, Bytes: []byte("a")}, decode.ErrTruncated},
		{"length of 2^63", append([]byte{0x12}, bytes.Repeat([]byte{0xFF}, 9)...), Field{}, decode.ErrTruncated},
		{"tag that is cut", []byte{0x80}, Field{}, decode.ErrTruncated},
		{"varint that is cut", []byte{0x08, 0x80}, Field{}, decode.ErrTruncated},
		{"field 0", []byte{0x00, 0x01}, Field{}, decode.ErrValue},
		{"field 2^29", protowire.AppendVarint(nil, 1<<29<<3), Field{}, decode.ErrValue},
		{"wire type 7", []byte{0x0F}, Field{}, decode.ErrValue},
		{"end of a group that did not start", []byte{0x0C}, Field{}, decode.ErrValue},
	}
	for _, tt := range tests {
		got, err := Next(tt.b)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What was written field by field is read field by field.
func TestEach(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var message []byte
		var want []Field
		for range rapid.IntRange(0, 8).Draw(r, "fields") {
			f := Field{Num: protowire.Number(rapid.IntRange(1, 1<<29-1).Draw(r, "number"))}
			start := len(message)
			if rapid.Bool().Draw(r, "bytes") {
				f.Type, f.Bytes = protowire.BytesType, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "value")
				message = protowire.AppendBytes(protowire.AppendTag(message, f.Num, f.Type), f.Bytes)
			} else {
				f.Type, f.Varint = protowire.VarintType, rapid.Uint64().Draw(r, "value")
				message = protowire.AppendVarint(protowire.AppendTag(message, f.Num, f.Type), f.Varint)
			}
			f.Size = len(message) - start
			want = append(want, f)
		}
		var got []Field
		if err := Each(message, func(f Field) error { got = append(got, f); return nil }); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Errorf("fields (-want +got):\n%s", diff)
		}
	})
}

func TestEachErrors(t *testing.T) {
	stop := errors.New("enough")
	if err := Each([]byte{0x08, 0x01, 0x08, 0x01}, func(Field) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of the function", err)
	}
	n := 0
	if err := Each([]byte{0x08, 0x01, 0x12, 0x05, 'a'}, func(Field) error { n++; return nil }); !errors.Is(err, decode.ErrTruncated) || n != 1 {
		t.Errorf("error %v after %d fields", err, n)
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{0x12, 0x02, 'a', 'b'})
	f.Add([]byte{0x08, 0x96, 0x01})
	f.Add([]byte{0x23, 0x08, 0x01, 0x24})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		got, err := Next(b)
		if got.Size < 0 || got.Size > len(b) || len(got.Bytes) > got.Size || cap(got.Bytes) > len(got.Bytes) {
			t.Errorf("%+v of %d bytes", got, len(b))
		}
		// The library is the witness of the whole.
		_, _, n := protowire.ConsumeField(b)
		num, _, tag := protowire.ConsumeTag(b)
		if valid := n >= 0 && tag > 0 && num <= protowire.MaxValidNumber; valid != (err == nil) || valid && n != got.Size {
			t.Errorf("%+v, error %v; the library reads %d bytes", got, err, n)
		}
	})
}
