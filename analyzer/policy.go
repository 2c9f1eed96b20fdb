package analyzer

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// policyOf is what the configuration says of the newest value of a key, and the entry
// that says so. A value is judged by the key that opened it; where none could be
// tried, by the first of its name.
func (s *survey) policyOf(config *encryption.Config, e *entry, id object.Identity) (encryption.Policy, *encryption.Entry) {
	entries := configuredFor(config, id)
	how := s.keys.stored[e.stored]
	if how.provider == envelope.Identity {
		return entries.Policy(nil, false)
	}
	key := e.proved().key
	if key == nil || !e.proved().covered {
		key = entries.Named(how.provider, how.keyName)
	}
	policy, entry := entries.Policy(key, true)
	if policy == encryption.Current && e.proved().stale {
		policy = encryption.StaleKey
	}
	return policy, entry
}

// judged is what a list says of the newest value of a key: nothing without a
// configuration.
func (s *survey) judged(config *encryption.Config, e *entry, id object.Identity) (report.Proof, report.Policy) {
	if config == nil || id.Resource == "" {
		return "", ""
	}
	policy, _ := s.policyOf(config, e, id)
	if s.keys.stored[e.stored].provider == envelope.Identity {
		return "", reportedPolicy(policy)
	}
	return e.proved().Proof(), reportedPolicy(policy)
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
func (b *builder) judge(s *survey, e *entry, id object.Identity) {
	how := s.keys.stored[e.stored]
	if b.question.Encryption == nil || id.Resource == "" || how.provider == envelope.Identity || how.provider == envelope.Unknown ||
		e.proved().outcome == closed && e.proved().covered {
		return
	}
	policy, entry := s.policyOf(b.question.Encryption, e, id)
	if policy == encryption.Current {
		return
	}
	f := objectFinding(report.RuleID(reportedPolicy(policy)), id, e.key, s.locationOf(e))
	f.Message = policyMessage(&f, policy, entry, id.GroupResource, how, e.proved().stale)
	b.find(f)
}

// addConfiguration reports the resources that the configuration writes in plaintext. An
// entry that has the identity provider alone is the documented way to leave a resource
// out of a wildcard, and reported only where the verdict is about that resource.
func (b *builder) addConfiguration() {
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
func (b *builder) addDisagreements() {
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
func (b *builder) asks(entry *encryption.Entry) bool {
	for _, r := range b.question.Resources {
		if slices.Contains(b.question.Encryption.For(r), entry) {
			return true
		}
	}
	return false
}

// addProofs reports the values that a key did not open, or not as it should.
func (b *builder) addProofs(p *proofs) {
	if p == nil {
		return
	}
	for _, f := range p.failures {
		finding := objectFinding(report.RuleUndecryptable, f.in.identity(f.key), f.key, seen{&f.at, f.in}.location())
		finding.AtMore = f.copies - 1
		switch {
		case f.outcome == notObject:
			finding.Rule = report.RuleNotObject
		case f.from != "":
			finding.Rule = report.RuleRelocated
		}
		finding.Message = failureMessage(&finding, f)
		b.find(finding)
	}
}

// addSharedNames reports the keys of the configuration of whose name there is another key.
func (b *builder) addSharedNames() {
	for _, u := range b.sortedUses() {
		if u.NotOpened == 0 || b.configOf(u.id) == report.ConfigAbsent {
			continue
		}
		b.find(report.Finding{Rule: report.RuleSharedName, Message: sharedNameMessage(u, b.question.Encryption.Files())})
	}
}
