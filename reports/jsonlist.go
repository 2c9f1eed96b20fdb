package reports

import (
	"cmp"
	"io"
	"runtime"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// writeReport writes what writeJSON would write of r (TestWriteReport). One goroutine per
// processor writes the exposures and findings, which make up most of a long report.
func writeReport(w io.Writer, r *report.Report, indent string) error {
	o := &objectWriter{w: w, indent: indent}
	o.field("schemaVersion", r.SchemaVersion)
	o.field("tool", r.Tool)
	o.field("run", r.Run)
	o.field("verdict", r.Verdict)
	o.field("clusters", r.Clusters)
	o.field("evidence", r.Evidence)
	o.field("coverage", r.Coverage)
	o.field("inventory", r.Inventory)
	o.field("namespaces", r.Namespaces)
	writeListField(o, "exposures", r.Exposures, appendExposure)
	writeListField(o, "findings", r.Findings, appendFinding)
	o.field("scope", r.Scope)
	return o.close()
}

// An objectWriter writes an object field by field. The first error ends it.
type objectWriter struct {
	w      io.Writer
	indent string // of one level
	begun  bool
	err    error
}

func (o *objectWriter) print(s string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, s)
	}
}

// name begins a field.
func (o *objectWriter) name(name string) {
	start := ","
	if !o.begun {
		start, o.begun = "{", true
	}
	o.print(start + "\n" + o.indent + `"` + name + `": `)
}

// field writes a field with any value.
func (o *objectWriter) field(name string, v any) {
	o.name(name)
	if o.err == nil {
		o.err = writeValue(o.w, v, jsonOptions(o.indent), jsontext.WithIndentPrefix(o.indent))
	}
}

// writeListField writes a field with a list, whose elements appendTo writes.
func writeListField[T any](o *objectWriter, name string, list []T, appendTo func(*jsonText, *T)) {
	o.name(name)
	o.print("[")
	if o.err == nil {
		o.err = writeElements(o.w, list, o.indent, appendTo)
	}
	o.print("]")
}

// close ends the object, and the line.
func (o *objectWriter) close() error {
	o.print("\n}\n")
	return o.err
}

// listChunk is how many elements of a list a goroutine writes in one go.
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

// fill makes t the text of some elements, first says that they begin the list.
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
