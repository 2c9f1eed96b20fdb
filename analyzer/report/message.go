package report

import (
	"cmp"
	"fmt"
	"strconv"
)

// Message says all of a finding in a sentence.
func (f *Finding) Message() string { return string(f.AppendMessage(nil)) }

// AppendMessage appends the message to b. It makes the sentences of all rules, from the fields
// of the finding and nothing else.
func (f *Finding) AppendMessage(b []byte) []byte {
	if f.Rule == RuleSnapshotHash {
		return append(b, "the SHA-256 at the end of the snapshot is not that of the bytes before it: they changed after etcd wrote them, or the file was cut"...)
	}
	if len(f.At) == 0 {
		return append(b, f.Detail...)
	}
	if f.Rule.IsPlaintext() {
		return f.appendPlaintext(b) // without fmt, because there may be very many
	}
	at := &f.At[0]
	switch f.Rule {
	case RuleDamage:
		return fmt.Appendf(b, "something breaks its format or could not be read, %s: %s", f.places(""), f.Detail)
	case RuleUnattributed:
		return fmt.Appendf(b, "%s %s belong to no known object and are not random enough to be ciphertext", f.Detail, f.places(","))
	case RuleUnknownEnvelope:
		return fmt.Appendf(b, "the value of revision %d at offset %#x can not be understood: %s", at.ModRevision, at.Offset, f.Detail)
	case RuleNonceReuse:
		return append(b, f.nonceMessage()...)
	case RuleWrongProvider, RuleStaleKey, RuleNotConfigured, RuleUnknownKey:
		if f.Unknown {
			return fmt.Appendf(b, "a value, %s, is encrypted with %s; nobody knows whether it is the newest", at.inFile(), f.Detail)
		}
		if at.WALIndex > 0 {
			return fmt.Appendf(b, "the newest value, of WAL index %d, is encrypted with %s", at.WALIndex, f.Detail)
		}
		return fmt.Appendf(b, "the newest value, of revision %d, is encrypted with %s", at.ModRevision, f.Detail)
	case RuleUndecryptable, RuleRelocated, RuleNotObject:
		return append(b, f.failureMessage()...)
	}
	return append(b, f.Detail...)
}

// appendPlaintext says where plaintext copies of an object lie.
func (f *Finding) appendPlaintext(b []byte) []byte {
	at := &f.At[0]
	switch {
	case f.Rule == RulePlaintextLive && f.Unknown:
		return append(at.append(append(b, "a value in the tree, "...)), ", is not encrypted; nobody knows whether it is the newest"...)
	case f.Rule == RulePlaintextLive && at.WALIndex == 0 && f.Superseded:
		return append(at.append(append(b, "the newest value in this file, "...)), ", is not encrypted; later evidence has it encrypted or deleted"...)
	case f.Rule == RulePlaintextLive:
		b = append(at.append(append(b, "the newest value, "...)), ", is not encrypted"...)
		if at.WALIndex > 0 {
			b = append(b, "; it is in the WAL alone, the db does not have it yet"...)
		}
		return b
	case f.AtMore > 0:
		b = append(strconv.AppendInt(b, int64(f.AtMore+1), 10), " plaintext copies, the newest "...)
	default:
		b = append(b, "a plaintext copy "...)
	}
	b = at.append(b)
	switch f.Rule {
	case RulePlaintextHistory:
		if f.Unknown {
			return append(b, ", in a record of the tree"...)
		}
		b = append(b, ", in an older revision"...)
	case RulePlaintextFree:
		b = append(b, ", on a page that is free"...)
	case RulePlaintextFragment:
		b = append(b, ", in bytes that are no record"...)
	case RulePlaintextEmbedded:
		b = append(b, ", in the value of "...)
		b = append(b, cmp.Or(at.Key.ValidUTF8(), "an object without a name")...)
	}
	return b
}

// nonceMessage says which values share a nonce: those at the first two places.
func (f *Finding) nonceMessage() string {
	if len(f.At) < 2 {
		return f.Detail
	}
	more := ""
	if n := len(f.At) - 2; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("two different values have the same %s: this one %s, and that of %s %s%s",
		f.Detail, f.At[0].inFile(), f.At[1].Key.ValidUTF8(), f.At[1].inFile(), more)
}

// failureMessage says which values cannot be opened, and why.
func (f *Finding) failureMessage() string {
	value := fmt.Sprintf("%d bytes %s, encrypted with %s", f.At[0].Length, f.At[0].inFile(), f.Detail)
	switch {
	case f.Unknown && f.AtMore > 0:
		return fmt.Sprintf("%d values, one of them %s", f.AtMore+1, value)
	case f.Unknown:
		return "a value, " + value
	case !f.Superseded:
		return "the newest value, " + value
	case f.AtMore > 0:
		return fmt.Sprintf("%d older values, one of them %s", f.AtMore+1, value)
	}
	return "an older value, " + value
}

// places says where the places of a finding on a file are. It puts after behind the first one
// if there are several.
func (f *Finding) places(after string) string {
	first := fmt.Sprintf("at offset %#x", f.At[0].Offset)
	if n := len(f.At) + f.AtMore; n > 1 {
		return fmt.Sprintf("in %d places, the first %s%s", n, first, after)
	}
	return first
}

// append says where a value lies, but not in which file.
func (l *Location) append(b []byte) []byte {
	if l.ModRevision > 0 {
		b = append(strconv.AppendInt(append(b, "of revision "...), l.ModRevision, 10), ", "...)
	}
	b = append(strconv.AppendInt(b, l.Length, 10), " bytes at offset 0x"...)
	b = strconv.AppendInt(b, l.Offset, 16)
	if l.WALIndex > 0 {
		b = strconv.AppendUint(append(b, ", WAL index "...), l.WALIndex, 10)
	}
	return b
}

// inFile says where a value lies, and in which file.
func (l *Location) inFile() string {
	where := fmt.Sprintf("at offset %#x of %s", l.Offset, l.Path.ValidUTF8())
	switch {
	case l.ModRevision > 0:
		return fmt.Sprintf("of revision %d %s", l.ModRevision, where)
	case l.WALIndex > 0:
		return fmt.Sprintf("of WAL index %d %s", l.WALIndex, where)
	}
	return where
}
