package judge

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// The sentences of all findings are made here, each from the fields of the finding and from what
// else its rule knows.

// hashMessage says that the hash of a snapshot is wrong.
const hashMessage = "the SHA-256 at the end of the snapshot is not that of the bytes before it: they changed after etcd wrote them, or the file was cut"

// appendPlace says where a value lies, but not in which file: the finding has that as a field.
func appendPlace(b []byte, at *report.Location) []byte {
	if at.ModRevision > 0 {
		b = append(strconv.AppendInt(append(b, "of revision "...), at.ModRevision, 10), ", "...)
	}
	b = append(strconv.AppendInt(b, at.Length, 10), " bytes at offset 0x"...)
	b = strconv.AppendInt(b, at.Offset, 16)
	if at.WALIndex > 0 {
		b = strconv.AppendUint(append(b, ", WAL index "...), at.WALIndex, 10)
	}
	return b
}

// placeInFile says where a value lies, and in which file.
func placeInFile(at *report.Location) string {
	where := fmt.Sprintf("at offset %#x of %s", at.Offset, at.Path.ValidUTF8())
	switch {
	case at.ModRevision > 0:
		return fmt.Sprintf("of revision %d %s", at.ModRevision, where)
	case at.WALIndex > 0:
		return fmt.Sprintf("of WAL index %d %s", at.WALIndex, where)
	}
	return where
}

// appendPlaintext says where the plaintext copies lie that f is about. inWAL says that the newest
// of them is a raft entry; superseded says that the newest value of the object is another one,
// which is not plaintext, or that the object is deleted.
func appendPlaintext(b []byte, f *report.Finding, inWAL, superseded bool) []byte {
	at := &f.At[0]
	switch {
	case f.Rule == report.RulePlaintextLive && !inWAL && superseded:
		return append(appendPlace(append(b, "the newest value in this file, "...), at), ", is not encrypted; later evidence has it encrypted or deleted"...)
	case f.Rule == report.RulePlaintextLive:
		b = append(appendPlace(append(b, "the newest value, "...), at), ", is not encrypted"...)
		if inWAL {
			b = append(b, "; it is in the WAL alone, the db does not have it yet"...)
		}
		return b
	case f.AtMore > 0:
		b = append(strconv.AppendInt(b, int64(f.AtMore+1), 10), " plaintext copies, the newest "...)
	default:
		b = append(b, "a plaintext copy "...)
	}
	b = appendPlace(b, at)
	switch f.Rule {
	case report.RulePlaintextHistory:
		b = append(b, ", in an older revision"...)
	case report.RulePlaintextFree:
		b = append(b, ", on a page that is free"...)
	case report.RulePlaintextFragment:
		b = append(b, ", in bytes that are no record"...)
	}
	return b
}

// places says where the places of a finding on a file are. after stands behind the first one if
// there are several.
func places(f *report.Finding, after string) string {
	first := fmt.Sprintf("at offset %#x", f.At[0].Offset)
	if n := len(f.At) + f.AtMore; n > 1 {
		return fmt.Sprintf("in %d places, the first %s%s", n, first, after)
	}
	return first
}

// damageMessage says where a file is damaged, and what is wrong at the first place.
func damageMessage(f *report.Finding, what string) string {
	return fmt.Sprintf("something breaks its format or could not be read, %s: %s", places(f, ""), what)
}

// unattributedMessage says how many bytes belong to nothing known, and where they are.
func unattributedMessage(f *report.Finding, bytes int64) string {
	return fmt.Sprintf("%d bytes %s belong to no known object and are not random enough to be ciphertext", bytes, places(f, ","))
}

// envelopeMessage says what is wrong with an envelope.
func envelopeMessage(f *report.Finding, broken error) string {
	what := broken
	var format *decode.FormatError
	if errors.As(broken, &format) {
		what = fmt.Errorf("%s: %w", format.What, format.Err)
	}
	return fmt.Sprintf("the value of revision %d at offset %#x can not be understood: %v", f.At[0].ModRevision, f.At[0].Offset, what)
}

