package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// verdict is the last line: the status, what else holds, what was left out, and the exit status
// with the reason for it.
func verdict(r *report.Report) string {
	v := &r.Verdict
	s := string(v.Status)
	if v.Status == report.StatusClean {
		s += cleanOf(r)
	}
	var more []string
	for _, reason := range v.Reasons[min(1, len(v.Reasons)):] {
		more = append(more, string(reason.Status))
	}
	if len(more) > 0 {
		s += ", also " + and(more)
	}
	var out []string
	for _, l := range v.LeftOut {
		out = append(out, leftOut(l))
	}
	if len(out) > 0 {
		s += "; left out: " + and(out)
	}
	return fmt.Sprintf("%s (exit status %d%s)", s, v.ExitStatus, exitReason(r))
}

// leftOut names what a flag leaves out.
func leftOut(l report.LeftOut) string {
	switch l {
	case report.LeftOutWAL:
		return "the WAL"
	case report.LeftOutPrefix:
		return "keys outside of --prefix"
	}
	return string(l)
}

// exitReason says why the exit status is what it is, unless that is plain.
func exitReason(r *report.Report) string {
	v := &r.Verdict
	switch v.ExitStatus {
	case report.ExitFindings:
		return fmt.Sprintf(": findings at or above --fail-on %v", r.Run.FailOn)
	case report.ExitNotEvidence:
		if v.Count(report.StatusIncomplete) > 0 {
			return ": a PATH is no evidence"
		}
		return ": nothing in scope was found"
	case report.ExitIncomplete:
		return ": not everything could be read"
	case report.ExitChanged:
		return ": the evidence changed while it was read"
	}
	switch v.Status {
	case report.StatusClean:
		return ""
	case report.StatusEmpty:
		return ", by --allow-empty"
	}
	return fmt.Sprintf(": no finding reaches --fail-on %v", r.Run.FailOn)
}

// cleanOf says of what the evidence is clean, and what the question left aside.
func cleanOf(r *report.Report) string {
	var judged []string
	inScope := map[report.Text]bool{}
	others, resources := 0, 0
	for _, scope := range r.Scope {
		inScope[scope.Resource] = true
		switch {
		case scope.Keys == 0:
		case scope.Configured:
			others += scope.Keys
			resources++
		default:
			judged = append(judged, fmt.Sprintf("%d %s", scope.Keys, noun(scope)))
		}
	}
	if others > 0 {
		judged = append(judged, ofOthers(others, resources))
	}
	s := ": " + and(judged)
	if aside := notJudged(r, inScope); aside != "" {
		s += "; not judged and in plaintext: " + aside
	}
	return s
}

// ofOthers counts objects of resources that are not named.
func ofOthers(objects, resources int) string {
	return fmt.Sprintf("%d %s of %d other %s", objects, plural(objects, "object", "objects"), resources, plural(resources, "resource", "resources"))
}

// maxJudged bounds the resources that the verdict names.
const maxJudged = 4

// notJudged counts the objects that are in plaintext and out of scope: first ConfigMaps and custom
// resources, which people keep passwords in.
func notJudged(r *report.Report, inScope map[report.Text]bool) string {
	counts := map[report.Text]int{}
	for _, n := range r.Inventory {
		if n.Resource != "" && !inScope[n.Resource] {
			counts[n.Resource] += n.Providers[report.ProviderIdentity]
		}
	}
	var named []report.Text
	rest, resources := 0, 0
	for name, n := range counts {
		switch {
		case n == 0:
		case name == "configmaps" || isCustom(name):
			named = append(named, name)
		default:
			rest += n
			resources++
		}
	}
	slices.SortFunc(named, func(x, y report.Text) int {
		return cmp.Or(first(x == "configmaps", y == "configmaps"), cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	var parts []string
	for i, name := range named {
		if i < maxJudged {
			parts = append(parts, fmt.Sprintf("%d %s", counts[name], item(name)))
		} else {
			rest += counts[name]
			resources++
		}
	}
	if rest > 0 {
		parts = append(parts, ofOthers(rest, resources))
	}
	return strings.Join(parts, ", ")
}

// first orders what is true before what is not.
func first(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

// isCustom reports whether a resource, named as in "vaults.lab.example.com", is most likely that of
// somebody's own API: the groups of Kubernetes have no dot, or end in ".k8s.io".
func isCustom(resource report.Text) bool {
	_, group, _ := strings.Cut(string(resource), ".")
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}
