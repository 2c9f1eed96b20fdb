package analyzer

import (
	"encoding/json"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
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
				var sources []evidence.Source
				for i := range copies {
					s := open(t, e.DB)
					s.Path += report.Text(rune('a' + i))
					sources = append(sources, s)
				}
				r, err := askAll(t.Context(), sources, Options{Encryption: config, Keys: true})
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
