package judge

import (
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

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
