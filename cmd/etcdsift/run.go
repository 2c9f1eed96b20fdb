package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/reports"
)

// report examines the evidence and writes the report on it. The error carries the
// exit status.
func (f *evidenceFlags) report(cmd *cobra.Command, paths []string, o analyzer.Options, format reports.Format) error {
	found, err := f.open(cmd, paths)
	if err != nil {
		return err
	}
	defer found.close()
	var r *report.Report
	err = f.write(cmd, false, func(w io.Writer) (err error) {
		if r, err = f.examine(cmd, found, o); err != nil {
			return err
		}
		return format.Write(w, r)
	})
	if err != nil {
		return err
	}
	for _, t := range r.Retire {
		switch {
		case t.Answer == report.RetireUnseen:
			fmt.Fprintf(cmd.ErrOrStderr(), "etcdsift: --retire %s\n", reports.Unseen(t)) // escaped already
		case t.Answer == report.RetireUnknown && !t.Seen:
			complain(cmd.ErrOrStderr(), fmt.Sprintf("warning: --retire %s: no value that was read names it: is it spelt right?", t.Key))
		}
	}
	return exit(r)
}

// open opens the evidence, before anything is written anywhere: only then is it known what
// must not be written over. The caller closes it.
func (f *evidenceFlags) open(cmd *cobra.Command, paths []string) (*opened, error) {
	found, err := openEvidence(paths, f.noWAL)
	f.inputs.addEvidence(found)
	if f.inputs.is(cmd.ErrOrStderr()) != "" { // where what is wrong would be said
		err = &statusError{status: report.ExitUsage}
	}
	if err == nil {
		err = f.checkOutputs(cmd)
	}
	if err != nil {
		found.close()
		return nil, err
	}
	found.tell(cmd.ErrOrStderr())
	return found, nil
}

// checkOutputs is the error for a run that would write over what it reads.
func (f *evidenceFlags) checkOutputs(cmd *cobra.Command) error {
	if what := f.inputs.is(cmd.OutOrStdout()); what != "" {
		return fmt.Errorf("standard output is %s, which this run reads; choose another place", what)
	}
	if isStdout(f.output) {
		return nil
	}
	f.place = placeOf(f.output)
	return f.inputs.apart(f.output, f.place)
}

// write is writeOutput to where these flags say.
func (f *evidenceFlags) write(cmd *cobra.Command, private bool, write func(io.Writer) error) error {
	return writeOutput(cmd, f.output, f.place, private, func() error { return f.inputs.apart(f.output, f.place) }, write)
}

// examine runs the analysis of evidence that is open.
func (f *evidenceFlags) examine(cmd *cobra.Command, found *opened, o analyzer.Options) (r *report.Report, err error) {
	o.NotExamined, o.NotEvidence = found.notExamined, found.notEvidence
	if len(o.Retire) > 0 {
		o.NotExamined = append(o.NotExamined, found.besides...) // that no newest value needs a key is a claim on all
	}
	if f.secondWitness {
		if o.Witness, err = newWitness(cmd.ErrOrStderr(), found.sources, &f.inputs); err != nil {
			return nil, &statusError{report.ExitUsage, []error{err}}
		}
	}
	bar := newProgress(cmd.ErrOrStderr(), found.sources)
	o.Progress = bar.update
	r, err = analyzer.Run(cmd.Context(), found.sources, o)
	bar.finish()
	if note := found.accessNote(); note != "" {
		complain(cmd.ErrOrStderr(), note)
	}
	var status *statusError
	if errors.As(err, &status) {
		return nil, status // of where the values go
	}
	if err != nil {
		return nil, &statusError{report.ExitUsage, []error{runError(cmd.Context(), err)}}
	}
	return r, nil
}

// maxTold bounds the lines about what could not be read; the report has all of it.
const maxTold = 10

// tell says which PATHs are no evidence, and what could not be read.
func (e *opened) tell(stderr io.Writer) {
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
func exit(r *report.Report) error {
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
