package analyzer

import (
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// policyOf is what the configuration says of the newest value of a key, and the entry
// that says so. A value is judged by the key that opened it; where none could be
// tried, by the first of its name.
func (s *survey) policyOf(e *entry, id object.Identity) (encryption.Policy, *encryption.Entry) {
	entries := configuredFor(s.options.Encryption, id)
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
func (s *survey) judged(e *entry, id object.Identity) (Proof, string) {
	if s.options.Encryption == nil || id.Resource == "" {
		return "", ""
	}
	policy, _ := s.policyOf(e, id)
	if s.keys.stored[e.stored].provider == envelope.Identity {
		return "", policyName(policy)
	}
	return e.proved().Proof(), policyName(policy)
}

// policyName is the rule that a value breaks by its policy.
func policyName(p encryption.Policy) string {
	switch p {
	case encryption.WrongProvider:
		return string(RuleWrongProvider)
	case encryption.StaleKey:
		return string(RuleStaleKey)
	case encryption.NotEncrypted:
		return string(RulePlaintextLive)
	case encryption.NotConfigured:
		return string(RuleNotConfigured)
	case encryption.UnknownKey:
		return string(RuleUnknownKey)
	}
	return "current"
}

// judge reports what the configuration has against the newest value of a key. That it
// is plaintext is reported with its copies; what can not be opened has a finding of its
// own, and its key is not known.
func (b *builder) judge(s *survey, e *entry, id object.Identity) {
	how := s.keys.stored[e.stored]
	if b.options.Encryption == nil || id.Resource == "" || how.provider == envelope.Identity || how.provider == envelope.Unknown ||
		e.proved().outcome == closed && e.proved().covered {
		return
	}
	policy, entry := s.policyOf(e, id)
	if policy == encryption.Current {
		return
	}
	b.find(Finding{
		Rule: RuleID(policyName(policy)), Resource: Text(id.GroupResource.String()), Namespace: Text(id.Namespace), Name: Text(id.Name),
		Key: Text(e.key), Path: s.source(e.file).Path, Message: policyMessage(policy, entry, id, e, how),
	})
}

// policyMessage says what is wrong with a value that was stored like that.
func policyMessage(policy encryption.Policy, entry *encryption.Entry, id object.Identity, e *entry, how stored) string {
	with := fmt.Sprintf("the newest value, of revision %d, is encrypted with %s", e.rev.Main, how.label())
	if e.index > 0 {
		with = fmt.Sprintf("the newest value, of WAL index %d, is encrypted with %s", e.index, how.label())
	}
	switch policy {
	case encryption.NotConfigured:
		return fmt.Sprintf("%s, and no entry of the configuration covers %s: the API server can not read it", with, id.GroupResource)
	case encryption.UnknownKey:
		return fmt.Sprintf("%s, which the entry %s does not have: the API server can not read it", with, entry.In())
	}
	writer := entry.Keys[0]
	now := writes(entry)
	switch {
	case writer.Provider == envelope.Identity:
		return fmt.Sprintf("%s; the entry %s writes plaintext", with, entry.In())
	case writer.KMSKeyID() != "" && writer.KMSKeyID() != how.kmsKeyID && writer.Name == how.keyName:
		now = fmt.Sprintf("key ID %q", writer.KMSKeyID())
	case writer.Provider == how.provider && writer.Name == how.keyName && e.proved().stale:
		now = "another form of the same provider"
	case writer.Provider == how.provider && writer.Name == how.keyName:
		now = "another key of that name"
	}
	return fmt.Sprintf("%s; the entry %s writes with %s", with, entry.In(), now)
}

// label is how a value was encrypted, such as "aescbc:key1".
func (s stored) label() string {
	if s.kmsKeyID != "" {
		return fmt.Sprintf("%s (key ID %q)", keyLabel(s.provider, s.keyName), Text(s.kmsKeyID).ValidUTF8())
	}
	return keyLabel(s.provider, s.keyName)
}

func keyLabel(p envelope.Provider, name string) string {
	if name == "" {
		return p.String()
	}
	return p.String() + ":" + Text(name).ValidUTF8()
}

// addConfiguration reports the resources that the configuration writes in plaintext. An
// entry that has the identity provider alone is the documented way to leave a resource
// out of a wildcard, and reported only where the verdict is about that resource.
func (b *builder) addConfiguration() {
	if b.options.Encryption == nil {
		return
	}
	for _, entry := range b.options.Encryption.Entries() {
		if entry.Encrypts() || len(entry.Keys) == 1 && !b.asks(entry) {
			continue
		}
		b.find(Finding{Rule: RuleIdentityFirst, Resource: Text(entry.String()),
			Message: fmt.Sprintf("the first provider of %s is identity: what is written now is plaintext", entry.At())})
	}
	b.addDisagreements()
}

// addDisagreements reports the resources that the API servers of the cluster would write
// in different ways.
func (b *builder) addDisagreements() {
	for _, d := range b.options.Encryption.Disagreements() {
		f := Finding{Rule: RuleWritersDisagree, Resource: Text(d.One.String())}
		if d.One.Wildcard() {
			f.Resource = Text(d.Other.String())
		}
		one, other := writes(d.One), writes(d.Other)
		if one == other {
			other = "another key of that name"
		}
		effect := "what the one writes the other can not read"
		if d.Readable {
			f.Severity, effect = SeverityMedium, "each reads what the other writes"
		}
		f.Message = fmt.Sprintf("the entry %s writes with %s, and the entry %s with %s: %s", d.One.In(), one, d.Other.In(), other, effect)
		b.find(f)
	}
}

// writes is what an entry writes with.
func writes(entry *encryption.Entry) string {
	return keyLabel(entry.Keys[0].Provider, entry.Keys[0].Name)
}

// asks reports whether an entry is that of a resource that the user named.
func (b *builder) asks(entry *encryption.Entry) bool {
	for _, r := range b.options.Resources {
		if slices.Contains(b.options.Encryption.For(r), entry) {
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
		id := f.in.identity(f.key)
		finding := Finding{Rule: RuleUndecryptable, Resource: Text(id.GroupResource.String()), Namespace: Text(id.Namespace),
			Name: Text(id.Name), Key: Text(f.key), Path: f.in.source(f.at.file).Path}
		switch {
		case f.outcome == notObject:
			finding.Rule = RuleNotObject
		case f.from != "":
			finding.Rule = RuleRelocated
		}
		finding.Message = f.message()
		b.find(finding)
	}
}

// addSharedNames reports the keys of the configuration of whose name there is another key.
func (b *builder) addSharedNames() {
	for _, u := range b.sortedUses() {
		if u.NotOpened == 0 || b.configOf(u.id) == "absent" {
			continue
		}
		where := "this configuration"
		if b.options.Encryption.Files() > 1 {
			where = "these configurations"
		}
		b.find(Finding{Rule: RuleSharedName, Message: fmt.Sprintf(
			"%s, newest values: %d of %d open with the key of that name in %s; another key of that name is needed, unless the rest are damaged",
			keyLabel(u.id.provider, u.id.keyName), u.Opened, u.Newest, where)})
	}
}

// message says which value can not be opened, and why.
func (f *failure) message() string {
	what := fmt.Sprintf("the newest value, %d bytes %s, encrypted with %s,", f.at.size, whereOf(seen{&f.at, f.in}), f.in.keys.stored[f.at.stored].label())
	if !f.newest {
		what = fmt.Sprintf("an older value, %d bytes %s, encrypted with %s,", f.at.size, whereOf(seen{&f.at, f.in}), f.in.keys.stored[f.at.stored].label())
		if f.copies > 1 {
			what = fmt.Sprintf("%d older values, one of them %d bytes %s, encrypted with %s,", f.copies, f.at.size, whereOf(seen{&f.at, f.in}), f.in.keys.stored[f.at.stored].label())
		}
	}
	switch {
	case f.outcome == notObject:
		return what + " decrypts to something that is not this object"
	case f.refused:
		return what + " can not be read: the KMS plugin does not decrypt its data encryption key"
	case f.from != "":
		return fmt.Sprintf("%s opens with the path of %s alone: it was encrypted for that key, and moved", what, Text(f.from).ValidUTF8())
	case f.given != "":
		return what + " does not open with the key of that name; " + f.given
	}
	return what + " does not open with the key of that name"
}
