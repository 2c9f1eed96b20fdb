package judge

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etcdsift/etcdsift/analyzer/internal/cluster"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A fact makes one status hold, with the count and the exit status that the table of verdicts
// gives it.
type fact struct {
	status report.Status
	count  int
	exit   int
	add    func(*Judge)
}

// facts has one of each row of the table, the worst first. In all of them something is in scope.
var facts = []fact{
	{report.StatusPlaintext, 2, report.ExitFindings, func(j *Judge) {
		j.result.Scope[0].Plaintext += 2
		j.addFinding(report.Finding{Rule: report.RulePlaintextLive, Key: "/registry/secrets/a/p"})
	}},
	{report.StatusExposed, 3, report.ExitFindings, func(j *Judge) {
		j.result.Scope[0].Exposed += 3
		j.addFinding(report.Finding{Rule: report.RulePlaintextWAL, Key: "/registry/secrets/a/e"})
	}},
	{report.StatusPolicy, 2, report.ExitFindings, func(j *Judge) {
		for _, key := range []report.Text{"/registry/secrets/a/1", "/registry/secrets/a/2", "/registry/secrets/a/2"} {
			j.addFinding(report.Finding{Rule: report.RuleStaleKey, Key: key})
		}
	}},
	{report.StatusUntrusted, 1, report.ExitFindings, func(j *Judge) {
		j.addFinding(report.Finding{Rule: report.RuleSnapshotHash, At: []report.Location{{Path: "snapshot.db"}}})
	}},
	{report.StatusIncomplete, 2, report.ExitIncomplete, func(j *Judge) {
		j.result.Coverage.Damage = []report.Damage{{Path: "snapshot.db"}}
		j.result.Coverage.NotExamined = append(j.result.Coverage.NotExamined, report.NotExamined{Path: "x", Unread: true})
		j.addFinding(report.Finding{Rule: report.RuleDamage, At: []report.Location{{Path: "snapshot.db"}}})
	}},
	{report.StatusFindings, 1, report.ExitFindings, func(j *Judge) {
		j.addFinding(report.Finding{Rule: report.RuleNonceReuse, Key: "/registry/secrets/a/n"})
		j.addFinding(report.Finding{Rule: report.RuleWeakProvider, Severity: report.SeverityLow}) // counts for nothing
	}},
	{report.StatusUnattributed, 5, report.ExitClean, func(j *Judge) {
		j.addFinding(report.Finding{Rule: report.RuleUnattributed, At: []report.Location{{Path: "snapshot.db"}}, AtMore: 4})
	}},
	{report.StatusEmpty, 0, report.ExitNotEvidence, func(j *Judge) { j.result.Scope[0].Encrypted = 0 }},
	{report.StatusClean, 7, report.ExitClean, func(*Judge) {}},
}

// judgeOf is a judge that knows these facts alone.
func judgeOf(allowEmpty bool, facts ...fact) *Judge {
	j := &Judge{question: Question{Run: report.Run{FailOn: report.SeverityHigh}, AllowEmpty: allowEmpty}, clusters: &cluster.Clusters{}, result: &report.Report{}}
	j.result.Scope = []report.ScopeCount{{Resource: "secrets", Counts: report.Counts{Encrypted: 7}}}
	for _, f := range facts {
		f.add(j)
	}
	return j
}

// Every row of the table holds alone, and beside each other row, and the worse one goes first.
func TestVerdictTable(t *testing.T) {
	var rows []report.Status
	for _, f := range facts {
		rows = append(rows, f.status)
	}
	if diff := cmp.Diff(report.Reasons(), rows); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	for i, x := range facts {
		want := report.Verdict{Status: x.status, Complete: x.status != report.StatusIncomplete, ExitStatus: x.exit,
			Reasons: []report.Reason{{Status: x.status, Count: x.count}}, LeftOut: []report.LeftOut{}}
		if diff := cmp.Diff(want, judgeOf(false, x).verdict()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.status, diff)
		}
		for _, y := range facts[i+1:] {
			want := want
			want.Complete = want.Complete && y.status != report.StatusIncomplete
			want.ExitStatus = worseExit(x.exit, y.exit)
			hasObjects := x.status == report.StatusPlaintext || x.status == report.StatusExposed
			if y.status == report.StatusEmpty && hasObjects {
				want.ExitStatus = x.exit // then it is not empty
			} else if y.status != report.StatusClean {
				want.Reasons = append(slices.Clone(want.Reasons), report.Reason{Status: y.status, Count: y.count})
			}
			if x.status == report.StatusEmpty {
				want.Reasons = want.Reasons[:1] // nothing is clean of nothing
			}
			if diff := cmp.Diff(want, judgeOf(false, x, y).verdict()); diff != "" {
				t.Errorf("%s and %s (-want +got):\n%s", x.status, y.status, diff)
			}
		}
	}
}

// worseExit is the exit status that goes first by the contract: 5, 4, 3, 1, 0.
func worseExit(x, y int) int { return max(x, y) }

func TestVerdictFlags(t *testing.T) {
	empty := facts[slices.IndexFunc(facts, func(f fact) bool { return f.status == report.StatusEmpty })]
	if v := judgeOf(true, empty).verdict(); v.Status != report.StatusEmpty || v.ExitStatus != report.ExitClean {
		t.Errorf("allowed to be empty: %+v", v)
	}
	left := judgeOf(false)
	left.question.Run.NoWAL, left.question.Run.Prefixes = true, []report.Text{"/registry"}
	if v := left.verdict(); v.Status != report.StatusClean || !v.Complete || !slices.Equal(v.LeftOut, report.AllLeftOut()) {
		t.Errorf("what a flag leaves out: %+v", v)
	}
	path := judgeOf(false)
	path.question.NotEvidence = []report.NotExamined{{Path: "typo.db"}}
	if v := path.verdict(); v.Status != report.StatusIncomplete || v.ExitStatus != report.ExitNotEvidence {
		t.Errorf("a PATH that is no evidence: %+v", v)
	}
	broken := judgeOf(false)
	broken.result.Scope[0].Broken = 2
	if v := broken.verdict(); v.Status != report.StatusFindings || v.Reasons[0].Count != 2 || v.ExitStatus != report.ExitClean {
		t.Errorf("a broken value in scope: %+v", v)
	}
	low := judgeOf(false)
	low.addFinding(report.Finding{Rule: report.RuleWeakProvider, Severity: report.SeverityLow})
	if v := low.verdict(); v.Status != report.StatusClean || v.ExitStatus != report.ExitClean {
		t.Errorf("a finding of low severity: %+v", v)
	}
	low.question.Run.FailOn = report.SeverityLow
	if v := low.verdict(); v.Status != report.StatusFindings || v.ExitStatus != report.ExitFindings {
		t.Errorf("a finding of low severity with --fail-on low: %+v", v)
	}
}

// Each rule counts for a row of the table.
func TestRulesHaveReasons(t *testing.T) {
	for _, r := range rules {
		if !slices.Contains(report.Reasons(), r.Reason) || r.Reason == report.StatusEmpty || r.Reason == report.StatusClean {
			t.Errorf("%s counts for %q", r.ID, r.Reason)
		}
		if f := (report.Finding{Rule: r.ID, Severity: r.Severity}); r.Reason != judgeOf(false).reasonOf(&f) &&
			!slices.Contains([]report.Status{report.StatusPlaintext, report.StatusExposed, report.StatusIncomplete}, r.Reason) {
			t.Errorf("%s: a finding of the rule counts for nothing", r.ID)
		}
	}
}
