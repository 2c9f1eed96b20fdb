package evidence

import (
	"bytes"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// Each source is good for one thing, whatever its kind.
func TestSourceUse(t *testing.T) {
	file := bytes.NewReader(nil)
	tests := []struct {
		source              Source
		tree, log, searched bool
	}{
		{Source{File: file}, true, false, false},
		{Source{File: file, Kind: report.KindDB}, true, false, false},
		{Source{File: file, Kind: report.KindWAL}, false, true, false},
		{Source{File: file, Kind: report.KindOther}, false, false, true},
		{Source{Path: "that of a WAL alone"}, false, false, false},
	}
	for _, tt := range tests {
		if s := tt.source; s.HasTree() != tt.tree || s.IsLog() != tt.log || s.IsSearched() != tt.searched {
			t.Errorf("%q %q: tree %v, log %v, searched %v", s.Path, s.Kind, s.HasTree(), s.IsLog(), s.IsSearched())
		}
	}
}
