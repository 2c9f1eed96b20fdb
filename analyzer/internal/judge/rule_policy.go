package judge

import (
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// policyRules are the rules that a configuration breaks, or a newest value that is not as one says.
var policyRules = []report.Rule{
	{
		ID: report.RuleIdentityFirst, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "the first provider of a resource is identity: the API server writes it in plaintext",
		Matters: "Every object that is written from now on can be read by whoever holds the disk or a backup, whatever providers stand behind.",
		Mend:    "Put the provider that is to encrypt first, restart the API servers, and rewrite every object.",
	},
	{
		ID: report.RuleWritersDisagree, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "two configurations would write one resource in different ways (medium where each reads what the other writes)",
		Matters: "An object that one API server has written is lost to the other, as each client sees by chance.",
		Mend:    "Give all API servers of the resource the same file, with every key that a value needs, restart them one by one, and rewrite every object.",
	},
	{
		ID: report.RuleNotConfigured, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value is encrypted, and no entry of the configuration covers its resource",
		Matters: "The API server can not read the object, nor list its resource.",
		Mend:    "Put the resource back into the configuration, with the key that the value names, and rewrite the object before it is dropped.",
	},
	{
		ID: report.RuleUnknownKey, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value is encrypted with a key that the configuration does not have for its resource",
		Matters: "The API server can not read the object, nor list its resource.",
		Mend:    "Put the key back into the configuration behind the one that writes, and rewrite the object before it is dropped.",
	},
	{
		ID: report.RuleWrongProvider, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value is encrypted with another type of provider than the one that the configuration writes with",
		Matters: "The migration is not finished: the old provider and its keys are still needed to read the object.",
		Mend:    "Rewrite the object (kubectl get ... -o json | kubectl replace -f -).",
	},
	{
		ID: report.RuleStaleKey, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value is encrypted with another key than the one that the configuration writes with",
		Matters: "The rotation is not finished: the old key is still needed to read the object, and may not be dropped.",
		Mend:    "Rewrite the object (kubectl get ... -o json | kubectl replace -f -).",
	},
}

// addPolicyFinding reports an encrypted newest value of a key that is not as the configuration
// says. Plaintext is reported with its copies. No configuration says anything of what API servers
// keep of themselves. A value that its key does not open has a finding of
// its own: which key it needs is not known.
func (j *Judge) addPolicyFinding(ev *seen.Evidence, e *seen.Entry, id resource.Identity) {
	how := ev.Keys.Storages[e.Storage]
	if j.question.Encryption == nil || id.Resource == "" || resource.IsInternal(id.GroupResource) || !how.Provider.Encrypts() ||
		e.Proved().Outcome == seen.Closed && e.Proved().Covered {
		return
	}
	policy, entry := policyOf(ev, j.question.Encryption, e, id)
	if policy == encryption.Current {
		return
	}
	f := j.objectFinding(report.RuleID(reportedPolicy(policy)), ev, e.Key, locationOf(ev, e))
	f.Detail = policyDetail(policy, entry, id.GroupResource, how, e.Proved().Stale)
	f.Unknown = j.clusters.StateOf(ev, e) == report.StateUnknown
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
		j.addFinding(report.Finding{Rule: report.RuleIdentityFirst, Resource: report.Text(entry.String()), Detail: fmt.Sprintf("the first provider of %s is identity: what is written now is plaintext", entry.At())})
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
		f.Detail = disagreement(d.One, d.Other, d.Readable)
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
func policyOf(ev *seen.Evidence, config *encryption.Config, e *seen.Entry, id resource.Identity) (encryption.Policy, *encryption.Entry) {
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

// policyDetail is how a newest value was stored, and what the configuration, by that entry of it,
// has against that. stale says that the KMS plugin which opened it would write another form.
func policyDetail(policy encryption.Policy, entry *encryption.Entry, r resource.GroupResource, how seen.Storage, stale bool) string {
	with := how.Label()
	switch policy {
	case encryption.NotConfigured:
		return fmt.Sprintf("%s, and no entry of the configuration covers %s: the API server can not read it", with, r)
	case encryption.UnknownKey:
		return fmt.Sprintf("%s, which the entry %s does not have: the API server can not read it", with, entry.In())
	}
	writer := entry.Keys[0]
	now := writes(entry)
	switch {
	case writer.Provider == envelope.Identity:
		return fmt.Sprintf("%s; the entry %s writes plaintext", with, entry.In())
	case writer.KMSKeyID() != "" && writer.KMSKeyID() != how.KMSKeyID && writer.Name == how.KeyName:
		now = fmt.Sprintf("key ID %q", writer.KMSKeyID())
	case writer.Provider == how.Provider && writer.Name == how.KeyName && stale:
		now = "another form of the same provider"
	case writer.Provider == how.Provider && writer.Name == how.KeyName:
		now = "another key of that name"
	}
	return fmt.Sprintf("%s; the entry %s writes with %s", with, entry.In(), now)
}

// disagreement says in which ways two API servers write. readable says that each reads what the
// other writes.
func disagreement(one, other *encryption.Entry, readable bool) string {
	with, otherWith := writes(one), writes(other)
	if with == otherWith {
		otherWith = "another key of that name"
	}
	effect := "what the one writes the other can not read"
	if readable {
		effect = "each reads what the other writes"
	}
	return fmt.Sprintf("the entry %s writes with %s, and the entry %s with %s: %s", one.In(), with, other.In(), otherWith, effect)
}

// writes is the key that an entry writes with.
func writes(entry *encryption.Entry) string {
	return seen.KeyLabel(entry.Keys[0].Provider, entry.Keys[0].Name)
}
