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

// addPolicyFinding reports an encrypted newest value of a key that is not as the configuration
// says. Plaintext is reported with its copies. A value that its key does not open has a finding of
// its own: which key it needs is not known.
func (j *Judge) addPolicyFinding(ev *seen.Evidence, e *seen.Entry, id object.Identity) {
	how := ev.Keys.Storages[e.Storage]
	if j.question.Encryption == nil || id.Resource == "" || how.Provider == envelope.Identity || how.Provider == envelope.Unknown ||
		e.Proved().Outcome == seen.Closed && e.Proved().Covered {
		return
	}
	policy, entry := policyOf(ev, j.question.Encryption, e, id)
	if policy == encryption.Current {
		return
	}
	f := objectFinding(report.RuleID(reportedPolicy(policy)), id, e.Key, locationOf(ev, e))
	f.Message = policyMessage(&f, policy, entry, id.GroupResource, how, e.Proved().Stale)
	j.addFinding(f)
}

// addConfiguration reports the resources that the configuration writes in plaintext, or in
// different ways. An entry with no provider but identity is the documented way to leave a resource
// out of a wildcard: it is reported only if the user asks for that resource.
func (j *Judge) addConfiguration() {
	if j.question.Encryption == nil {
		return
	}
	for _, entry := range j.question.Encryption.Entries() {
		if entry.Encrypts() || len(entry.Keys) == 1 && !j.asksFor(entry) {
			continue
		}
		j.addFinding(report.Finding{Rule: report.RuleIdentityFirst, Resource: report.Text(entry.String()), Message: identityMessage(entry)})
	}
	j.addDisagreements()
}

// addDisagreements reports the resources that the API servers of the cluster write in different
// ways, each by its own configuration.
func (j *Judge) addDisagreements() {
	for _, d := range j.question.Encryption.Disagreements() {
		f := report.Finding{Rule: report.RuleWritersDisagree, Resource: report.Text(d.One.String())}
		if d.One.Wildcard() {
			f.Resource = report.Text(d.Other.String())
		}
		if d.Readable {
			f.Severity = report.SeverityMedium
		}
		f.Message = disagreementMessage(d.One, d.Other, d.Readable)
		j.addFinding(f)
	}
}

// asksFor reports whether an entry is of a resource that the user named.
func (j *Judge) asksFor(entry *encryption.Entry) bool {
	for _, r := range j.question.Resources {
		if slices.Contains(j.question.Encryption.For(r), entry) {
			return true
		}
	}
	return false
}

// policyOf is what the configuration says of the newest value of a key, and the entry that says so.
// The key that opened the value counts; if none of its resource did, the first one of its name.
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

// reportedPolicy is p in the words of reports.
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
