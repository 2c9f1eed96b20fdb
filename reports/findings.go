package reports

import (
	"fmt"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// findings lists those that the tables above do not show.
func findings(w *errWriter, r *report.Report) {
	title := "\nFindings:\n"
	if len(r.Exposures) > 0 {
		title = "\nOther findings:\n"
	}
	var rest []report.Finding
	for _, f := range r.Findings {
		if !f.Rule.IsPlaintext() {
			rest = append(rest, f)
		}
	}
	if len(rest) > 0 {
		w.printf("%s", title)
		writeFindings(w, rest)
	}
}

// maxAlike is how many findings of one rule on keys of one resource a table shows one by
// one: a rotation that has just begun leaves one for every object. JSON has all.
const maxAlike = 5

// writeFindings lists findings. If there are many of one rule on keys of one resource, the
// first stands for all.
func writeFindings(w *errWriter, found []report.Finding) {
	type sort struct {
		rule           report.RuleID
		resource, path report.Text
	}
	counts := map[sort]int{}
	for _, f := range found {
		counts[sort{f.Rule, f.Resource, f.Path()}]++
	}
	for i := range found {
		f := &found[i]
		s := sort{f.Rule, f.Resource, f.Path()}
		switch n := counts[s]; {
		case f.Key == "" || n <= maxAlike && n > 0:
			finding(w, f, "")
		case n > maxAlike:
			finding(w, f, fmt.Sprintf("; and %d more like this of %s", n-1, orNot(visible(f.Resource))))
			counts[s] = 0
		}
	}
}

// finding writes one finding: its rule, where it applies, and what it says. It adds more to
// that.
func finding(w *errWriter, f *report.Finding, more string) {
	var where []string
	for _, part := range []report.Text{f.Path(), f.Key} {
		if part != "" {
			where = append(where, visible(part))
		}
	}
	text := Visible(f.Message() + more)
	if len(where) > 0 {
		text = strings.Join(where, ", ") + ": " + text
	}
	w.paragraph("    ", fmt.Sprintf("  %v  %s  %s", f.Severity, f.Rule, text))
}
