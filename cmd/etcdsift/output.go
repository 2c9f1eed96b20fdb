package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer"
)

// writeOutput calls write with the file named by --output, or with stdout where
// it is empty. The file is only ever whole: it is written beside its place and
// then renamed.
func writeOutput(stdout io.Writer, output string, write func(io.Writer) error) (err error) {
	buffered := func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 64<<10)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}
	if output == "" || output == "-" {
		return outputError("standard output", buffered(stdout))
	}
	if target, err := filepath.EvalSymlinks(output); err == nil {
		output = target
	}
	if info, err := os.Stat(output); err == nil && !info.Mode().IsRegular() {
		return writeDevice(output, buffered) // such as /dev/null: there is nothing to rename over
	}
	f, err := os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+".*")
	if err != nil {
		return outputError(output, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = outputError(output, err)
		}
	}()
	err = buffered(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), output)
	}
	return err
}

// apart checks that writing to output changes no evidence: neither one of the
// files, nor a dir that is examined, nor any db or WAL segment at all.
func apart(output string, paths []string) error {
	if output == "" || output == "-" {
		return nil
	}
	if isEtcd(output) {
		return fmt.Errorf("--output %s: holds etcd's data, which is never written over; choose another place", output)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue // whatever is wrong with it is for openEvidence to say
		}
		target, err := os.Stat(output)
		if err == nil && os.SameFile(info, target) || info.IsDir() && inside(output, path) {
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
