package page

import (
	"encoding/binary"
	"testing"
)

func TestLists(t *testing.T) {
	cases := []struct {
		name  string
		flags Flags
		count int // that the header claims
		ids   []ID
		want  bool
	}{
		{"none", FlagFreelist, 0, nil, true},
		{"in order", FlagFreelist, 3, []ID{2, 3, 9}, true},
		{"out of order", FlagFreelist, 3, []ID{2, 9, 3}, false},
		{"twice", FlagFreelist, 2, []ID{4, 4}, false},
		{"a meta", FlagFreelist, 2, []ID{1, 4}, false},
		{"past the high water mark", FlagFreelist, 2, []ID{4, 10}, false},
		{"more than there is room for", FlagFreelist, 9, []ID{4, 5}, false},
		{"a leaf", FlagLeaf, 2, []ID{4, 5}, false},
	}
	for _, c := range cases {
		p := Page{Header: Header{Flags: c.flags, Count: uint16(c.count)}, Data: make([]byte, HeaderSize)}
		for _, id := range c.ids {
			p.Data = binary.LittleEndian.AppendUint64(p.Data, uint64(id))
		}
		if got := p.Lists(10); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
