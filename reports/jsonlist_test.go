package reports

import (
	"bytes"
	"errors"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A long report that is written in parts is the report that is written in one go.
func TestWriteReport(t *testing.T) {
	short := canned()
	for _, n := range []int{0, 1, listChunk - 1, listChunk, 5*listChunk + 3} {
		r := *short
		r.Exposures, r.Findings = []report.Exposure{}, []report.Finding{}
		for i := range n {
			r.Exposures = append(r.Exposures, short.Exposures[i%len(short.Exposures)])
			r.Findings = append(r.Findings, short.Findings[i%len(short.Findings)])
		}
		for _, indent := range []string{"  ", " "} {
			var want, got bytes.Buffer
			if err := writeJSON(&want, &r, indent); err != nil {
				t.Fatal(err)
			}
			if err := writeReport(&got, &r, indent); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want.Bytes(), got.Bytes()) {
				t.Errorf("%d elements, indent %q: the texts differ, %d and %d bytes", n, indent, want.Len(), got.Len())
			}
		}
		if err := writeReport(&brokenWriter{20}, &r, "  "); !errors.Is(err, errBroken) {
			t.Errorf("%d elements: error %v", n, err)
		}
	}
}
