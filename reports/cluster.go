package reports

import (
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// clusterBlocks writes the answer, the namespaces and the objects, in a block for each cluster that
// has something in scope: a sum over two of them would be true of neither.
func clusterBlocks(w *errWriter, r *report.Report) {
	var with, without []report.Cluster
	for _, c := range r.Clusters {
		if c.Counts == (report.Counts{}) {
			without = append(without, c)
		} else {
			with = append(with, c)
		}
	}
	if len(with) < 2 {
		block(w, r)
		return
	}
	w.paragraph("", fmt.Sprintf("This evidence is of %d clusters. No number below counts for two of them.", len(with)))
	for _, c := range with {
		w.printf("\n")
		w.paragraph("  ", clusterTitle(c))
		block(w, only(r, c))
	}
	for _, c := range without {
		w.printf("\n")
		w.paragraph("  ", clusterTitle(c))
		w.paragraph("", "Nothing in scope was found here.")
	}
}

// clusterTitle tells a cluster from the others.
func clusterTitle(c report.Cluster) string {
	title := fmt.Sprintf("Cluster %d", c.ID)
	if c.Prefix != "" {
		title += fmt.Sprintf(", prefix %s", visible(c.Prefix))
	}
	title += ", in " + list(c.Evidence)
	if len(c.Members) > 0 {
		title += fmt.Sprintf(" (etcd %s %s)", plural(len(c.Members), "member", "members"), list(c.Members))
	}
	return title + ":"
}

// only is the part of a report that is about one cluster.
func only(r *report.Report, c report.Cluster) *report.Report {
	part := *r
	part.Scope = c.Scope
	part.Namespaces, part.Exposures = nil, nil
	for _, n := range r.Namespaces {
		if n.Cluster == c.ID {
			part.Namespaces = append(part.Namespaces, n)
		}
	}
	for _, x := range r.Exposures {
		if x.Cluster == c.ID {
			part.Exposures = append(part.Exposures, x)
		}
	}
	part.Evidence = slices.DeleteFunc(slices.Clone(r.Evidence), func(e report.Evidence) bool { return !slices.Contains(c.Evidence, e.Path) })
	return &part
}

// block is the answer on one cluster.
func block(w *errWriter, r *report.Report) {
	for _, sentence := range answer(r) {
		w.paragraph("", sentence)
	}
	namespaces(w, r)
	exposures(w, r)
}
