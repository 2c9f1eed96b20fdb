package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// addProofs reports the values that their key does not open, or not as it should. proofs is nil if
// no value was decrypted.
func (j *Judge) addProofs(proofs *keys.Proofs) {
	if proofs == nil {
		return
	}
	for _, f := range proofs.Failures {
		finding := objectFinding(report.RuleUndecryptable, f.In.Identity(f.Key), f.Key, seen.CopyIn{Copy: &f.At, In: f.In}.Location())
		finding.AtMore = f.Copies - 1
		switch {
		case f.Outcome == seen.NotObject:
			finding.Rule = report.RuleNotObject
		case f.MovedFrom != "":
			finding.Rule = report.RuleRelocated
		}
		finding.Message = failureMessage(&finding, f)
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
		j.addFinding(report.Finding{Rule: report.RuleSharedName, Message: sharedNameMessage(u, j.question.Encryption.Files())})
	}
}
