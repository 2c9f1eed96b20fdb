package reports

import (
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// validity says how much of the exposed data is still in use.
func validity(r *report.Report) []string {
	counts := map[report.Use]int{}
	lost := 0 // Secrets of which nobody knows what they hold now, with whatever key
	for _, x := range r.Exposures {
		switch {
		case x.Validity == nil || x.Status != report.StatusExposed:
		case x.State == report.StateUnknown:
			lost++
		default:
			counts[x.Validity.Status]++
		}
	}
	var parts []string
	for _, p := range []struct {
		use  report.Use
		what string
	}{
		{report.Unchanged, plural(counts[report.Unchanged], "holds", "hold") + " data that is still in use (rotate now)"},
		{report.Changed, plural(counts[report.Changed], "has", "have") + " changed since"},
		{report.Gone, plural(counts[report.Gone], "was", "were") + " deleted since"},
	} {
		if n := counts[p.use]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.what))
		}
	}
	if n := counts[report.UseUnknown]; n > 0 {
		parts = append(parts, fmt.Sprintf("of %d it is not known whether %s still in use (--encryption-config tells)", n, plural(n, "it is", "they are")))
	}
	if lost > 0 {
		parts = append(parts, fmt.Sprintf("of %d no tree tells what they hold now", lost))
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"Of the exposed Secrets, " + and(parts) + "."}
}

// use says whether an exposed Secret is still in use.
func use(x report.Exposure) string {
	if x.Validity == nil {
		return "-"
	}
	return string(x.Validity.Status)
}

// dataKeys lists the names of a Secret's data, and for each whether it is still in use, if that
// is not the same for all.
func dataKeys(x report.Exposure) string {
	v := x.Validity
	if v == nil || !slices.ContainsFunc(v.DataKeys, func(d report.DatumUse) bool { return d.Status != v.Status }) {
		return list(x.DataKeys)
	}
	parts := make([]report.Text, len(v.DataKeys))
	for i, d := range v.DataKeys {
		parts[i] = d.Name + report.Text(" ("+string(d.Status)+")")
	}
	return list(parts)
}
