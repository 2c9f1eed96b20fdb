package reports

import (
	"bytes"
	"fmt"
	"io"
	"runtime"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/etcdsift/etcdsift/analyzer"
)

// writeReport writes what writeJSON would write of r. The exposures and findings are
// nearly all of a long report: they are written by one goroutine a processor.
func writeReport(w io.Writer, r *analyzer.Report, indent string) error {
	frame := *r
	frame.Exposures, frame.Findings = []analyzer.Exposure{}, []analyzer.Finding{}
	var b bytes.Buffer
	if err := writeJSON(&b, &frame, indent); err != nil {
		return err
	}
	// Inside of a string there is no newline: each of these is there once.
	head, rest, ok := bytes.Cut(b.Bytes(), []byte("\n"+indent+`"exposures": [`))
	middle, tail, ok2 := bytes.Cut(rest, []byte("\n"+indent+`"findings": [`))
	if !ok || !ok2 {
		return fmt.Errorf("the report has no place for its lists")
	}
	fmt.Fprintf(w, "%s\n%s\"exposures\": [", head, indent) // an error comes again with the next write
	if err := writeElements(w, r.Exposures, indent); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n%s\"findings\": [", middle, indent)
	if err := writeElements(w, r.Findings, indent); err != nil {
		return err
	}
	_, err := w.Write(tail)
	return err
}

// listChunk is how many elements of a list are written in one go.
const listChunk = 256

// A chunkText is the text of some elements, or why there is none.
type chunkText struct {
	text []byte
	err  error
}

// writeElements writes the elements of a list that stands one level deep, in order.
func writeElements[T any](w io.Writer, list []T, indent string) error {
	if len(list) == 0 {
		return nil
	}
	pending := make(chan chan chunkText, runtime.GOMAXPROCS(0))
	go func() {
		defer close(pending)
		for start := 0; start < len(list); start += listChunk {
			done := make(chan chunkText, 1)
			pending <- done
			go func() {
				text, err := listText(list[start:min(len(list), start+listChunk)], start == 0, indent)
				done <- chunkText{text, err}
			}()
		}
	}()
	var err error
	for done := range pending {
		chunk := <-done
		if err == nil {
			err = chunk.err
		}
		if err == nil {
			_, err = w.Write(chunk.text)
		}
	}
	if err == nil {
		_, err = io.WriteString(w, "\n"+indent)
	}
	return err
}

// listText is the text of elements, of which the first is that of the list.
func listText[T any](list []T, first bool, indent string) ([]byte, error) {
	var b bytes.Buffer
	out := escaper{w: &b}
	options := json.JoinOptions(jsonOptions(indent), jsontext.WithIndentPrefix(indent+indent))
	var text bytes.Buffer
	for i := range list {
		text.Reset()
		if !first || i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("\n" + indent + indent)
		if err := json.MarshalWrite(&text, &list[i], options); err != nil {
			return nil, err
		}
		if _, err := out.Write(text.Bytes()); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
