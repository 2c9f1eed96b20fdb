package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/cluster"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// memberRules are the rules that the members of one etcd break together.
var memberRules = []report.Rule{
	{
		ID: report.RuleMembersDisagree, Severity: report.SeverityCritical, Reason: report.StatusUntrusted,
		Means:   "two members of one etcd cluster have different values at the same revision, or one of them lacks a write that the other has",
		Matters: "Clients read one value or the other, by the member that answers. What is encrypted on one member may be plaintext on the other.",
		Mend:    "Find out which member is right (etcdctl endpoint hashkv), remove the others one by one, wipe their data dirs, and add them again as new members.",
	},
}

// addDisagreeingMembers reports the members of one etcd that went apart.
func (j *Judge) addDisagreeingMembers() {
	for _, d := range j.clusters.Splits {
		f := report.Finding{Rule: report.RuleMembersDisagree, Cluster: j.clusters.Of(d.X, firstKey(d)), Detail: splitDetail(d)}
		for _, keys := range [][]string{d.Differ, d.OnlyX, d.OnlyY} {
			for _, key := range keys {
				for _, ev := range []*seen.Evidence{d.X, d.Y} {
					e := ev.Keys.Entry(key)
					if e == nil || e.Deleted {
						continue
					}
					at := locationOf(ev, e)
					at.Key = report.Text(key)
					addPlace(&f, at)
				}
			}
		}
		j.addFinding(f)
	}
}

// firstKey is one of the keys that the members disagree on.
func firstKey(d *cluster.Split) string {
	return slices.Concat(d.Differ, d.OnlyX, d.OnlyY)[0]
}

// splitDetail says what the two members have that the other has not.
func splitDetail(d *cluster.Split) string {
	x, y := d.X.Path.ValidUTF8(), d.Y.Path.ValidUTF8()
	var parts []string
	for _, part := range []struct {
		keys      []string
		one, many string
	}{
		{d.Differ, "key has another value at the same revision", "keys have other values at the same revision"},
		{d.OnlyX, "write is in " + x + " alone", "writes are in " + x + " alone"},
		{d.OnlyY, "write is in " + y + " alone", "writes are in " + y + " alone"},
	} {
		switch len(part.keys) {
		case 0:
		case 1:
			parts = append(parts, "one "+part.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", len(part.keys), part.many))
		}
	}
	return fmt.Sprintf("%s and %s are of one etcd cluster and disagree: %s", x, y, strings.Join(parts, ", "))
}
