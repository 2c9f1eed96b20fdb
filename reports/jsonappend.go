package reports

import (
	"bytes"
	"cmp"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A jsonText appends indented JSON field by field, for the lists that make up most of a long
// report: it is faster than reflection, and writes the same bytes.
type jsonText struct {
	b      []byte
	indent string // of one level
	depth  int    // in levels
	err    error  // the first; b is then of no use

	scratch []byte // used again for each message
}

// begin opens an object or a list.
func (t *jsonText) begin(bracket byte) {
	t.b = append(t.b, bracket)
	t.depth++
}

// end closes it.
func (t *jsonText) end(bracket byte) {
	t.depth--
	if last := t.b[len(t.b)-1]; last != '{' && last != '[' {
		t.newline()
	}
	t.b = append(t.b, bracket)
}

func (t *jsonText) newline() {
	t.b = append(t.b, '\n')
	for range t.depth {
		t.b = append(t.b, t.indent...)
	}
}

// element starts an element of a list, or a field.
func (t *jsonText) element() {
	if last := t.b[len(t.b)-1]; last != '{' && last != '[' {
		t.b = append(t.b, ',')
	}
	t.newline()
}

func (t *jsonText) field(name string) {
	t.element()
	t.b = append(append(append(t.b, '"'), name...), `": `...)
}

func (t *jsonText) text(name string, value report.Text) {
	t.field(name)
	t.quote(value)
}

// word is a text of the program's own.
func (t *jsonText) word(name, value string) {
	t.field(name)
	if needsNoEscape(value) {
		t.plain(value)
	} else {
		t.marshal(value)
	}
}

func (t *jsonText) number(name string, value int64) {
	t.field(name)
	t.b = strconv.AppendInt(t.b, value, 10)
}

func (t *jsonText) unsigned(name string, value uint64) {
	t.field(name)
	t.b = strconv.AppendUint(t.b, value, 10)
}

// known appends a number unless it is 0, which stands for an unknown one.
func (t *jsonText) known(name string, value int64) {
	if value != 0 {
		t.number(name, value)
	}
}

// knownIndex is known for an index of raft.
func (t *jsonText) knownIndex(name string, value uint64) {
	if value != 0 {
		t.unsigned(name, value)
	}
}

func (t *jsonText) page(p report.Page) {
	if number, ok := p.Number(); ok {
		t.unsigned("page", number)
	}
}

func (t *jsonText) quote(value report.Text) {
	if s := string(value); needsNoEscape(s) {
		t.plain(s)
	} else {
		t.marshal(value)
	}
}

func (t *jsonText) plain(s string) {
	t.b = append(append(append(t.b, '"'), s...), '"')
}

// marshal appends a string that needs more than quotes.
func (t *jsonText) marshal(v any) {
	text, err := json.Marshal(v, jsonOptions(""))
	t.err = cmp.Or(t.err, err)
	var safe bytes.Buffer
	_, _ = (&escaper{w: &safe}).Write(text) // a buffer takes all
	t.b = append(t.b, safe.Bytes()...)
}

// needsNoEscape reports whether s may stand between quotes as it is.
func needsNoEscape[T string | []byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return false
		case c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == '#':
			return false
		}
	}
	return true
}

func appendExposure(t *jsonText, x *report.Exposure) {
	t.begin('{')
	t.text("resource", x.Resource)
	t.text("namespace", x.Namespace)
	t.text("name", x.Name)
	t.text("key", x.Key)
	t.number("cluster", int64(x.Cluster))
	if x.LogicalCluster != "" {
		t.text("logicalCluster", x.LogicalCluster)
	}
	t.word("status", string(x.Status))
	t.word("state", string(x.State))
	t.text("type", x.Type)
	t.field("dataKeys")
	t.begin('[')
	for _, name := range x.DataKeys {
		t.element()
		t.quote(name)
	}
	t.end(']')
	t.field("current")
	t.begin('{')
	if x.Current.Provider != "" {
		t.word("provider", x.Current.Provider.String())
	}
	if x.Current.KeyName != "" {
		t.text("keyName", x.Current.KeyName)
	}
	t.known("modRevision", x.Current.ModRevision)
	t.knownIndex("walIndex", x.Current.WALIndex)
	t.end('}')
	appendValidity(t, x.Validity)
	t.field("copies")
	t.begin('[')
	for _, c := range x.Copies {
		t.element()
		appendCopy(t, c)
	}
	t.end(']')
	if len(x.AlsoIn) > 0 {
		t.field("alsoIn")
		t.begin('[')
		for _, key := range x.AlsoIn {
			t.element()
			t.quote(key)
		}
		t.end(']')
	}
	t.end('}')
}

func appendValidity(t *jsonText, v *report.Validity) {
	if v == nil {
		return
	}
	t.field("validity")
	t.begin('{')
	t.word("status", string(v.Status))
	t.field("dataKeys")
	t.begin('[')
	for _, d := range v.DataKeys {
		t.element()
		t.begin('{')
		t.text("name", d.Name)
		t.word("status", string(d.Status))
		t.end('}')
	}
	t.end(']')
	t.end('}')
}

func appendCopy(t *jsonText, c *report.Copy) {
	t.begin('{')
	t.text("path", c.Path)
	t.word("region", c.Region.String())
	t.number("offset", c.Offset)
	t.number("length", c.Length)
	t.page(c.Page)
	t.known("modRevision", c.ModRevision)
	t.known("createRevision", c.CreateRevision)
	t.known("version", c.Version)
	t.knownIndex("walIndex", c.WALIndex)
	t.field("complete")
	t.b = strconv.AppendBool(t.b, c.Complete)
	if c.Escaped {
		t.field("escaped")
		t.b = append(t.b, "true"...)
	}
	if c.Carrier != "" {
		t.text("carrier", c.Carrier)
	}
	t.end('}')
}

func appendFinding(t *jsonText, f *report.Finding) {
	t.begin('{')
	t.word("rule", string(f.Rule))
	t.word("severity", f.Severity.String())
	t.text("resource", f.Resource)
	t.text("namespace", f.Namespace)
	t.text("name", f.Name)
	if f.Key != "" {
		t.text("key", f.Key)
	}
	t.known("cluster", int64(f.Cluster))
	t.field("at")
	t.begin('[')
	for i := range f.At {
		t.element()
		appendLocation(t, &f.At[i])
	}
	t.end(']')
	t.known("atMore", int64(f.AtMore))
	if f.Superseded {
		t.field("superseded")
		t.b = append(t.b, "true"...)
	}
	if f.Unknown {
		t.field("unknown")
		t.b = append(t.b, "true"...)
	}
	if f.Detail != "" {
		t.word("detail", f.Detail)
	}
	t.field("message")
	t.scratch = f.AppendMessage(t.scratch[:0])
	if needsNoEscape(t.scratch) {
		t.b = append(append(append(t.b, '"'), t.scratch...), '"')
	} else {
		t.marshal(string(t.scratch))
	}
	t.end('}')
}

func appendLocation(t *jsonText, at *report.Location) {
	t.begin('{')
	t.text("path", at.Path)
	t.number("offset", at.Offset)
	t.known("length", at.Length)
	t.page(at.Page)
	t.known("modRevision", at.ModRevision)
	t.knownIndex("walIndex", at.WALIndex)
	if at.Key != "" {
		t.text("key", at.Key)
	}
	t.end('}')
}
