package analyzer

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// However few nonces are compared at once, what is found is the same: the others come in
// further passes.
func TestNoncesInParts(t *testing.T) {
	for _, name := range []string{"nonce-reuse", "nonce-decoys"} {
		c, err := fixtures.LookupEncryption(name)
		if err != nil {
			t.Fatal(err)
		}
		e := buildEncryption(t, c)
		reused := func(most int) (found []report.Finding) {
			r, err := askAll(t.Context(), []evidence.Source{open(t, e.DB)}, Options{maxNonces: most})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				if f.Rule == report.RuleNonceReuse {
					found = append(found, f)
				}
			}
			return found
		}
		want := reused(0)
		if len(want) != len(e.Reused) {
			t.Errorf("%s: %d nonces, want %d", name, len(want), len(e.Reused))
		}
		for _, most := range []int{16, 40} {
			if diff := gocmp.Diff(want, reused(most)); diff != "" {
				t.Errorf("%s, %d at once (-want +got):\n%s", name, most, diff)
			}
		}
	}
}

// Two files of one cluster hold the same values: none of them is a reuse.
func TestNoncesOfTwoFiles(t *testing.T) {
	c, err := fixtures.LookupEncryption("nonce-decoys")
	if err != nil {
		t.Fatal(err)
	}
	e := buildEncryption(t, c)
	one, two := open(t, e.DB), open(t, e.DB)
	two.Path = "copy.db"
	r, err := askAll(t.Context(), []evidence.Source{one, two}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Rule == report.RuleNonceReuse {
			t.Errorf("%+v", f)
		}
	}
}
