package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// verdict weighs the result as a whole. With keys to retire the exit status says what the answers
// to these are.
func (j *Judge) verdict() report.Verdict {
	r := j.result
	v := report.Verdict{Status: report.StatusIncomplete, ExitStatus: j.exitStatus()}
	v.Complete = len(r.Coverage.NotExamined) == 0 && v.ExitStatus != report.ExitIncomplete && v.ExitStatus != report.ExitChanged
	switch {
	case slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool { return x.Status == report.StatusPlaintext }):
		v.Status = report.StatusPlaintext
	case len(r.Exposures) > 0:
		v.Status = report.StatusExposed
	case v.Complete && slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Rule == report.RuleUnattributed }):
		v.Status = report.StatusUnattributed
	case v.Complete && j.empty():
		v.Status = report.StatusEmpty
	case v.Complete:
		v.Status = report.StatusClean
	}
	return v
}

// empty reports whether there is nothing that a verdict could be about. To call that clean would be
// true, and be read as an answer on a cluster.
func (j *Judge) empty() bool {
	return !slices.ContainsFunc(j.result.Scope, func(s report.ScopeCount) bool { return s.Keys > 0 })
}

// exitStatus is the first of these that holds: the evidence changed, it was not read whole, it was
// not found, it is not clean. Each of them makes those behind it uncertain.
func (j *Judge) exitStatus() int {
	r := j.result
	switch {
	case slices.ContainsFunc(r.Evidence, func(e report.Evidence) bool { return e.Changed != "" }),
		slices.ContainsFunc(r.Coverage.NotExamined, func(n report.NotExamined) bool { return n.Gone }):
		return report.ExitChanged
	case r.Coverage.Unread() || slices.ContainsFunc(r.Evidence, unconfirmed):
		return report.ExitIncomplete
	case len(j.question.NotEvidence) > 0 || j.empty() && !j.question.AllowEmpty:
		return report.ExitNotEvidence
	case len(j.retire) > 0:
		return retireStatus(j.retire)
	case j.question.FailOn > report.SeverityNone && slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Severity >= j.question.FailOn }):
		return report.ExitFindings
	}
	return report.ExitClean
}

// unconfirmed reports whether a second witness was asked on a file, and did not agree.
func unconfirmed(e report.Evidence) bool {
	return e.SecondWitness != nil && e.SecondWitness.Result != report.WitnessAgrees
}
