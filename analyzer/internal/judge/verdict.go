package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/cluster"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// verdict weighs the result as a whole. With keys to retire the exit status says what the answers
// to these are.
func (j *Judge) verdict() report.Verdict {
	v := report.Verdict{ExitStatus: j.exitStatus(), Reasons: j.reasons(nil), LeftOut: []report.LeftOut{}}
	v.Status = v.Reasons[0].Status
	v.Complete = v.Count(report.StatusIncomplete) == 0
	if j.question.Run.NoWAL {
		v.LeftOut = append(v.LeftOut, report.LeftOutWAL)
	}
	if len(j.question.Run.Prefixes) > 0 {
		v.LeftOut = append(v.LeftOut, report.LeftOutPrefix)
	}
	return v
}

// reasons lists what holds of a cluster, or with nil of all evidence, the worst first: one at
// least.
func (j *Judge) reasons(of *cluster.Cluster) []report.Reason {
	counts := j.counts(of)
	places := map[report.Status]int{} // of findings that are on no object
	objects := map[report.Status]map[clusterObject]bool{}
	for i := range j.result.Findings {
		f := &j.result.Findings[i]
		reason := j.reasonOf(f)
		switch {
		case reason == "" || of != nil && !of.Concerns(f):
		case f.Key == "":
			places[reason] += max(1, len(f.At)+f.AtMore)
		case objects[reason] == nil:
			objects[reason] = map[clusterObject]bool{}
			fallthrough
		default:
			objects[reason][clusterObject{f.Cluster, f.Key}] = true
		}
	}
	all := map[report.Status]int{
		report.StatusPlaintext: counts.Plaintext, report.StatusExposed: counts.Exposed, report.StatusIncomplete: j.missing(of),
	}
	for _, s := range []report.Status{report.StatusPolicy, report.StatusUntrusted, report.StatusFindings, report.StatusUnattributed} {
		all[s] = cmp.Or(len(objects[s]), places[s])
	}
	if counts.Broken > 0 {
		all[report.StatusFindings] = max(counts.Broken, len(objects[report.StatusFindings]))
	}
	var reasons []report.Reason
	for _, s := range report.Reasons() {
		switch {
		case s == report.StatusEmpty && counts == (report.Counts{}), s == report.StatusClean && len(reasons) == 0:
			reasons = append(reasons, report.Reason{Status: s, Count: counts.Encrypted})
		case all[s] > 0:
			reasons = append(reasons, report.Reason{Status: s, Count: all[s]})
		}
	}
	return reasons
}

// A clusterObject is a key of one cluster.
type clusterObject struct {
	cluster report.ClusterID
	key     report.Text
}

// reasonOf is what a finding counts for; empty if it is counted by the status of its object or by
// what was not read, or is below all that matters.
func (j *Judge) reasonOf(f *report.Finding) report.Status {
	reason := ruleOf(f.Rule).Reason
	switch reason {
	case report.StatusPlaintext, report.StatusExposed, report.StatusIncomplete:
		return ""
	case report.StatusFindings:
		if f.Severity < report.SeverityMedium && !j.fails(f) {
			return ""
		}
	}
	return reason
}

// fails reports whether a finding makes the exit status 1.
func (j *Judge) fails(f *report.Finding) bool {
	return j.question.Run.FailOn > report.SeverityNone && f.Severity >= j.question.Run.FailOn
}

// counts is how many objects in scope there are in a cluster, or with nil in all.
func (j *Judge) counts(of *cluster.Cluster) report.Counts {
	if of != nil {
		return of.Counts
	}
	var all report.Counts
	for _, s := range j.result.Scope {
		all.Plaintext += s.Plaintext
		all.Exposed += s.Exposed
		all.Encrypted += s.Encrypted
		all.Broken += s.Broken
	}
	return all
}

// missing is in how many places something was not read that was asked for, in the files of a
// cluster, or with nil in all.
func (j *Judge) missing(of *cluster.Cluster) int {
	c := &j.result.Coverage
	n := 0
	for _, d := range c.Damage {
		if of.Has(d.Path) {
			n++
		}
	}
	if n > 0 {
		n += c.DamageMore
	}
	for _, what := range c.NotExamined {
		if what.Unread && (what.Path == "" || of.Has(what.Path)) {
			n++
		}
	}
	if of == nil {
		n += len(j.question.NotEvidence)
	}
	for _, e := range j.result.Evidence {
		if of.Has(e.Path) && (e.Changed != "" || unconfirmed(e)) {
			n++
		}
	}
	if n == 0 && of == nil && c.BytesRead < c.Bytes {
		return 1
	}
	return n
}

// addClusters puts the clusters into the report, when all else is known.
func (j *Judge) addClusters() {
	for _, c := range j.clusters.List {
		c.Scope = []report.ScopeCount{}
		for _, s := range j.result.Scope { // in the order of the user
			for r, n := range c.ByResource {
				if report.Text(r.String()) == s.Resource {
					c.Scope = append(c.Scope, *n)
				}
			}
		}
		for _, n := range slices.Collect(maps.Values(c.ByResource)) {
			c.Counts.Plaintext += n.Plaintext
			c.Counts.Exposed += n.Exposed
			c.Counts.Encrypted += n.Encrypted
			c.Counts.Broken += n.Broken
		}
		c.Verdict.Reasons = j.reasons(c)
		c.Verdict.Status = c.Verdict.Reasons[0].Status
		j.result.Clusters = append(j.result.Clusters, c.Cluster)
	}
}

// empty reports whether there is nothing that a verdict could be about. To call that clean would be
// true, and be read as an answer on a cluster.
func (j *Judge) empty() bool { return j.counts(nil) == report.Counts{} }

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
	case slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return j.fails(&f) }):
		return report.ExitFindings
	}
	return report.ExitClean
}

// unconfirmed reports whether a second witness was asked on a file, and did not agree.
func unconfirmed(e report.Evidence) bool {
	return e.SecondWitness != nil && e.SecondWitness.Result != report.WitnessAgrees
}
