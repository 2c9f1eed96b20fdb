// Package reports writes what package analyzer found: one file a format.
//
// A format decides nothing: severities, counts and the exit status come from the
// Report. Its job is to show them, and to neutralise what came out of the
// evidence for the place where it goes: a key may hold escape sequences for a
// terminal, or markup.
package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Format renders a finished report. Equal reports give equal bytes.
type Format interface {
	Write(w io.Writer, r *report.Report) error
}

// A ValueFormat renders the values of `list`, one after the other. Close ends
// the output.
type ValueFormat interface {
	Value(v report.Value) error
	Close() error
}

// Formats of `scan`, of `info`, of `list`, of `history` and of `keys`, the default first.
var (
	ScanFormats    = []string{"table", "json"}
	InfoFormats    = []string{"table", "json"}
	ListFormats    = []string{"table", "jsonl"}
	HistoryFormats = []string{"table", "json"}
	KeysFormats    = []string{"table", "json"}
)

// ByName is the format of `scan` of that name.
func ByName(name string) (Format, error) {
	switch name {
	case "table":
		return Table{}, nil
	case "json":
		return JSON{}, nil
	}
	return nil, unknownFormat(name, ScanFormats)
}

// InfoByName is the format of `info` of that name.
func InfoByName(name string) (Format, error) {
	switch name {
	case "table":
		return InfoTable{}, nil
	case "json":
		return InfoJSON{}, nil
	}
	return nil, unknownFormat(name, InfoFormats)
}

// HistoryByName is the format of `history` of that name.
func HistoryByName(name string) (Format, error) {
	switch name {
	case "table":
		return HistoryTable{}, nil
	case "json":
		return HistoryJSON{}, nil
	}
	return nil, unknownFormat(name, HistoryFormats)
}

// KeysByName is the format of `keys` of that name.
func KeysByName(name string) (Format, error) {
	switch name {
	case "table":
		return KeysTable{}, nil
	case "json":
		return KeysJSON{}, nil
	}
	return nil, unknownFormat(name, KeysFormats)
}

// ListByName is the format of `list` of that name, writing to w.
func ListByName(name string, w io.Writer) (ValueFormat, error) {
	switch name {
	case "table":
		return newListTable(w), nil
	case "jsonl":
		return newListJSONL(w), nil
	}
	return nil, unknownFormat(name, ListFormats)
}

func unknownFormat(name string, known []string) error {
	return fmt.Errorf("format %q: must be one of %s", name, strings.Join(known, ", "))
}
