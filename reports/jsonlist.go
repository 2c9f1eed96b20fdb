package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"runtime"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// writeReport writes what writeJSON would write of r. The exposures and findings are
// nearly all of a long report: they are written by one goroutine a processor.
func writeReport(w io.Writer, r *report.Report, indent string) error {
	frame := *r
	frame.Exposures, frame.Findings = []report.Exposure{}, []report.Finding{}
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
	if err := writeElements(w, r.Exposures, indent, appendExposure); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n%s\"findings\": [", middle, indent)
	if err := writeElements(w, r.Findings, indent, appendFinding); err != nil {
		return err
	}
	_, err := w.Write(tail)
	return err
}

// listChunk is how many elements of a list are written in one go.
const listChunk = 64

// A part is the text of some elements of a list, or why there is none.
type part struct {
	jsonText
	done chan struct{}
}

// writeElements writes the elements of a list that stands one level deep, in order.
// appendTo appends one to a text.
func writeElements[T any](w io.Writer, list []T, indent string, appendTo func(*jsonText, *T)) error {
	if len(list) == 0 {
		return nil
	}
	workers := runtime.GOMAXPROCS(0)
	pending, free := make(chan *part, workers), make(chan *part, 2*workers)
	for range cap(free) {
		free <- &part{jsonText{indent: indent}, make(chan struct{}, 1)}
	}
	go func() {
		defer close(pending)
		for start := 0; start < len(list); start += listChunk {
			p := <-free
			pending <- p
			go func() {
				fill(&p.jsonText, list[start:min(len(list), start+listChunk)], start == 0, appendTo)
				p.done <- struct{}{}
			}()
		}
	}()
	var err error
	for p := range pending {
		<-p.done
		if err = cmp.Or(err, p.err); err == nil {
			_, err = w.Write(p.b)
		}
		free <- p
	}
	if err == nil {
		_, err = io.WriteString(w, "\n"+indent)
	}
	return err
}

// fill makes t the text of some elements, of which the first may be that of the list.
func fill[T any](t *jsonText, list []T, first bool, appendTo func(*jsonText, *T)) {
	t.b, t.depth, t.err = t.b[:0], 2, nil
	for i := range list {
		if !first || i > 0 {
			t.b = append(t.b, ',')
		}
		t.newline()
		appendTo(t, &list[i])
	}
}
