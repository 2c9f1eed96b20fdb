package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// plaintextRules are the rules that plaintext copies of an object break.
var plaintextRules = []report.Rule{
	{
		ID: report.RulePlaintextLive, Severity: report.SeverityCritical, Reason: report.StatusPlaintext,
		Means:   "the newest value of a resource in scope is not encrypted",
		Matters: "Whoever holds this file, a backup of it or the disk reads the object as it is used now.",
		Mend:    "Configure encryption at rest for the resource, rewrite every object (kubectl get ... -o json | kubectl replace -f -), then rotate what was readable.",
	},
	{
		ID: report.RulePlaintextHistory, Severity: report.SeverityHigh, Reason: report.StatusExposed,
		Means:   "an older revision in the tree is plaintext",
		Matters: "etcd keeps old revisions until it is compacted: a range request at that revision, and any backup, still returns the object.",
		Mend:    "Compact the history (etcdctl compact), defragment every member, and rotate what was readable.",
	},
	{
		ID: report.RulePlaintextFree, Severity: report.SeverityHigh, Reason: report.StatusExposed,
		Means:   "a free page holds a plaintext record",
		Matters: "Compaction frees pages and does not erase them: they stay in the file and travel in every snapshot.",
		Mend:    "Defragment every member (etcdctl defrag), replace old backups, and rotate what was readable.",
	},
	{
		ID: report.RulePlaintextFragment, Severity: report.SeverityHigh, Reason: report.StatusExposed,
		Means:   "unstructured bytes hold (part of) a plaintext object",
		Matters: "A page that was used again in part still holds the rest of what it held: a piece of a key or a token may be enough.",
		Mend:    "Defragment every member (etcdctl defrag); where it is a .snap file, which that does not touch, remove the old .snap files once etcd has written newer ones; replace old backups, and rotate what was readable.",
	},
	{
		ID: report.RulePlaintextWAL, Severity: report.SeverityHigh, Reason: report.StatusExposed,
		Means:   "a WAL segment holds a plaintext write",
		Matters: "The write-ahead log keeps writes whatever becomes of them in the db: defragmentation does not touch it.",
		Mend:    "Write on until the segment is purged (etcd keeps five), or rebuild the members one by one; then rotate what was readable.",
	},
	{
		ID: report.RulePlaintextEmbedded, Severity: report.SeverityHigh, Reason: report.StatusExposed,
		Means:   "the value of another object, such as a ConfigMap, holds the manifest of a Secret in plaintext",
		Matters: "Encryption of Secrets does not cover that object, and whoever may read it in the cluster reads the Secret, too.",
		Mend: "Delete the object that carries it, or rewrite it without the Secret, and keep manifests of Secrets out of other objects; " +
			"compact the history, defragment every member and replace old backups; then rotate what was readable.",
	},
}

// A breach is a rule that plaintext copies of one object break in one file.
type breach struct {
	rule   report.RuleID
	path   report.Text
	copies int
	newest seen.CopyIn
}

// addPlaintextFindings reports the breaches of the object at hand, each by its newest copy.
func (x *exposer) addPlaintextFindings(e *report.Exposure) {
	x.breaches = x.breaches[:0]
	for _, at := range x.copies {
		if rule := brokenBy(at); rule != "" {
			b := x.breach(rule, at.Path())
			b.copies++
			b.newest = at
		}
		if e.Status == report.StatusPlaintext && e.Current.WALIndex != 0 && uint64(at.Index) == e.Current.WALIndex {
			b := x.breach(report.RulePlaintextLive, at.Path())
			b.copies, b.newest = 1, at
		}
	}
	for _, b := range x.breaches {
		x.findings = append(x.findings, report.Finding{
			Rule: b.rule, Severity: severityOf(b.rule), Resource: e.Resource, Namespace: e.Namespace, Name: e.Name, Key: e.Key, Cluster: e.Cluster,
			At: x.locate(b.newest), AtMore: b.copies - 1, Unknown: e.State == report.StateUnknown,
			Superseded: b.rule == report.RulePlaintextLive && e.Status == report.StatusExposed && e.State != report.StateUnknown,
		})
	}
}

// breach finds the breach of a rule in a file, or adds one.
func (x *exposer) breach(rule report.RuleID, path report.Text) *breach {
	i := slices.IndexFunc(x.breaches, func(b breach) bool { return b.rule == rule && b.path == path })
	if i < 0 {
		i = len(x.breaches)
		x.breaches = append(x.breaches, breach{rule: rule, path: path})
	}
	return &x.breaches[i]
}

// brokenBy is the rule that a plaintext copy breaks, empty if none: a record of the tree that lies
// elsewhere once more is no residue.
func brokenBy(at seen.CopyIn) report.RuleID {
	if at.Reread {
		return ""
	}
	if at.Embedded {
		return report.RulePlaintextEmbedded
	}
	switch at.Region() {
	case report.RegionLive:
		return report.RulePlaintextLive
	case report.RegionHistory:
		return report.RulePlaintextHistory
	case report.RegionWAL:
		return report.RulePlaintextWAL
	case report.RegionFree:
		return report.RulePlaintextFree
	case report.RegionTail:
		if at.Complete && at.Rev.Main > 0 {
			return report.RulePlaintextFree
		}
	}
	return report.RulePlaintextFragment
}

// locationChunk is how many locations share one piece of memory: nearly every finding has one.
const locationChunk = 512

// locate is the place of a copy, as a list of one.
func (x *exposer) locate(at seen.CopyIn) []report.Location {
	if len(x.locations) == cap(x.locations) {
		x.locations = make([]report.Location, 0, locationChunk)
	}
	n := len(x.locations)
	x.locations = append(x.locations, at.Location())
	return x.locations[n : n+1 : n+1]
}
