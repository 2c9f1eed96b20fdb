package analyzer

import "slices"

// verdict weighs the report as a whole.
func (b *builder) verdict() Verdict {
	r := b.report
	v := Verdict{Status: StatusIncomplete, ExitStatus: b.exitStatus()}
	v.Complete = len(r.Coverage.NotExamined) == 0 && v.ExitStatus != ExitIncomplete && v.ExitStatus != ExitChanged
	switch {
	case slices.ContainsFunc(r.Exposures, func(x Exposure) bool { return x.Status == StatusPlaintext }):
		v.Status = StatusPlaintext
	case len(r.Exposures) > 0:
		v.Status = StatusExposed
	case v.Complete && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == RuleUnattributed }):
		v.Status = StatusUnattributed
	case v.Complete && b.empty():
		v.Status = StatusEmpty
	case v.Complete:
		v.Status = StatusClean
	}
	return v
}

// empty reports whether there is nothing that a verdict could be about. "Clean" of it
// would be true, and read as an answer on a cluster.
func (b *builder) empty() bool {
	return !slices.ContainsFunc(b.report.Scope, func(s ScopeCount) bool { return s.Keys > 0 })
}

// The exit statuses of the program. ExitUsage is for wrong usage, and for a report
// that could not be written; the others come from a report.
const (
	ExitClean       = 0 // every byte was read, and nothing reached FailOn
	ExitFindings    = 1
	ExitUsage       = 2
	ExitNotEvidence = 3 // a PATH is no evidence, or nothing in scope was found in any
	ExitIncomplete  = 4 // damage, no permission or an I/O error left something unread
	ExitChanged     = 5 // the evidence changed while it was read
)

// exitStatus is the first of these that holds, the one that says least about the
// evidence: it changed, it was not read whole, it was not found, it is not clean.
func (b *builder) exitStatus() int {
	r := b.report
	switch {
	case slices.ContainsFunc(r.Evidence, func(e Evidence) bool { return e.Changed != "" }),
		slices.ContainsFunc(r.Coverage.NotExamined, func(n NotExamined) bool { return n.Gone }):
		return ExitChanged
	case r.Coverage.Unread() || slices.ContainsFunc(r.Evidence, unconfirmed):
		return ExitIncomplete
	case len(b.options.NotEvidence) > 0 || b.empty() && !b.options.AllowEmpty:
		return ExitNotEvidence
	case len(r.Retire) > 0:
		return retireStatus(r.Retire)
	case b.options.FailOn > SeverityNone && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity >= b.options.FailOn }):
		return ExitFindings
	}
	return ExitClean
}
