package analyzer

import (
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/naming"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/resource"
	"github.com/etcdsift/etcdsift/fixtures"
	"github.com/etcdsift/etcdsift/fixtures/forged"
)

// examined is the evidence of a source, as the passes after the sweep find it.
func examined(t *testing.T, sources ...evidence.Source) *seen.Evidence {
	t.Helper()
	reading := &Reading{interest: Interest{Resources: []resource.GroupResource{seen.Secrets}}, nonces: keys.NewNonces(keys.MaxNonces)}
	for i := range sources {
		sources[i].File = evidence.NewReader(sources[i])
	}
	evs, err := examine(t.Context(), sources, seen.NewInterest(reading.want(sources)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := naming.Learn(t.Context(), evs[0], nil); err != nil {
		t.Fatal(err)
	}
	return evs[0]
}

// onPages are the values that pages hold as records, by their offset.
func onPages(t *testing.T, ev *seen.Evidence) map[int64]string {
	t.Helper()
	found := map[int64]string{}
	err := ev.EachValue(t.Context(), func(v *seen.Value) error {
		if v.Place != seen.InTree && v.Place != seen.OnFreePage {
			return nil
		}
		if was, twice := found[v.Off]; twice {
			t.Errorf("the value at %#x comes twice, as %s", v.Off, was)
		}
		found[v.Off] = fmt.Sprintf("%s, in the tree: %v", v.Key, v.Place == seen.InTree)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// After the sweep the values on pages are those that an independent walk finds, and so is
// which of them the tree has. Where two leaves were swapped, the tree has neither: a value
// of it would be called a copy of what is live, and is not.
func TestRecords(t *testing.T) {
	for _, name := range []string{"deleted", "deleted-compacted", "providers", "page-1024", "page-65536", "freelist", "nested", "big-endian", "large-freed"} {
		t.Run(name, func(t *testing.T) {
			db := snapshotBytes(t, name)
			if name == "big-endian" { // the walk knows nothing of it
				if got := onPages(t, examined(t, inMemory(db))); len(got) == 0 {
					t.Error("no values")
				}
				return
			}
			all, err := fixtures.Records(db)
			if err != nil {
				t.Fatal(err)
			}
			m, err := fixtures.MapPages(db)
			if err != nil {
				t.Fatal(err)
			}
			want := func(swapped ...uint64) map[int64]string {
				found := map[int64]string{}
				for _, r := range all {
					if r.Tombstone {
						continue
					}
					off, inTree := r.Off, r.InTree
					id := uint64(off) / uint64(m.PageSize)
					if i := slices.Index(swapped, id); i >= 0 {
						off += (int64(swapped[1-i]) - int64(id)) * int64(m.PageSize)
						inTree = false
					}
					found[r.ValueOff(off)] = fmt.Sprintf("%s, in the tree: %v", r.Key, inTree)
				}
				return found
			}
			if diff := gocmp.Diff(want(), onPages(t, examined(t, inMemory(db)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			leaves := keyLeaves(m, all)
			if len(leaves) < 2 {
				return
			}
			for i := range min(6, len(leaves)-1) {
				a, b := leaves[i], leaves[len(leaves)-1-i]
				if a == b {
					continue
				}
				broken, _, err := fixtures.SwapPages(a, b).Apply(db)
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(want(a, b), onPages(t, examined(t, inMemory(broken)))); diff != "" {
					t.Errorf("leaves %d and %d swapped (-want +got):\n%s", a, b, diff)
				}
			}
		})
	}
}

// keyLeaves are the leaves of the bucket "key" that have no overflow pages.
func keyLeaves(m fixtures.PageMap, all []fixtures.Record) (leaves []uint64) {
	for _, r := range all {
		id := uint64(r.Off) / uint64(m.PageSize)
		if r.InTree && !slices.Contains(leaves, id) && !slices.Contains(m.Overflow, id) && !slices.Contains(m.Overflow, id+1) {
			leaves = append(leaves, id)
		}
	}
	return leaves
}

// A put in the WAL is a value in either branch of its transaction, and a record in another
// bucket than "key" is residue: all passes see them.
func TestEveryPlace(t *testing.T) {
	db := inMemory(forged.DB{Index: 10, Member: 7, Records: []forged.Record{
		{Rev: 5, Key: forged.SecretKey(1), Value: forged.Sealed(oldKey, "tree")},
		{Rev: 6, Key: forged.SecretKey(2), Value: forged.Sealed(oldKey, "freed")},
	}, Freed: []int64{6}, Others: []forged.Record{{Rev: 7, Key: forged.SecretKey(5), Value: forged.Sealed(oldKey, "elsewhere")}}}.Bytes(t))
	log := laterLog(t, 12, put("11", "s-3", newKey), put("12", "s-4", newKey))
	ev := examined(t, withLog(db, log)...)
	got := map[string][]seen.Place{}
	if err := ev.EachSealed(t.Context(), func(v *seen.Value) error {
		if key := string(v.Key); !slices.Contains(got[key], v.Place) {
			got[key] = append(got[key], v.Place)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, places := range got {
		slices.Sort(places)
	}
	// The first transaction's leaves are free, with all that they hold.
	want := map[string][]seen.Place{forged.SecretKey(1): {seen.InTree, seen.OnFreePage}, forged.SecretKey(2): {seen.OnFreePage}, forged.SecretKey(3): {seen.InWAL}, forged.SecretKey(4): {seen.InWAL}, forged.SecretKey(5): {seen.OnFreePage}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
