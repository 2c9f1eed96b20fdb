package reports

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"

	mathrand "math/rand"

	"github.com/etcdsift/etcdsift/analyzer"
)

// What is appended field by field is what reflection makes of the same fields, whatever is
// in them: a field that is added to one of the types and not here fails.
func TestAppendedJSON(t *testing.T) {
	config := &quick.Config{MaxCount: 300, Rand: mathrand.New(mathrand.NewSource(int64(rand.Uint64() >> 1)))}
	if err := quick.Check(func(s sample) bool {
		x, f := s.exposure, s.finding
		return sameJSON(t, x, appendExposure) && sameJSON(t, f, appendFinding)
	}, config); err != nil {
		t.Error(err)
	}
}

func sameJSON[T any](t *testing.T, v T, appendTo func(*jsonText, *T)) bool {
	t.Helper()
	var want bytes.Buffer
	if err := writeJSON(&want, &v, "  "); err != nil {
		t.Fatal(err)
	}
	got := jsonText{indent: "  "}
	appendTo(&got, &v)
	if got.err != nil || string(got.b)+"\n" != want.String() {
		t.Errorf("got\n%s (%v)\nwant\n%s", got.b, got.err, want.Bytes())
		return false
	}
	return true
}

// A text that is appended is what writeJSON makes of it.
func FuzzAppendedText(f *testing.F) {
	for _, s := range []string{"", "a#b", "##", "\x1b[0m", "<script>", "\xff", "\u2028", "\\\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sameJSON(t, analyzer.DatumUse{Name: analyzer.Text(s), Status: analyzer.Use(s)}, func(j *jsonText, d *analyzer.DatumUse) {
			j.begin('{')
			j.text("name", d.Name)
			j.word("status", string(d.Status))
			j.end('}')
		})
	})
}

// A sample is an exposure and a finding with anything in them.
type sample struct {
	exposure analyzer.Exposure
	finding  analyzer.Finding
}

// Generate implements quick.Generator.
func (sample) Generate(r *mathrand.Rand, _ int) reflect.Value {
	var s sample
	fill := func(v any) {
		e := reflect.ValueOf(v).Elem()
		for i := range e.NumField() {
			if e.Field(i).Kind() == reflect.String {
				e.Field(i).SetString(anyText(r))
			}
		}
	}
	count := func() (n uint64) { return r.Uint64() >> r.Intn(64) }
	x := &s.exposure
	fill(x)
	fill(&x.Current)
	x.Current.ModRevision = int64(count())
	x.DataKeys = []analyzer.Text{}
	for range r.Intn(3) {
		x.DataKeys = append(x.DataKeys, analyzer.Text(anyText(r)))
	}
	if r.Intn(2) == 0 {
		index := count()
		x.Current.WALIndex = &index
	}
	if r.Intn(2) == 0 {
		x.Validity = &analyzer.Validity{Status: analyzer.Changed, DataKeys: []analyzer.DatumUse{}}
		for range r.Intn(3) {
			x.Validity.DataKeys = append(x.Validity.DataKeys, analyzer.DatumUse{Name: analyzer.Text(anyText(r)), Status: analyzer.Gone})
		}
	}
	copies := make([]analyzer.Copy, r.Intn(3))
	for i := range copies {
		v, ok := quick.Value(reflect.TypeFor[analyzer.Copy](), r)
		if !ok {
			panic("no random copy")
		}
		copies[i] = v.Interface().(analyzer.Copy)
		copies[i].Region = analyzer.Regions()[r.Intn(len(analyzer.Regions()))]
	}
	x.Copies = analyzer.CopiesOf(copies...)
	fill(&s.finding)
	s.finding.Severity = []analyzer.Severity{analyzer.SeverityNone, analyzer.SeverityLow, analyzer.SeverityHigh}[r.Intn(3)]
	return reflect.ValueOf(s)
}

// anyText is text of the kinds that a report treats differently.
func anyText(r *mathrand.Rand) string {
	parts := []string{"", "a", "kube-system", "#", "##", "\"", "\\", "<b>", "&", "\n", "\x1b[31m", "\x7f", "\u2028", "\u202e", "é", "世", "\U0001f511", "\xff", "\xe2\x82", "\u00a0", "\ufffd"}
	text := ""
	for range r.Intn(4) {
		text += parts[r.Intn(len(parts))]
	}
	return text
}
