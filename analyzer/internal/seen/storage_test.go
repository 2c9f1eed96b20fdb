package seen

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// The report has a word for each provider, and for no other.
func TestReportedProviders(t *testing.T) {
	var got []report.Provider
	for _, p := range append([]envelope.Provider{envelope.Unknown, envelope.Identity}, envelope.Encrypting()...) {
		got = append(got, Storage{Provider: p}.Reported())
	}
	if diff := cmp.Diff(report.Providers(), got); diff != "" {
		t.Errorf("(-report +envelope):\n%s", diff)
	}
}
