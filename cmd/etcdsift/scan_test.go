package main

import (
	"context"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// scanSources asks of sources that are open which objects can be read from them.
func scanSources(ctx context.Context, sources []evidence.Source, in analyzer.Interest) (*report.Report, error) {
	r, err := analyzer.Read(ctx, sources, in)
	if err != nil {
		return nil, err
	}
	return r.Scan(ctx, analyzer.ScanOptions{})
}
