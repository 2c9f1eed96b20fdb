package reports

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"

	mathrand "math/rand"

	"github.com/etcdsift/etcdsift/analyzer/report"
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
		sameJSON(t, report.DatumUse{Name: report.Text(s), Status: report.Use(s)}, func(j *jsonText, d *report.DatumUse) {
			j.begin('{')
			j.text("name", d.Name)
			j.word("status", string(d.Status))
			j.end('}')
		})
	})
}

// A sample is an exposure and a finding with anything in them.
type sample struct {
	exposure report.Exposure
	finding  report.Finding
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
	x := &s.exposure
	fill(x)
	fill(&x.Current)
	x.Current.ModRevision = int64(some(r))
	x.DataKeys = []report.Text{}
	for range r.Intn(3) {
		x.DataKeys = append(x.DataKeys, report.Text(anyText(r)))
	}
	x.Current.WALIndex = some(r)
	if r.Intn(2) == 0 {
		x.Validity = &report.Validity{Status: report.Changed, DataKeys: []report.DatumUse{}}
		for range r.Intn(3) {
			x.Validity.DataKeys = append(x.Validity.DataKeys, report.DatumUse{Name: report.Text(anyText(r)), Status: report.Gone})
		}
	}
	for range r.Intn(3) {
		x.AlsoIn = append(x.AlsoIn, report.Text(anyText(r)))
	}
	x.Copies = []*report.Copy{}
	for range r.Intn(3) {
		x.Copies = append(x.Copies, &report.Copy{
			Path: report.Text(anyText(r)), Region: report.Regions()[r.Intn(len(report.Regions()))], Offset: int64(some(r)), Length: int64(some(r)),
			Page: anyPage(r), ModRevision: int64(some(r)), CreateRevision: int64(some(r)), Version: int64(some(r)), WALIndex: some(r), Complete: r.Intn(2) == 0, Escaped: r.Intn(2) == 0, Carrier: report.Text(anyText(r)),
		})
	}
	fill(&s.finding)
	s.finding.Severity = []report.Severity{report.SeverityNone, report.SeverityLow, report.SeverityHigh}[r.Intn(3)]
	s.finding.At, s.finding.AtMore = []report.Location{}, int(some(r)>>1)
	for range r.Intn(3) {
		s.finding.At = append(s.finding.At, report.Location{
			Path: report.Text(anyText(r)), Offset: int64(some(r)), Length: int64(some(r)), Page: anyPage(r),
			ModRevision: int64(some(r)), WALIndex: some(r), Key: report.Text(anyText(r)),
		})
	}
	return reflect.ValueOf(s)
}

// some is a number of any length; one in three is 0, which stands for none.
func some(r *mathrand.Rand) uint64 {
	if r.Intn(3) == 0 {
		return 0
	}
	return r.Uint64() >> r.Intn(64)
}

func anyPage(r *mathrand.Rand) report.Page {
	if r.Intn(3) == 0 {
		return report.Page{}
	}
	return report.PageOf(some(r) >> 1)
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
