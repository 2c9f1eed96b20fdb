package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// policyOf is what the configuration says of the newest value of a key, and the entry
// that says so. A value is judged by the key that opened it; where none could be
// tried, by the first of its name.
func policyOf(ev *seen.Evidence, config *encryption.Config, e *seen.Entry, id object.Identity) (encryption.Policy, *encryption.Entry) {
	entries := keys.ConfiguredFor(config, id)
	how := ev.Keys.Storages[e.Storage]
	if how.Provider == envelope.Identity {
		return entries.Policy(nil, false)
	}
	key := e.Proved().Key
	if key == nil || !e.Proved().Covered {
		key = entries.Named(how.Provider, how.KeyName)
	}
	policy, entry := entries.Policy(key, true)
	if policy == encryption.Current && e.Proved().Stale {
		policy = encryption.StaleKey
	}
	return policy, entry
}

// judgedBy is what a list says of the newest value of a key: nothing without a
// configuration.
func judgedBy(ev *seen.Evidence, config *encryption.Config, e *seen.Entry, id object.Identity) (report.Proof, report.Policy) {
	if config == nil || id.Resource == "" {
		return "", ""
	}
	policy, _ := policyOf(ev, config, e, id)
	if ev.Keys.Storages[e.Storage].Provider == envelope.Identity {
		return "", reportedPolicy(policy)
	}
	return e.Proved().Reported(), reportedPolicy(policy)
}

// reportedPolicy is a policy as it is reported.
func reportedPolicy(p encryption.Policy) report.Policy {
	switch p {
	case encryption.WrongProvider:
		return report.PolicyWrongProvider
	case encryption.StaleKey:
		return report.PolicyStaleKey
	case encryption.NotEncrypted:
		return report.PolicyNotEncrypted
	case encryption.NotConfigured:
		return report.PolicyNotConfigured
	case encryption.UnknownKey:
		return report.PolicyUnknownKey
	}
	return report.PolicyCurrent
}

// judge reports what the configuration has against the newest value of a key. That it
// is plaintext is reported with its copies; what can not be opened has a finding of its
// own, and its key is not known.
func (b *Judge) judge(ev *seen.Evidence, e *seen.Entry, id object.Identity) {
	how := ev.Keys.Storages[e.Storage]
	if b.question.Encryption == nil || id.Resource == "" || how.Provider == envelope.Identity || how.Provider == envelope.Unknown ||
		e.Proved().Outcome == seen.Closed && e.Proved().Covered {
		return
	}
	policy, entry := policyOf(ev, b.question.Encryption, e, id)
	if policy == encryption.Current {
		return
	}
	f := objectFinding(report.RuleID(reportedPolicy(policy)), id, e.Key, locationOf(ev, e))
	f.Message = policyMessage(&f, policy, entry, id.GroupResource, how, e.Proved().Stale)
	b.find(f)
}

// addConfiguration reports the resources that the configuration writes in plaintext. An
// entry that has the identity provider alone is the documented way to leave a resource
// out of a wildcard, and reported only where the verdict is about that resource.
func (b *Judge) addConfiguration() {
	if b.question.Encryption == nil {
		return
	}
	for _, entry := range b.question.Encryption.Entries() {
		if entry.Encrypts() || len(entry.Keys) == 1 && !b.asks(entry) {
			continue
		}
		b.find(report.Finding{Rule: report.RuleIdentityFirst, Resource: report.Text(entry.String()), Message: identityMessage(entry)})
	}
	b.addDisagreements()
}

// addDisagreements reports the resources that the API servers of the cluster would write
// in different ways.
func (b *Judge) addDisagreements() {
	for _, d := range b.question.Encryption.Disagreements() {
		f := report.Finding{Rule: report.RuleWritersDisagree, Resource: report.Text(d.One.String())}
		if d.One.Wildcard() {
			f.Resource = report.Text(d.Other.String())
		}
		if d.Readable {
			f.Severity = report.SeverityMedium
		}
		f.Message = disagreementMessage(d.One, d.Other, d.Readable)
		b.find(f)
	}
}

// asks reports whether an entry is that of a resource that the user named.
func (b *Judge) asks(entry *encryption.Entry) bool {
	for _, r := range b.question.Resources {
		if slices.Contains(b.question.Encryption.For(r), entry) {
			return true
		}
	}
	return false
}

// addProofs reports the values that a key did not open, or not as it should.
func (b *Judge) addProofs(p *keys.Proofs) {
	if p == nil {
		return
	}
	for _, f := range p.Failures {
		finding := objectFinding(report.RuleUndecryptable, f.In.Identity(f.Key), f.Key, seen.CopyIn{Copy: &f.At, In: f.In}.Location())
		finding.AtMore = f.Copies - 1
		switch {
		case f.Outcome == seen.NotObject:
			finding.Rule = report.RuleNotObject
		case f.From != "":
			finding.Rule = report.RuleRelocated
		}
		finding.Message = failureMessage(&finding, f)
		b.find(finding)
	}
}

// addSharedNames reports the keys of the configuration of whose name there is another key.
func (b *Judge) addSharedNames() {
	for _, u := range b.sortedUses() {
		if u.NotOpened == 0 || b.configOf(u.id) == report.ConfigAbsent {
			continue
		}
		b.find(report.Finding{Rule: report.RuleSharedName, Message: sharedNameMessage(u, b.question.Encryption.Files())})
	}
}
