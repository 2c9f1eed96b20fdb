// Package analyzer turns decoded records into a Report: which objects are
// readable from the evidence, what is encrypted with which key, what was read and
// what was not.
//
// Run takes each Source through the same steps: sweep the file once and keep the
// newest revision of every key; learn from the values how this etcd names its
// objects; then classify each live key. A Report holds positions, names and
// counts, and never a byte of a Secret's value.
package analyzer

import (
	"context"
	"fmt"
	"io"

	"github.com/etcdsift/etcdsift/decode/object"
)

// A Source is a file of evidence that the caller opened read-only.
type Source struct {
	Path Text // as the report is to name it
	File io.ReaderAt
	Size int64 // in bytes
	// Changed is asked after the file has been read: what it says, if anything, is
	// how the file changed meanwhile. nil means that it can not change.
	Changed func() string
}

// Options say what a run is about. The zero value asks for the plaintext Secrets
// of a Kubernetes cluster.
type Options struct {
	// Tool is named in the report.
	Tool Tool
	// Resources are what the verdict is about; nil means Secrets.
	Resources []object.GroupResource
	// Prefixes are those of Kubernetes' keys, such as "/registry"; nil means
	// those that are found.
	Prefixes []string
	// FailOn is the least severity that makes the exit status 1; SeverityNone
	// means that no finding does.
	FailOn Severity
	// NotExamined is what the caller knows of and did not open, such as the WAL
	// beside a db.
	NotExamined []NotExamined
	// NotEvidence is what the user named and is no evidence, or is not there.
	NotEvidence []NotExamined
	// Values, if not nil, is called for the newest value of each live key, in
	// the order of the sources, then of the keys. An error from it ends the run.
	Values func(Value) error
	// Progress, if not nil, is called from another goroutine as a file is read.
	Progress func(path Text, done, total int64)
}

// Run examines the sources. Damage and disk errors are in the Report; the error is
// that of the context or of Options.Values, or says that no key of a source lies
// under Options.Prefixes.
func Run(ctx context.Context, sources []Source, o Options) (*Report, error) {
	if o.Resources == nil {
		o.Resources = []object.GroupResource{{Resource: "secrets"}}
	}
	surveys := make([]*survey, 0, len(sources))
	for _, source := range sources {
		s := newSurvey(source, o)
		if err := s.examine(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", source.Path.ValidUTF8(), err)
		}
		if err := s.identify(ctx, o.Prefixes); err != nil {
			return nil, fmt.Errorf("%s: %w", source.Path.ValidUTF8(), err)
		}
		surveys = append(surveys, s)
		if o.Values == nil {
			continue
		}
		if err := s.values(o.Values, len(sources) > 1); err != nil {
			return nil, err
		}
	}
	return newReport(surveys, o), nil
}
