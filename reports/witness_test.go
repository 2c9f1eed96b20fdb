package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// The word of the second witness is a line of the table, and in JSON as the schema says.
func TestSecondWitness(t *testing.T) {
	tests := []struct {
		witness report.SecondWitness
		want    string
	}{
		{report.SecondWitness{Result: report.WitnessAgrees, Records: 1234}, "second witness bbolt v1.5.0: agrees, 1234 records\n"},
		{report.SecondWitness{Result: report.WitnessFailed, Detail: "it panicked"}, "second witness bbolt v1.5.0: failed, it panicked\n"},
		{report.SecondWitness{Result: report.WitnessDiffers, Detail: "in its check", Problems: []string{"page 7: \x1b[31malready freed"}},
			"second witness bbolt v1.5.0: differs, in its check: page 7:\n    \\x1b[31malready freed\n"},
		{report.SecondWitness{Result: report.WitnessNotRun, Detail: "no room"}, "second witness bbolt v1.5.0: not-run, no room\n"},
	}
	for _, tt := range tests {
		r := canned()
		w := tt.witness
		w.Tool, w.Version = "bbolt", "v1.5.0"
		if w.Problems == nil {
			w.Problems = []string{}
		}
		r.Evidence[0].SecondWitness = &w
		var table, doc bytes.Buffer
		if err := (Table{}).Write(&table, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(table.String(), tt.want) {
			t.Errorf("no line %q in\n%s", tt.want, table.String())
		}
		if err := (JSON{}).Write(&doc, r); err != nil {
			t.Fatal(err)
		}
		validate(t, schema(t, ""), doc.Bytes())
	}
}
