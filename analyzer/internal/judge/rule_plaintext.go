package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

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
		if rule := ruleOf(at); rule != "" {
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
			Rule: b.rule, Severity: report.RuleByID(b.rule).Severity, Resource: e.Resource, Namespace: e.Namespace, Name: e.Name, Key: e.Key,
			At: x.locate(b.newest), AtMore: b.copies - 1, Superseded: b.rule == report.RulePlaintextLive && e.Status == report.StatusExposed,
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

// ruleOf is the rule that a plaintext copy breaks, empty if none: a record of the tree that lies
// elsewhere once more is no residue.
func ruleOf(at seen.CopyIn) report.RuleID {
	if at.Reread {
		return ""
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
