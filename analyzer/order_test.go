package analyzer

import (
	"encoding/json"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// Values are proven by several goroutines, and findings come out of maps: the report is
// the same all the same, of one file and of two.
func TestOrderOfProofs(t *testing.T) {
	for _, name := range []string{"wrong-bytes", "moved-aesgcm", "nonce-reuse", "key-overuse"} {
		c, err := fixtures.LookupEncryption(name)
		if err != nil {
			t.Fatal(err)
		}
		e := buildEncryption(t, c)
		config := openConfig(t, e)
		for _, copies := range []int{1, 2} {
			report := func() string {
				var sources []Source
				for i := range copies {
					s := open(t, e.DB)
					s.Path += report.Text(rune('a' + i))
					sources = append(sources, s)
				}
				r, err := Run(t.Context(), sources, Options{Encryption: config, Keys: true})
				if err != nil {
					t.Fatal(err)
				}
				b, err := json.Marshal([]any{r, r.Keys})
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			want := report()
			for range 8 {
				if got := report(); got != want {
					t.Fatalf("%s, %d files:\n got %s\nwant %s", name, copies, got, want)
				}
			}
		}
	}
}

// A key is proven only if it opens all newest values that name it.
func TestProofOfUse(t *testing.T) {
	for _, c := range []struct {
		use  keyUse
		want report.Proof
	}{
		{keyUse{KeyUse: report.KeyUse{Newest: 2, Opened: 2}}, report.Proven},
		{keyUse{KeyUse: report.KeyUse{Newest: 2, Opened: 1}}, report.Unproven},
		{keyUse{KeyUse: report.KeyUse{Newest: 2, Opened: 1}, newFailed: 1}, report.Failed},
		{keyUse{KeyUse: report.KeyUse{Newest: 2}, proven: 9}, report.Unproven},
		{keyUse{KeyUse: report.KeyUse{Newest: 1, Opened: 1}, failed: 3}, report.Proven},
		{keyUse{proven: 1}, report.Proven},
		{keyUse{proven: 1, failed: 1}, report.Failed},
		{keyUse{}, report.Unproven},
	} {
		if got := c.use.proof(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.use, got, c.want)
		}
	}
}