// nonceMessage says which values share a nonce: those at the first two places of f. first is the
// one that f is about.
func nonceMessage(f *report.Finding, first *keys.NonceUse) string {
	what := "nonce"
	if first.How.Provider == envelope.AESCBC {
		what = "IV"
	}
	under := seen.KeyLabel(first.How.Provider, first.How.KeyName)
	if first.OfDEK {
		under = "one data encryption key of " + under
	}
	more := ""
	if n := len(f.At) - 2; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("two different values have the same %s under %s: this one %s, and that of %s %s%s",
		what, under, placeInFile(&f.At[0]), f.At[1].Key.ValidUTF8(), placeInFile(&f.At[1]), more)
}

// policyMessage says what the configuration, by that entry of it, has against a newest value that
// was stored like that. stale says that the KMS plugin which opened it would write another form.
func policyMessage(f *report.Finding, policy encryption.Policy, entry *encryption.Entry, r object.GroupResource, how seen.Storage, stale bool) string {
	at := &f.At[0]
	with := fmt.Sprintf("the newest value, of revision %d, is encrypted with %s", at.ModRevision, how.Label())
	if at.WALIndex > 0 {
		with = fmt.Sprintf("the newest value, of WAL index %d, is encrypted with %s", at.WALIndex, how.Label())
	}
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

// failureMessage says which values cannot be opened, and why.
func failureMessage(f *report.Finding, failed *keys.Failure) string {
	value := fmt.Sprintf("%d bytes %s, encrypted with %s,", f.At[0].Length, placeInFile(&f.At[0]), failed.In.Keys.Storages[failed.At.Storage].Label())
	what := "the newest value, " + value
	switch {
	case failed.Newest:
	case f.AtMore > 0:
		what = fmt.Sprintf("%d older values, one of them %s", f.AtMore+1, value)
	default:
		what = "an older value, " + value
	}
	switch {
	case failed.Outcome == seen.NotObject:
		return what + " decrypts to something that is not this object"
	case failed.Refused:
		return what + " can not be read: the KMS plugin does not decrypt its data encryption key"
	case failed.MovedFrom != "":
		return fmt.Sprintf("%s opens with the path of %s alone: it was encrypted for that key, and moved", what, report.Text(failed.MovedFrom).ValidUTF8())
	case failed.GaveUp != "":
		return what + " does not open with the key of that name; " + failed.GaveUp
	}
	return what + " does not open with the key of that name"
}

// weakMessage says why a provider is advised against.
func weakMessage(u *keyUse) string {
	const source = ` (Kubernetes' documentation, "Encrypting Confidential Data at Rest")`
	values := fmt.Sprintf("%d newest values are encrypted with %s: ", u.Newest, seen.KeyLabel(u.id.Provider, u.id.KeyName))
	if u.Newest == 1 {
		values = fmt.Sprintf("one newest value is encrypted with %s: ", seen.KeyLabel(u.id.Provider, u.id.KeyName))
	}
	if u.id.Provider == envelope.AESCBC {
		return values + "not recommended, as CBC without authentication is open to padding oracle attacks" + source
	}
	return values + "KMS v1 is deprecated since Kubernetes 1.28 and off by default since 1.29" + source
}

// overuseMessage says how often a key has been written with, and whether that is certain.
func overuseMessage(use seen.KeyID, n writeCount) string {
	key := seen.KeyLabel(use.Provider, use.KeyName)
	if n.certain > maxWrites {
		return fmt.Sprintf("at least %d values were written with %s, by the versions of those that are left; its limit is %d", n.certain, key, maxWrites)
	}
	return fmt.Sprintf("%d values were written with %s if no other key has encrypted the same objects since they were created, by their versions; its limit is %d", n.likely, key, maxWrites)
}

// sharedNameMessage says that not all values that name a key open with the configured one. files is
// how many configurations there are.
func sharedNameMessage(u *keyUse, files int) string {
	where := "this configuration"
	if files > 1 {
		where = "these configurations"
	}
	return fmt.Sprintf("%s, newest values: %d of %d open with the key of that name in %s; another key of that name is needed, unless the rest are damaged",
		seen.KeyLabel(u.id.Provider, u.id.KeyName), u.Opened, u.Newest, where)
}

// identityMessage says which resource is written in plaintext.
func identityMessage(entry *encryption.Entry) string {
	return fmt.Sprintf("the first provider of %s is identity: what is written now is plaintext", entry.At())
}

// disagreementMessage says in which ways two API servers write. readable says that each reads what
// the other writes.
func disagreementMessage(one, other *encryption.Entry, readable bool) string {
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
