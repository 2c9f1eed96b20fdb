package sweep

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// Of a page that the tree does not reach, records are taken whole, and all that none covers is
// carved. All its bytes are residue, once.
func TestFreePage(t *testing.T) {
	record := forged.Record{Rev: 4, Key: forged.SecretKey(2), Value: secret(t, 2)}
	leaf := forged.Leaf(t, 4, 0, record)
	key, value := record.Element(t)
	named := func(flags uint32, value []byte) []byte {
		return forged.Page{ID: 4, Flags: forged.FlagLeaf, Elements: []forged.Element{{Flags: flags, Key: []byte("name"), Value: value}}}.Bytes()
	}
	branch := forged.Page{ID: 4, Flags: forged.FlagBranch, Elements: []forged.Element{{Key: key, Child: 3}}}.Bytes()
	with := func(b []byte, f func([]byte)) []byte {
		b = slices.Concat(b, make([]byte, forged.PageSize-len(b)))
		f(b)
		return b
	}
	const page = forged.PageSize
	tests := []struct {
		name    string
		page    []byte
		copies  []string
		unkeyed int // objects without a key
		residue report.ResidueCounts
	}{
		{"zeros", nil, []string{}, 0, report.ResidueCounts{}},
		{"a leaf", leaf, []string{"s-2 at 4: free page"}, 0, report.ResidueCounts{Bytes: page, Records: 1}},
		{"the header of another page is payload, which goes on to the next", with(leaf, func(b []byte) { b[0] = 77 }), []string{"s-2 at 4: pieces"}, 0,
			report.ResidueCounts{Bytes: 2 * page, Fragments: 1}},
		{"a tombstone is none", forged.Leaf(t, 4, 0, forged.Record{Rev: 4, Key: forged.SecretKey(2), Tombstone: true}), []string{}, 0,
			report.ResidueCounts{Bytes: page, Records: 1}},
		{"a leaf, and a record in its slack", with(leaf, func(b []byte) { copy(b[2000:], record.Bytes(t)) }),
			[]string{"s-2 at 4: free page", "s-2 at 4: pieces"}, 0, report.ResidueCounts{Bytes: page, Records: 1, Fragments: 1}},
		{"a leaf whose element points elsewhere", with(leaf, func(b []byte) { forged.PutElement(b, 0, 0, 16, 17, 1<<30) }),
			[]string{"s-2 at 4: pieces"}, 0, report.ResidueCounts{Bytes: page, Fragments: 1}},
		{"a leaf of another bucket that hides an object", named(0, secret(t, 2)), []string{}, 1, report.ResidueCounts{Bytes: page, Fragments: 1}},
		{"an inline bucket with a record", named(forged.ElementBucket, append(forged.Bucket(0), forged.Page{Flags: forged.FlagLeaf, Elements: []forged.Element{{Key: key, Value: value}}}.Bytes()...)),
			[]string{"s-2 at 4: free page"}, 0, report.ResidueCounts{Bytes: page, Records: 1}},
		{"a branch", branch, []string{}, 0, report.ResidueCounts{Bytes: page}},
		{"a branch, and an object in its slack", with(branch, func(b []byte) { copy(b[2000:], secret(t, 2)) }), []string{}, 1, report.ResidueCounts{Bytes: page, Fragments: 1}},
		{"an object in a branch that is broken", with(branch, func(b []byte) { b[16]++; copy(b[16+16:], secret(t, 2)) }), []string{}, 1,
			report.ResidueCounts{Bytes: page, Fragments: 1}},
		{"a page without a header", secret(t, 2), []string{}, 1, report.ResidueCounts{Bytes: 2 * page, Fragments: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := sweepDB(t, freeDB(t, tt.page))
			if diff := cmp.Diff(tt.copies, copiesOf(ev)); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.residue, ev.Residue); diff != "" {
				t.Errorf("residue (-want +got):\n%s", diff)
			}
			if len(ev.Unkeyed) != tt.unkeyed || len(ev.Damage) > 0 {
				t.Errorf("%d objects without a key, want %d; damage %q", len(ev.Unkeyed), tt.unkeyed, damageOf(ev))
			}
			if diff := cmp.Diff([]string{"s-1 at 5"}, keysOf(ev)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}
