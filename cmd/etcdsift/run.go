package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// answerTo examines the evidence, and writes the answer to a question on it.
func answerTo[A any](f *evidenceFlags, cmd *cobra.Command, paths []string, in analyzer.Interest,
	ask func(context.Context, *analyzer.Reading) (A, error), write func(io.Writer, A) error) (a A, err error) {
	found, err := f.open(cmd, paths)
	if err != nil {
		return a, err
	}
	defer found.Close()
	err = f.write(cmd, false, func(w io.Writer) (err error) {
		if a, err = examine(f, cmd, found, in, ask); err != nil {
			return err
		}
		return write(w, a)
	})
	return a, err
}

// open opens the evidence before the run writes anything, to learn what it must not write over.
// The caller closes it.
func (f *evidenceFlags) open(cmd *cobra.Command, paths []string) (*evidence.Set, error) {
	f.paths = paths
	found, err := evidence.Open(paths, f.noWAL)
	if err != nil {
		err = &statusError{report.ExitNotEvidence, notEvidence(found)}
	}
	f.inputs.addEvidence(found)
	if f.inputs.is(cmd.ErrOrStderr()) != "" { // where the error would go
		err = &statusError{status: report.ExitUsage}
	}
	if err == nil {
		err = f.checkOutputs(cmd)
	}
	if err != nil {
		found.Close()
		return nil, err
	}
	tell(cmd.ErrOrStderr(), found)
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

// examine reads open evidence, and asks a question on it.
func examine[A any](f *evidenceFlags, cmd *cobra.Command, found *evidence.Set, in analyzer.Interest,
	ask func(context.Context, *analyzer.Reading) (A, error)) (a A, err error) {
	for _, path := range f.paths {
		in.Run.Paths = append(in.Run.Paths, report.Text(path))
	}
	in.NotExamined, in.NotEvidence = found.NotExamined, found.NotEvidence
	if f.secondWitness {
		if in.Witness, err = newWitness(cmd.ErrOrStderr(), found.Sources, &f.inputs); err != nil {
			return a, &statusError{report.ExitUsage, []error{err}}
		}
	}
	bar := newProgress(cmd.ErrOrStderr(), found.Sources)
	in.Progress = bar.update
	r, err := analyzer.Read(cmd.Context(), found.Sources, in)
	if err == nil {
		a, err = ask(cmd.Context(), r)
	}
	bar.finish()
	complain(cmd.ErrOrStderr(), accessNote(found.Touched()))
	var status *statusError
	if errors.As(err, &status) {
		return a, status // of where the values go
	}
	if err != nil {
		return a, &statusError{report.ExitUsage, []error{runError(cmd.Context(), err)}}
	}
	return a, nil
}

// maxTold bounds the lines about unreadable files; the report has all of them.
const maxTold = 10

// tell says which PATHs are no evidence, and what the run could not read.
func tell(stderr io.Writer, found *evidence.Set) {
	for _, err := range notEvidence(found) {
		complain(stderr, err.Error())
	}
	for _, line := range found.Unreadable[:min(len(found.Unreadable), maxTold)] {
		complain(stderr, line)
	}
	if more := len(found.Unreadable) - maxTold; more > 0 {
		complain(stderr, fmt.Sprintf("and %d more files and folders that could not be read: the report names them", more))
	}
}

// notEvidence says of each PATH that is no evidence why.
func notEvidence(found *evidence.Set) []error {
	var why []error
	for _, n := range found.NotEvidence {
		why = append(why, fmt.Errorf("%s: %s", string(n.Path), n.What))
	}
	return why
}

// accessNote names the files whose access time changed because the run read them; empty if
// there are no such files.
func accessNote(touched []string) string {
	switch len(touched) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("note: reading %s has changed its access time, which only its owner and root can avoid", touched[0])
	}
	return fmt.Sprintf("note: reading %s and %d more has changed their access times, which only their owner and root can avoid", touched[0], len(touched)-1)
}

// exit is the error that carries the exit status of an answer, nil for 0.
func exit(r *report.Examined) error {
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
