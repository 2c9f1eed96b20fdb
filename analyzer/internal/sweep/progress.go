package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Progress is told how far the reading of a file is, in bytes; nil is told nothing.
type Progress func(path report.Text, done, total int64)

func (p Progress) tell(path report.Text, done, total int64) {
	if p != nil {
		p(path, done, total)
	}
}
