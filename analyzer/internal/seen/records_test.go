package seen

import (
	"testing"

	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// What a page holds, by rules 1 and 4.
func TestHolding(t *testing.T) {
	ev := &Evidence{Buckets: []string{mvcc.BucketKey, "meta"}}
	leaf := page.Header{ID: 7, Flags: page.FlagLeaf}
	other := page.Header{ID: 9, Flags: page.FlagLeaf, Count: 2}
	branch := page.Header{ID: 7, Flags: page.FlagBranch}
	tests := []struct {
		name string
		page page.Page
		want Holding
	}{
		{"a leaf of the bucket key", page.Page{ID: 7, Use: page.Leaf, Header: leaf}, HoldsTree},
		{"a leaf of another bucket", page.Page{ID: 7, Use: page.Leaf, Header: leaf, Bucket: 1}, HoldsState},
		{"an inline bucket", page.Page{ID: 7, Use: page.Leaf, Header: page.Header{Flags: page.FlagLeaf}, Bucket: 1, Inline: true}, HoldsState},
		{"a leaf that the tree does not mean", page.Page{ID: 7, Use: page.Leaf, Header: leaf, Astray: true}, HoldsResidue},
		{"the same of another bucket", page.Page{ID: 7, Use: page.Leaf, Header: leaf, Astray: true, Bucket: 1}, HoldsResidue},
		{"an inline bucket in it", page.Page{ID: 7, Use: page.Leaf, Header: leaf, Astray: true, Inline: true}, HoldsNone},
		{"another page, whose elements are not in order", page.Page{ID: 7, Use: page.Leaf, Header: other, Astray: true, Data: make([]byte, 64)}, HoldsNone},
		{"a branch where a leaf should be", page.Page{ID: 7, Use: page.Leaf, Header: branch}, HoldsNone},
		{"a branch", page.Page{ID: 7, Use: page.Branch, Header: branch}, HoldsNone},
		{"a free leaf", page.Page{ID: 7, Use: page.Unreachable, Header: leaf}, HoldsResidue},
		{"a free leaf of another ID", page.Page{ID: 7, Use: page.Unreachable, Header: other}, HoldsResidue},
		{"a leaf behind the last page", page.Page{ID: 7, Use: page.Tail, Header: leaf}, HoldsResidue},
		{"a free branch", page.Page{ID: 7, Use: page.Unreachable, Header: branch}, HoldsNone},
		{"pages without a header", page.Page{ID: 7, Use: page.Unreachable, Orphan: true}, HoldsNone},
		{"a page that could not be read", page.Page{ID: 7, Use: page.Unread}, HoldsNone},
	}
	for _, tt := range tests {
		if got := ev.Holding(tt.page); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
