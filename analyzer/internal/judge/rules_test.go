package judge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// Each ID that a report may have is that of one rule, which says all that there is to say.
func TestRules(t *testing.T) {
	var ids []report.RuleID
	all := Rules()
	for i, r := range all {
		ids = append(ids, r.ID)
		if r.Means == "" || r.Matters == "" || r.Mend == "" {
			t.Errorf("%s: a text is missing in %+v", r.ID, r)
		}
		if r.Severity <= report.SeverityNone || report.SeverityCritical < r.Severity {
			t.Errorf("%s: severity %v", r.ID, r.Severity)
		}
		if i > 0 && r.Severity > all[i-1].Severity {
			t.Errorf("%s is graver than %s, which goes before it", r.ID, all[i-1].ID)
		}
		if got := severityOf(r.ID); got != r.Severity {
			t.Errorf("%s: severity %v, want %v", r.ID, got, r.Severity)
		}
		f := report.Finding{Rule: r.ID, At: []report.Location{}, Detail: "detail"}
		if f.Message() == "" {
			t.Errorf("%s without a place says nothing", r.ID)
		}
	}
	want := ruleIDs(t)
	slices.Sort(ids)
	slices.Sort(want)
	if diff := cmp.Diff(want, ids); diff != "" || len(ids) < 22 {
		t.Errorf("IDs (-report +rules):\n%s", diff)
	}
	if got := severityOf("of-a-later-version"); got != report.SeverityNone {
		t.Errorf("a rule that nobody knows has severity %v", got)
	}
	all[0].Means = ""
	if Rules()[0].Means == "" {
		t.Error("who gets the rules can change them")
	}
}

// ruleIDs reads the constants of type RuleID out of the source of the report.
func ruleIDs(t *testing.T) []report.RuleID {
	t.Helper()
	files, err := filepath.Glob("../../report/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var ids []report.RuleID
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "RuleID" {
				return true
			}
			for _, v := range spec.Values {
				id, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, report.RuleID(id))
			}
			return true
		})
	}
	return ids
}
