package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// isStdout reports whether an output is standard output, under whatever name: to open it anew
// would start at its beginning.
func isStdout(output string) bool {
	switch output {
	case "", "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return true
	}
	return false
}

// writeOutput calls write with the file place, which the user calls output, or with stdout. The
// file is only ever whole: writeOutput writes it beside its place, and renames it if apart
// still has no objection, because somebody may have changed the place during the run. A private
// file is for its owner alone.
func writeOutput(cmd *cobra.Command, output, place string, private bool, apart func() error, write func(io.Writer) error) error {
	name := output
	if isStdout(output) {
		name = "standard output"
	}
	buffered := func(w io.Writer) error {
		b := bufio.NewWriterSize(destination{cmd.Context(), name, w}, 64<<10)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}
	if isStdout(output) {
		return outputError(name, buffered(cmd.OutOrStdout()))
	}
	if info, err := os.Stat(place); err == nil && (!info.Mode().IsRegular() || isLink(place)) {
		return writeDevice(output, buffered) // such as /dev/null: there is nothing to rename over
	}
	r, err := newReplacement(place, private)
	if err != nil {
		return outputError(output, err)
	}
	if err = buffered(r); err == nil {
		err = apart()
	}
	if err == nil {
		err = r.commit()
	}
	if err != nil {
		r.abandon()
	}
	return outputError(output, err)
}

// A destination is where a report goes. Its errors are *statusErrors. It writes nothing more
// once the context is done.
type destination struct {
	ctx  context.Context
	name string
	w    io.Writer
}

func (d destination) Write(b []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, &statusError{report.ExitUsage, []error{errInterrupted}}
	}
	n, err := d.w.Write(b)
	return n, outputError(d.name, err)
}

func writeDevice(output string, write func(io.Writer) error) error {
	f, err := os.OpenFile(output, os.O_WRONLY, 0)
	if err != nil {
		return outputError(output, err)
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return outputError(output, err)
}

func outputError(name string, err error) error {
	if err == nil {
		return nil
	}
	var status *statusError
	if errors.As(err, &status) {
		return err
	}
	return &statusError{report.ExitUsage, []error{fmt.Errorf("%s: the report could not be written: %w", name, evidence.Cause(err))}}
}
