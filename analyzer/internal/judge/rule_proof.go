package judge

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// proofRules are the rules that values break which their key does not open, or not as it should.
var proofRules = []report.Rule{
	{
		ID: report.RuleSharedName, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "newest values name a key of the configuration, and it does not open them: another key has that name, too",
		Matters: "Whoever keeps the key of that name believes to have the right one, and loses the values of the other.",
		Mend:    "Find the other key, in the configuration of each other master or in an older one, give it a name of its own, and rewrite every object.",
	},
	{
		ID: report.RuleUndecryptable, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a key of the configuration has the name that the value gives, and does not open it",
		Matters: "The name is no proof: another key had it, or the value was changed. The API server can not read the object.",
		Mend:    "Find the key that wrote the value, such as that of an older configuration, and give it a name of its own; or restore the object.",
	},
	{
		ID: report.RuleRelocated, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value opens only with the path of another etcd key",
		Matters: "The ciphertext was written for another object, and somebody with write access to etcd has moved it.",
		Mend:    "Find out who wrote to etcd past the API server, and restore both objects.",
	},
	{
		ID: report.RuleNotObject, Severity: report.SeverityHigh, Reason: report.StatusPolicy,
		Means:   "a value opens, and what is in it is no Kubernetes object, or another one than its etcd key says",
		Matters: "Somebody with write access to etcd has moved or made it: aescbc and secretbox do not bind a value to its key.",
		Mend:    "Find out who wrote to etcd past the API server, restore the object, and use a provider that binds (KMS v2, aesgcm).",
	},
}

// addProofs reports the values that their key does not open, or not as it should. proofs is nil if
// no value was decrypted.
func (j *Judge) addProofs(proofs *keys.Proofs) {
	if proofs == nil {
		return
	}
	for _, f := range proofs.Failures {
		finding := j.objectFinding(report.RuleUndecryptable, f.In, f.Key, seen.CopyIn{Copy: &f.At, In: f.In}.Location())
		finding.AtMore = f.Values - 1
		switch {
		case f.Outcome == seen.NotObject:
			finding.Rule = report.RuleNotObject
		case f.MovedFrom != "":
			finding.Rule = report.RuleRelocated
		}
		finding.Unknown = j.clusters.StateAt(f.In, f.Key, &f.At) == report.StateUnknown
		finding.Superseded, finding.Detail = !f.Newest && !finding.Unknown, failureDetail(f)
		j.addFinding(finding)
	}
}

// addSharedNames reports the keys of the configuration that do not open every newest value of their
// name: another key has it, too.
func (j *Judge) addSharedNames() {
	for _, u := range j.sortedUses() {
		if u.NotOpened == 0 || j.configOf(u.id) == report.ConfigAbsent {
			continue
		}
		j.addFinding(report.Finding{Rule: report.RuleSharedName, Detail: sharedName(u, j.question.Encryption.Files())})
	}
}

// failureDetail is the key that a value is encrypted with, and why it does not open.
func failureDetail(f *keys.Failure) string {
	with := f.In.Keys.Storages[f.At.Storage].Label()
	switch {
	case f.Outcome == seen.NotObject:
		return with + ", decrypts to something that is not this object"
	case f.Refused:
		return with + ", can not be read: the KMS plugin does not decrypt its data encryption key"
	case f.MovedFrom != "":
		return fmt.Sprintf("%s, opens with the path of %s alone: it was encrypted for that key, and moved", with, report.Text(f.MovedFrom).ValidUTF8())
	case f.GaveUp != "":
		return with + ", does not open with the key of that name; " + f.GaveUp
	}
	return with + ", does not open with the key of that name"
}

// sharedName says that not all values that name a key open with the configured one. files is how
// many configurations there are.
func sharedName(u *keyUse, files int) string {
	key, others := "the configured key", "the other "
	if files > 1 {
		key = "the configured keys of that name"
	}
	switch {
	case u.NotOpened == u.Newest:
		others = "all "
	case u.NotOpened+u.Opened < u.Newest: // some have a finding of their own
		others = ""
	}
	return fmt.Sprintf("%s, newest values: %d of %d open with %s; for %s%d another key of that name is needed, unless they are damaged",
		seen.KeyLabel(u.id.Provider, u.id.KeyName), u.Opened, u.Newest, key, others, u.NotOpened)
}
