package sweep

import "github.com/etcdsift/etcdsift/analyzer/report"

// A Progress is told how many bytes of a file have been read, and how many there are in all. It
// may be nil.
type Progress func(path report.Text, done, total int64)

func (p Progress) tell(path report.Text, done, total int64) {
	if p != nil {
		p(path, done, total)
	}
}
