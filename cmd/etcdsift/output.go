package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdsift/etcdsift/analyzer"
)

// writeOutput calls write with the file named by --output, or with stdout where
// it is empty. The file is only ever whole: it is written beside its place and
// then renamed. A private one is for its owner alone.
func writeOutput(cmd *cobra.Command, output string, private bool, write func(io.Writer) error) error {
	name := output
	if output == "" || output == "-" {
		name = "standard output"
	}
	buffered := func(w io.Writer) error {
		b := bufio.NewWriterSize(destination{cmd.Context(), name, w}, 64<<10)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}
	if name != output {
		return outputError(name, buffered(cmd.OutOrStdout()))
	}
	place := followLinks(output)
	if info, err := os.Stat(place); err == nil && (!info.Mode().IsRegular() || isLink(place)) {
		return writeDevice(output, buffered) // such as /dev/null: there is nothing to rename over
	}
	r, err := newReplacement(place, private)
	if err != nil {
		return outputError(output, err)
	}
	if err = buffered(r); err == nil {
		err = r.commit()
	}
	if err != nil {
		r.abandon()
	}
	return outputError(output, err)
}

// A destination is where a report goes. Its errors are *statusErrors, and nothing more is
// written once the context is done.
type destination struct {
	ctx  context.Context
	name string
	w    io.Writer
}

func (d destination) Write(b []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, &statusError{analyzer.ExitUsage, []error{errInterrupted}}
	}
	n, err := d.w.Write(b)
	return n, outputError(d.name, err)
}

// apart checks that writing to output changes no evidence: neither one of the
// files, nor a dir that is examined, nor any db or WAL segment at all.
func apart(output string, paths []string) error {
	if output == "" || output == "-" {
		return nil
	}
	place := followLinks(output)
	if isEtcd(place) {
		return fmt.Errorf("--output %s: holds etcd's data, which is never written over; choose another place", output)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue // whatever is wrong with it is for openEvidence to say
		}
		target, err := os.Stat(place)
		if err == nil && os.SameFile(info, target) || info.IsDir() && inside(place, path) {
			return fmt.Errorf("--output %s: would change the evidence %s; choose another place", output, path)
		}
	}
	return nil
}

// isEtcd reports whether a file is there that may be evidence.
func isEtcd(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := openReadOnly(path)
	if err != nil {
		return false
	}
	defer f.Close()
	kind, err := analyzer.Detect(f, info.Size())
	return err == nil && kind != ""
}

// inside reports whether a file would lie below a folder, symbolic links followed.
func inside(file, folder string) bool {
	parent, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return false
	}
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	if parent, err = filepath.Abs(parent); err != nil {
		return false
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return false
	}
	rel, err := filepath.Rel(folder, parent)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
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
	return &statusError{analyzer.ExitUsage, []error{fmt.Errorf("%s: the report could not be written: %w", name, cause(err))}}
}
