package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Segment is a file of the WAL.
type Segment struct {
	evidence.Source
	Evidence  report.Evidence
	BytesRead int64
}
