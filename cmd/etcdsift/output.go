package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// writeOutput calls write with the file named by --output, or with stdout where
// it is empty. The file is only ever whole: it is written beside its place and
// then renamed.
func writeOutput(stdout io.Writer, output string, write func(io.Writer) error) (err error) {
	if output == "" || output == "-" {
		return outputError("standard output", write(stdout))
	}
	if info, err := os.Stat(output); err == nil && !info.Mode().IsRegular() {
		return writeDevice(output, write) // such as /dev/null: there is nothing to rename over
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
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o600)
	}
	if err == nil {
		err = os.Rename(f.Name(), output)
	}
	return err
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
	if errors.Is(err, syscall.EPIPE) {
		// The reader, such as head, has seen enough; it needs no telling.
		return &statusError{exitUsage, nil}
	}
	return &statusError{exitUsage, fmt.Errorf("%s: the report could not be written: %s", name, cause(err))}
}
