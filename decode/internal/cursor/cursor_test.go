package cursor

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A taking is what a Cursor gave for one read.
type taking struct {
	V     uint64
	Pos   int
	Short bool
}

func TestCursor(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	cases := []struct {
		name  string
		b     []byte
		pos   int
		order Order
		reads string // sizes
		want  []taking
	}{
		{"little-endian", b, 0, Little, "248", []taking{{0x0201, 2, false}, {0x06050403, 6, false}, {0x0E0D0C0B0A090807, 14, false}}},
		{"big-endian", b, 0, Big, "248", []taking{{0x0102, 2, false}, {0x03040506, 6, false}, {0x0708090A0B0C0D0E, 14, false}}},
		{"from the middle", b, 12, Big, "2", []taking{{0x0D0E, 14, false}}},
		{"2 bytes past the end", b, 13, Little, "2", []taking{{0, 13, true}}},
		{"4 bytes past the end", b, 11, Little, "4", []taking{{0, 11, true}}},
		{"8 bytes past the end", b, 7, Big, "8", []taking{{0, 7, true}}},
		{"at the end", b, 14, Little, "2", []taking{{0, 14, true}}},
		{"behind the end", b, 15, Little, "248", []taking{{0, 15, true}, {0, 15, true}, {0, 15, true}}},
		{"in front of the start", b, -1, Little, "2", []taking{{0, -1, true}}},
		{"nothing", nil, 0, Big, "8", []taking{{0, 0, true}}},
		{"short stays short", b[:3], 0, Little, "42", []taking{{0, 0, true}, {0x0201, 2, true}}},
	}
	for _, c := range cases {
		cursor := Cursor{B: c.b, Pos: c.pos, Order: c.order}
		var got []taking
		for _, size := range c.reads {
			var v uint64
			switch size {
			case '2':
				v = uint64(cursor.Uint16())
			case '4':
				v = uint64(cursor.Uint32())
			case '8':
				v = cursor.Uint64()
			}
			got = append(got, taking{v, cursor.Pos, cursor.Short()})
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestOrder(t *testing.T) {
	cases := []struct {
		order  Order
		name   string
		append binary.AppendByteOrder
	}{
		{Little, "little-endian", binary.LittleEndian},
		{Big, "big-endian", binary.BigEndian},
	}
	for _, c := range cases {
		if got := c.order.String(); got != c.name {
			t.Errorf("String: %q, want %q", got, c.name)
		}
		const v = 0x0102030405060708
		want := c.append.AppendUint64([]byte("x"), v)
		if got := c.order.Append([]byte("x"), v); !bytes.Equal(got, want) {
			t.Errorf("%v: Append gives %x, want %x", c.order, got, want)
		}
		cursor := Cursor{B: want, Pos: 1, Order: c.order}
		if got := cursor.Uint64(); got != v || cursor.Short() {
			t.Errorf("%v: %#x read back, short %t", c.order, got, cursor.Short())
		}
	}
}
