package report

import "strings"

// RuleID names a rule. IDs never change.
type RuleID string

// The rules that etcdsift applies.
const (
	RulePlaintextLive     RuleID = "plaintext-live"
	RulePlaintextHistory  RuleID = "plaintext-history"
	RulePlaintextFree     RuleID = "plaintext-free"
	RulePlaintextFragment RuleID = "plaintext-fragment"
	RulePlaintextWAL      RuleID = "plaintext-wal"
	RulePlaintextEmbedded RuleID = "plaintext-embedded"
	RuleUnattributed      RuleID = "unattributed-residue"
	RuleUnknownEnvelope   RuleID = "unknown-envelope"
	RuleSnapshotHash      RuleID = "snapshot-hash-mismatch"
	RuleDamage            RuleID = "structure-damage"
	RuleMembersDisagree   RuleID = "members-disagree"

	RuleIdentityFirst   RuleID = "identity-first"
	RuleWritersDisagree RuleID = "writers-disagree"
	RuleNotConfigured   RuleID = "not-configured"
	RuleUnknownKey      RuleID = "unknown-key"
	RuleWrongProvider   RuleID = "wrong-provider"
	RuleStaleKey        RuleID = "stale-key"

	RuleSharedName    RuleID = "key-name-shared"
	RuleUndecryptable RuleID = "undecryptable"
	RuleRelocated     RuleID = "relocated-ciphertext"
	RuleNotObject     RuleID = "not-an-object"

	RuleNonceReuse   RuleID = "nonce-reuse"
	RuleKeyOveruse   RuleID = "key-overuse"
	RuleWeakProvider RuleID = "weak-provider"
)

// IsPlaintext reports whether the rule is about plaintext copies of an object, which
// the exposures list.
func (id RuleID) IsPlaintext() bool { return strings.HasPrefix(string(id), "plaintext-") }

// A Rule says what a finding means, why it matters and what mends it. Package analyzer has the
// rules, because readers of a report need only their IDs.
type Rule struct {
	ID       RuleID
	Severity Severity
	// Reason is what findings of the rule count for in a verdict. Those on plaintext copies count
	// for the status of their object.
	Reason  Status
	Means   string
	Matters string
	Mend    string
}
