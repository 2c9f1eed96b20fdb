package analyzer

import (
	"fmt"
	"slices"
	"strings"
)

// Severity orders findings by how soon somebody must act.
type Severity uint8

// The severities. SeverityNone is below every finding.
const (
	SeverityNone Severity = iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{"none", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severityNames[s] }

// SeverityNames is the names of all severities, the least first.
func SeverityNames() []string { return slices.Clone(severityNames[:]) }

// MarshalText writes the name, for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads a name that String writes.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames {
		if n == name {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("severity %q: must be one of %s", name, strings.Join(severityNames[:], ", "))
}

// RuleID names a rule. IDs never change.
type RuleID string

// The rules that are applied.
const (
	RulePlaintextLive   RuleID = "plaintext-live"
	RuleUnknownEnvelope RuleID = "unknown-envelope"
	RuleSnapshotHash    RuleID = "snapshot-hash-mismatch"
	RuleDamage          RuleID = "structure-damage"
)

// A Rule says what a finding means, why it matters and what mends it.
type Rule struct {
	ID       RuleID
	Severity Severity
	Means    string
	Matters  string
	Mend     string
}

// Rules lists every rule, the gravest first.
func Rules() []Rule {
	return []Rule{
		{RulePlaintextLive, SeverityCritical,
			"the newest value of a resource in scope is not encrypted",
			"Whoever holds this file, a backup of it or the disk reads the object as it is used now.",
			"Configure encryption at rest for the resource, rewrite every object (kubectl get ... -o json | kubectl replace -f -), then rotate what was readable."},
		{RuleSnapshotHash, SeverityHigh,
			"the SHA-256 behind a snapshot is not that of its bytes",
			"The snapshot was changed or damaged after etcd wrote it, or opened by a tool that writes.",
			"Get the snapshot again from its source, or from a backup whose hash is valid."},
		{RuleUnknownEnvelope, SeverityMedium,
			"a value starts with k8s:enc: but its provider or version is not known, or it is cut",
			"Nobody can tell from here whether the value is encrypted, and the API server may not be able to read it.",
			"Find out which component wrote the value, and rewrite the object with a provider that Kubernetes knows."},
		{RuleDamage, SeverityMedium,
			"pages or records break their format",
			"What could not be read may hold plaintext: no answer from this file is complete.",
			"Examine another copy of the evidence, such as another member's or an earlier snapshot."},
	}
}

func ruleByID(id RuleID) Rule {
	for _, r := range Rules() {
		if r.ID == id {
			return r
		}
	}
	return Rule{ID: id}
}
