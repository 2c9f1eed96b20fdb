package analyzer

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/fixtures"
)

// Each Secret that another object holds is a copy with that carrier, in the region of its value, and
// nothing else is exposed. Every canary in the file lies in a copy.
func TestEmbedded(t *testing.T) {
	scenario, err := fixtures.Lookup("embedded")
	if err != nil {
		t.Fatal(err)
	}
	e := build(t, scenario)
	sources := files(e)
	for _, path := range sources {
		t.Run(path, func(t *testing.T) {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := run(t, Options{FailOn: report.SeverityHigh}, open(t, path))
			found := map[string]bool{} // by carrier and key
			live := map[string]bool{}
			for _, v := range e.Answer.Live {
				live[v.Key] = true
			}
			for _, x := range r.Exposures {
				state := report.StateUnknown
				if live[string(x.Key)] {
					state = report.StateLive
				}
				if x.State != state || x.Status != report.StatusExposed || len(x.DataKeys) == 0 {
					t.Errorf("exposure: %+v", x)
				}
				for _, c := range x.Copies {
					i := slices.IndexFunc(e.Answer.Embedded, func(e fixtures.Embedded) bool { return e.Key == string(x.Key) && e.Carrier == string(c.Carrier) })
					if i < 0 {
						t.Errorf("%s: copy: %+v", x.Key, c)
						continue
					}
					if want := e.Answer.Embedded[i]; c.Region.String() == want.Region {
						found[want.Key] = true
					}
					covered := file[c.Offset : c.Offset+c.Length]
					if !bytes.Contains(covered, []byte("Secret")) || !c.Complete || c.Escaped != strings.Contains(string(covered), `\n`) {
						t.Errorf("%s: copy %+v", x.Key, c)
					}
				}
			}
			want := map[string]bool{}
			for _, w := range e.Answer.Embedded {
				want[w.Key] = true
				for _, trace := range fixtures.Traces(w.Canary) {
					if at := hidden(r, file, trace); len(at) > 0 {
						t.Errorf("no copy covers the canary of %s at %d", w.Key, at)
					}
				}
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("copies in the region of their carrier (-want +got):\n%s", diff)
			}
			for _, f := range r.Findings {
				if f.Rule != report.RulePlaintextEmbedded {
					t.Errorf("finding: %+v", f)
				}
			}
			if r.Verdict.Status != report.StatusExposed || !r.Verdict.Complete {
				t.Errorf("verdict: %+v", r.Verdict)
			}
		})
	}
}
