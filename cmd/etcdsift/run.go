package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/reports"
)

// report examines the evidence and writes the report on it. The error carries the
// exit status.
func (f *evidenceFlags) report(cmd *cobra.Command, paths []string, o analyzer.Options, format reports.Format) error {
	if err := apart(f.output, paths); err != nil {
		return err
	}
	var r *analyzer.Report
	err := writeOutput(cmd, f.output, false, func(w io.Writer) (err error) {
		if r, err = f.examine(cmd, paths, o); err != nil {
			return err
		}
		return format.Write(w, r)
	})
	if err != nil {
		return err
	}
	if r.Retire != nil && !r.Retire.Seen {
		complain(cmd.ErrOrStderr(), fmt.Sprintf("warning: no value in this evidence names %s, in any region: is it spelt right?", r.Retire.Key))
	}
	return exit(r)
}

// examine opens the evidence, runs the analysis and closes the evidence.
func (f *evidenceFlags) examine(cmd *cobra.Command, paths []string, o analyzer.Options) (*analyzer.Report, error) {
	return f.study(cmd, paths, o, func(*evidence, *analyzer.Report) error { return nil })
}

// study is examine for who wants to look at the evidence once more before it is closed.
func (f *evidenceFlags) study(cmd *cobra.Command, paths []string, o analyzer.Options,
	then func(*evidence, *analyzer.Report) error) (*analyzer.Report, error) {
	found, err := openEvidence(paths, f.noWAL)
	if err != nil {
		return nil, err
	}
	defer found.close()
	found.tell(cmd.ErrOrStderr())
	o.NotExamined, o.NotEvidence = found.notExamined, found.notEvidence
	if o.Retire != nil {
		o.NotExamined = append(o.NotExamined, found.besides...) // that no newest value needs a key is a claim on all
	}
	if f.secondWitness {
		if o.Witness, err = newWitness(cmd.ErrOrStderr(), found.sources, paths); err != nil {
			return nil, &statusError{analyzer.ExitUsage, []error{err}}
		}
	}
	bar := newProgress(cmd.ErrOrStderr(), found.sources)
	o.Progress = bar.update
	report, err := analyzer.Run(cmd.Context(), found.sources, o)
	bar.finish()
	if note := found.accessNote(); note != "" {
		complain(cmd.ErrOrStderr(), note)
	}
	var status *statusError
	if errors.As(err, &status) {
		return nil, status // of where the values go
	}
	if err != nil {
		return nil, &statusError{analyzer.ExitUsage, []error{runError(cmd.Context(), err)}}
	}
	return report, then(found, report)
}

// maxTold bounds the lines about what could not be read; the report has all of it.
const maxTold = 10

// tell says which PATHs are no evidence, and what could not be read.
func (e *evidence) tell(stderr io.Writer) {
	for _, n := range e.notEvidence {
		complain(stderr, string(n.Path)+": "+n.What)
	}
	for _, line := range e.unreadable[:min(len(e.unreadable), maxTold)] {
		complain(stderr, line)
	}
	if more := len(e.unreadable) - maxTold; more > 0 {
		complain(stderr, fmt.Sprintf("and %d more files and folders that could not be read: the report names them", more))
	}
}

// exit is the error that carries the report's exit status, nil for 0.
func exit(r *analyzer.Report) error {
	if r.Verdict.ExitStatus == 0 {
		return nil
	}
	return &statusError{status: r.Verdict.ExitStatus}
}

var errInterrupted = errors.New("interrupted before the whole report was written")

// runError says what ended a run.
func runError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}
