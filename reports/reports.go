// Package reports writes what package analyzer found: one file a format.
//
// A format decides nothing: severities, counts and the exit status come from the Report. It
// shows them, and makes text from the evidence harmless for its output: a key may hold escape
// sequences for a terminal, or markup.
package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A ValueFormat renders the values of `list`, one after the other. Close ends
// the output.
type ValueFormat interface {
	Value(v report.Value) error
	Close() error
}

// A Format writes the answers to one question. Equal answers give equal bytes. W is the function
// that writes: an answer to a writer, or for `list` one that begins a list.
type Format[W any] struct {
	Name  string
	Write W
}

// Formats are those of one question, the default first.
type Formats[W any] []Format[W]

// Names are the names of the formats.
func (f Formats[W]) Names() []string {
	names := make([]string, len(f))
	for i := range f {
		names[i] = f[i].Name
	}
	return names
}

// ByName is the writer of the format of that name. The error is for the user.
func (f Formats[W]) ByName(name string) (write W, err error) {
	for _, format := range f {
		if format.Name == name {
			return format.Write, nil
		}
	}
	return write, fmt.Errorf("format %q: must be one of %s", name, strings.Join(f.Names(), ", "))
}

// The formats of each question.
var (
	ScanFormats = Formats[func(io.Writer, *report.Report) error]{
		{"table", Table{}.Write},
		{"json", JSON{}.Write},
	}
	InfoFormats = Formats[func(io.Writer, *report.Examined) error]{
		{"table", InfoTable{}.Write},
		{"json", InfoJSON{}.Write},
	}
	ListFormats = Formats[func(io.Writer) ValueFormat]{
		{"table", newListTable},
		{"jsonl", newListJSONL},
	}
	HistoryFormats = Formats[func(io.Writer, *report.HistoryReport) error]{
		{"table", HistoryTable{}.Write},
		{"json", HistoryJSON{}.Write},
	}
	KeysFormats = Formats[func(io.Writer, *report.KeysReport) error]{
		{"table", KeysTable{}.Write},
		{"json", KeysJSON{}.Write},
	}
)
