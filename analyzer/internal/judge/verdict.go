package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// verdict weighs the report as a whole.
func (b *Judge) verdict() report.Verdict {
	r := b.result
	v := report.Verdict{Status: report.StatusIncomplete, ExitStatus: b.exitStatus()}
	v.Complete = len(r.Coverage.NotExamined) == 0 && v.ExitStatus != report.ExitIncomplete && v.ExitStatus != report.ExitChanged
	switch {
	case slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool { return x.Status == report.StatusPlaintext }):
		v.Status = report.StatusPlaintext
	case len(r.Exposures) > 0:
		v.Status = report.StatusExposed
	case v.Complete && slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Rule == report.RuleUnattributed }):
		v.Status = report.StatusUnattributed
	case v.Complete && b.empty():
		v.Status = report.StatusEmpty
	case v.Complete:
		v.Status = report.StatusClean
	}
	return v
}

// empty reports whether there is nothing that a verdict could be about. "Clean" of it
// would be true, and read as an answer on a cluster.
func (b *Judge) empty() bool {
	return !slices.ContainsFunc(b.result.Scope, func(s report.ScopeCount) bool { return s.Keys > 0 })
}

// exitStatus is the first of these that holds, the one that says least about the
// evidence: it changed, it was not read whole, it was not found, it is not clean.
func (b *Judge) exitStatus() int {
	r := b.result
	switch {
	case slices.ContainsFunc(r.Evidence, func(e report.Evidence) bool { return e.Changed != "" }),
		slices.ContainsFunc(r.Coverage.NotExamined, func(n report.NotExamined) bool { return n.Gone }):
		return report.ExitChanged
	case r.Coverage.Unread() || slices.ContainsFunc(r.Evidence, unconfirmed):
		return report.ExitIncomplete
	case len(b.question.NotEvidence) > 0 || b.empty() && !b.question.AllowEmpty:
		return report.ExitNotEvidence
	case len(r.Retire) > 0:
		return retireStatus(r.Retire)
	case b.question.FailOn > report.SeverityNone && slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Severity >= b.question.FailOn }):
		return report.ExitFindings
	}
	return report.ExitClean
}

// unconfirmed reports whether the second witness was asked and did not agree.
func unconfirmed(e report.Evidence) bool {
	return e.SecondWitness != nil && e.SecondWitness.Result != report.WitnessAgrees
}
