package report

import (
	"slices"
	"strings"
)

// RuleID names a rule. IDs never change.
type RuleID string

// The rules that are applied.
const (
	RulePlaintextLive     RuleID = "plaintext-live"
	RulePlaintextHistory  RuleID = "plaintext-history"
	RulePlaintextFree     RuleID = "plaintext-free"
	RulePlaintextFragment RuleID = "plaintext-fragment"
	RulePlaintextWAL      RuleID = "plaintext-wal"
	RuleUnattributed      RuleID = "unattributed-residue"
	RuleUnknownEnvelope   RuleID = "unknown-envelope"
	RuleSnapshotHash      RuleID = "snapshot-hash-mismatch"
	RuleDamage            RuleID = "structure-damage"

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

// A Rule says what a finding means, why it matters and what mends it.
type Rule struct {
	ID       RuleID
	Severity Severity
	Means    string
	Matters  string
	Mend     string
}

// rules is what Rules returns.
var rules = []Rule{
	{RulePlaintextLive, SeverityCritical,
		"the newest value of a resource in scope is not encrypted",
		"Whoever holds this file, a backup of it or the disk reads the object as it is used now.",
		"Configure encryption at rest for the resource, rewrite every object (kubectl get ... -o json | kubectl replace -f -), then rotate what was readable."},
	{RulePlaintextHistory, SeverityHigh,
		"an older revision in the tree is plaintext",
		"etcd keeps old revisions until it is compacted: a range request at that revision, and any backup, still returns the object.",
		"Compact the history (etcdctl compact), defragment every member, and rotate what was readable."},
	{RulePlaintextFree, SeverityHigh,
		"a free page holds a plaintext record",
		"Compaction frees pages and does not erase them: they stay in the file and travel in every snapshot.",
		"Defragment every member (etcdctl defrag), replace old backups, and rotate what was readable."},
	{RulePlaintextFragment, SeverityHigh,
		"unstructured bytes hold (part of) a plaintext object",
		"A page that was used again in part still holds the rest of what it held: a piece of a key or a token may be enough.",
		"Defragment every member (etcdctl defrag), replace old backups, and rotate what was readable."},
	{RulePlaintextWAL, SeverityHigh,
		"a WAL segment holds a plaintext write",
		"The write-ahead log keeps writes whatever becomes of them in the db: defragmentation does not touch it.",
		"Write on until the segment is purged (etcd keeps five), or rebuild the members one by one; then rotate what was readable."},
	{RuleSnapshotHash, SeverityHigh,
		"the SHA-256 behind a snapshot is not that of its bytes",
		"The snapshot was changed or damaged after etcd wrote it, or opened by a tool that writes.",
		"Get the snapshot again from its source, or from a backup whose hash is valid."},
	{RuleIdentityFirst, SeverityHigh,
		"the first provider of a resource is identity: the API server writes it in plaintext",
		"Every object that is written from now on can be read by whoever holds the disk or a backup, whatever providers stand behind.",
		"Put the provider that is to encrypt first, restart the API servers, and rewrite every object."},
	{RuleWritersDisagree, SeverityHigh,
		"two configurations would write one resource in different ways (medium where each reads what the other writes)",
		"An object that one API server has written is lost to the other, as each client sees by chance.",
		"Give all API servers of the resource the same file, with every key that a value needs, restart them one by one, and rewrite every object."},
	{RuleNotConfigured, SeverityHigh,
		"a value is encrypted, and no entry of the configuration covers its resource",
		"The API server can not read the object, nor list its resource.",
		"Put the resource back into the configuration, with the key that the value names, and rewrite the object before it is dropped."},
	{RuleUnknownKey, SeverityHigh,
		"a value is encrypted with a key that the configuration does not have for its resource",
		"The API server can not read the object, nor list its resource.",
		"Put the key back into the configuration behind the one that writes, and rewrite the object before it is dropped."},
	{RuleSharedName, SeverityHigh,
		"newest values name a key of the configuration, and it does not open them: another key has that name, too",
		"Whoever keeps the key of that name believes to have the right one, and loses the values of the other.",
		"Find the other key, in the configuration of each other master or in an older one, give it a name of its own, and rewrite every object."},
	{RuleUndecryptable, SeverityHigh,
		"a key of the configuration has the name that the value gives, and does not open it",
		"The name is no proof: another key had it, or the value was changed. The API server can not read the object.",
		"Find the key that wrote the value, such as that of an older configuration, and give it a name of its own; or restore the object."},
	{RuleRelocated, SeverityHigh,
		"a value opens only with the path of another etcd key",
		"The ciphertext was written for another object, and somebody with write access to etcd has moved it.",
		"Find out who wrote to etcd past the API server, and restore both objects."},
	{RuleNotObject, SeverityHigh,
		"a value opens, and what is in it is no Kubernetes object, or another one than its etcd key says",
		"Somebody with write access to etcd has moved or made it: aescbc and secretbox do not bind a value to its key.",
		"Find out who wrote to etcd past the API server, restore the object, and use a provider that binds (KMS v2, aesgcm)."},
	{RuleNonceReuse, SeverityHigh,
		"two different values were encrypted with the same nonce or IV under the same key",
		"With aesgcm, secretbox and KMS the two plaintexts can be compared bit by bit, and aesgcm loses its authentication; with aescbc equal beginnings show.",
		"Make a new key, rewrite every object with it, and find out how the nonces came about: a copied virtual machine, a broken source of randomness."},
	{RuleWrongProvider, SeverityMedium,
		"a value is encrypted with another type of provider than the one that the configuration writes with",
		"The migration is not finished: the old provider and its keys are still needed to read the object.",
		"Rewrite the object (kubectl get ... -o json | kubectl replace -f -)."},
	{RuleStaleKey, SeverityMedium,
		"a value is encrypted with another key than the one that the configuration writes with",
		"The rotation is not finished: the old key is still needed to read the object, and may not be dropped.",
		"Rewrite the object (kubectl get ... -o json | kubectl replace -f -)."},
	{RuleKeyOveruse, SeverityMedium,
		"an aesgcm key has been written with more often than it is made for (low where it may have been another key before)",
		"Its nonces are random and short: Kubernetes' documentation asks for a new key every 200,000 writes.",
		"Put a new key first, rewrite every object, and rotate by schedule; or use KMS v2."},
	{RuleWeakProvider, SeverityMedium,
		"newest values are encrypted with a provider that Kubernetes advises against (aescbc is low, KMS v1 medium)",
		"aescbc does not authenticate, so that a padding oracle can open values; KMS v1 is deprecated and off by default since Kubernetes 1.29.",
		"Move to KMS v2, or to secretbox, and rewrite every object."},
	{RuleUnattributed, SeverityMedium,
		"unreferenced bytes are neither zero, nor a record, nor random enough to be ciphertext",
		"They may be a piece of a Secret of which no other copy is known, or of any other object.",
		"Defragment every member (etcdctl defrag), and replace old backups."},
	{RuleUnknownEnvelope, SeverityMedium,
		"a value starts with k8s:enc: but its provider or version is not known, or it is cut",
		"Nobody can tell from here whether the value is encrypted, and the API server may not be able to read it.",
		"Find out which component wrote the value, and rewrite the object with a provider that Kubernetes knows."},
	{RuleDamage, SeverityMedium,
		"pages or records break their format",
		"What could not be read may hold plaintext: no answer from this file is complete.",
		"Examine another copy of the evidence, such as another member's or an earlier snapshot."},
}

// Rules lists every rule, the gravest first.
func Rules() []Rule { return slices.Clone(rules) }

func RuleByID(id RuleID) Rule {
	for _, r := range rules {
		if r.ID == id {
			return r
		}
	}
	return Rule{ID: id}
}
