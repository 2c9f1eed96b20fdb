package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
)

// inputs are all that a run reads, and must not write over. A flag that names a file to read
// adds it here. Device and inode tell files and folders apart, so that no link, mount or
// spelling of a path evades the check.
type inputs struct {
	files   []input
	folders []input // the run writes nothing anywhere below them
}

// An input is a file or folder that a run reads.
type input struct {
	what string // such as "the evidence snapshot.db"
	path string // of evidence; empty for other files
	info fs.FileInfo
}

func evidenceInput(p evidence.Part) input {
	return input{what: "the evidence " + p.Path, path: p.Path, info: p.Info}
}

// addEvidence adds what PATHs led to.
func (in *inputs) addEvidence(found *evidence.Set) {
	for _, p := range found.Files() {
		in.files = append(in.files, evidenceInput(p))
	}
	for _, p := range found.Folders() {
		in.folders = append(in.folders, evidenceInput(p))
	}
}

// addFile adds an open file. what says which it is.
func (in *inputs) addFile(what string, f *os.File) error {
	info, err := f.Stat()
	if err == nil {
		in.files = append(in.files, input{what: what, info: info})
	}
	return err
}

// apart checks that a report in the file place, which the user calls output, changes no input.
// Its error is for the user.
func (in *inputs) apart(output, place string) error {
	target, err := os.Stat(place)
	if err == nil {
		if what := precious(place, target); what != "" {
			return fmt.Errorf("--output %s: holds %s, which is never written over; choose another place", output, what)
		}
		for _, file := range in.files {
			if os.SameFile(file.info, target) {
				return fmt.Errorf("--output %s: would replace %s, which this run reads; choose another place", output, file.what)
			}
		}
	}
	dir := filepath.Dir(place)
	if err == nil && target.IsDir() {
		dir = place
	}
	if what := in.above(dir); what != "" {
		return fmt.Errorf("--output %s: would change %s, which this run reads; choose another place", output, what)
	}
	return nil
}

// above says which input a folder is, or lies in; empty if it is apart from all.
func (in *inputs) above(dir string) string {
	dir = evidence.RealPath(dir)
	for {
		if info, err := os.Stat(dir); err == nil {
			for _, f := range in.folders {
				if os.SameFile(f.info, info) {
					return f.what
				}
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// holds says which input a folder is: the folder of an open file, or one that above finds.
func (in *inputs) holds(dir string) string {
	info, err := os.Stat(dir)
	for _, file := range in.files {
		if file.path != "" && err == nil {
			if parent, parentErr := os.Stat(filepath.Dir(evidence.RealPath(file.path))); parentErr == nil && os.SameFile(parent, info) {
				return file.what
			}
		}
	}
	return in.above(dir)
}

// is says which input a stream goes to, as the shell's >> makes it; empty if it goes to none.
func (in *inputs) is(stream io.Writer) string {
	f, ok := stream.(*os.File)
	if !ok {
		return ""
	}
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	for _, file := range in.files {
		if os.SameFile(file.info, info) {
			return file.what
		}
	}
	return ""
}

// precious says what a file holds that no report may replace; empty for any other. info is
// of path.
func precious(path string, info fs.FileInfo) string {
	const etcds = "etcd's data"
	if !info.Mode().IsRegular() {
		return ""
	}
	f, err := evidence.OpenReadOnly(path)
	if err != nil {
		return "something that may not be read"
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if kind, err := evidence.Detect(f, info.Size()); err == nil && kind != "" {
		return etcds
	}
	name := filepath.Base(path)
	switch what := evidence.Packed(f); {
	case what != "":
		return what + ", perhaps a backup"
	case info.Size() > 0 && (strings.HasSuffix(name, ".wal") || strings.HasSuffix(name, ".snap")):
		return etcds
	}
	return ""
}
