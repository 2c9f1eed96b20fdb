package judge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// A KeyName is the name of a key, or of a KMS provider and one of its key IDs. An empty
// key ID stands for all of them.
type KeyName struct {
	Provider envelope.Provider
	Name     string
	KMSKeyID string
}

// ParseKeyName reads PROVIDER:NAME. A name may hold colons itself. The error is for the
// user.
func ParseKeyName(s string) (KeyName, error) {
	provider, name, ok := strings.Cut(s, ":")
	p, known := envelope.ParseProvider(provider)
	switch {
	case !ok || name == "":
		return KeyName{}, fmt.Errorf("%q: must be PROVIDER:NAME, such as aescbc:key1", s)
	case provider == "kms":
		return KeyName{}, fmt.Errorf("%q: provider must be kms-v1 or kms-v2", s)
	case !known || p == envelope.Identity:
		return KeyName{}, errors.New(`"` + s + `": provider must be one of aescbc, aesgcm, secretbox, kms-v1, kms-v2`)
	}
	return KeyName{Provider: p, Name: name}, nil
}

// CheckRetire checks a text that names keys to retire, as far as that can be done before it is
// known which keys there are. The error is for the user.
func CheckRetire(arg string) error {
	_, err := ParseKeyName(strings.TrimSpace(arg))
	return err
}

// splitKeys takes a list of keys apart at the commas behind which a provider stands: any
// other comma may be of a name. So may these; the parts and commas together are the list.
func splitKeys(list string) []string {
	var parts []string
	for part := range strings.SplitSeq(list, ",") {
		word, _, _ := strings.Cut(strings.TrimSpace(part), ":")
		_, known := envelope.ParseProvider(word)
		if len(parts) == 0 || known || word == "kms" || strings.TrimSpace(part) == "" {
			parts = append(parts, part)
			continue
		}
		parts[len(parts)-1] += "," + part
	}
	return parts
}

// readings are what a key may mean as `keys` prints it: a name, or the name of a KMS
// provider and behind it, in parentheses, a key ID.
func readings(label string) []KeyName {
	name, err := ParseKeyName(label)
	if err != nil {
		return nil
	}
	all := []KeyName{name}
	before, id, ok := cutLast(name.Name, " (")
	if !ok || name.Provider != envelope.KMSv2 || !strings.HasSuffix(id, ")") || id == ")" || before == "" {
		return all
	}
	id = strings.TrimSuffix(id, ")")
	all = append(all, KeyName{name.Provider, before, id})
	if quoted, ok := strings.CutPrefix(id, "key ID "); ok { // as findings have it
		if id, err := strconv.Unquote(quoted); err == nil {
			all = append(all, KeyName{name.Provider, before, id})
		}
	}
	return all
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// A retiring is a key that the user wants to drop, and what was found of it.
type retiring struct {
	label      string // as it was asked for
	printed    bool   // which is how reports print it
	readings   []KeyName
	seen       bool
	hits       map[*seen.Evidence][]bool // by how the values were stored: it may be that key
	stragglers []report.Text
	opened     int // see Retirement
	notOpened  int
}

// names reports whether a value that was stored like that names the key, as far as anybody
// can tell.
func (r *retiring) names(how *seen.Storage) bool {
	return slices.ContainsFunc(r.readings, func(name KeyName) bool {
		return name.Provider == how.Provider && how.MayHave(name.Name) && (name.KMSKeyID == "" || name.KMSKeyID == how.KmsKeyID)
	})
}

// mayNeedBroken reports whether a value that is broken may need the key: its name may be cut,
// nothing tells where it ends, or the key ID can not be read.
func (r *retiring) mayNeedBroken(how *seen.Storage) bool {
	return slices.ContainsFunc(r.readings, func(name KeyName) bool {
		return name.Provider == how.Provider && (strings.HasPrefix(name.Name, how.KeyName+":") || name.Name == how.KeyName && how.KmsKeyID == "")
	})
}

// label is a key as reports print it.
func (b *Judge) label(id seen.UseID) string {
	if b.question.Label != nil {
		return b.question.Label(seen.Storage{Provider: id.Provider}.Reported(), report.Text(id.KeyName), report.Text(id.KmsKeyID))
	}
	if id.KmsKeyID == "" {
		return seen.KeyLabel(id.Provider, id.KeyName)
	}
	return fmt.Sprintf("%s (%s)", seen.KeyLabel(id.Provider, id.KeyName), report.Text(id.KmsKeyID).ValidUTF8())
}

// startRetiring finds out which keys the user means: of a list, the longest part that is a
// key counts as one, because a name may hold a comma, and so do the keys that it is a list of.
func (b *Judge) startRetiring() {
	if len(b.question.Retire) == 0 {
		return
	}
	printed := b.printedKeys()
	for _, list := range b.question.Retire {
		parts := splitKeys(list)
		for len(parts) > 0 {
			n := len(parts)
			r := b.retiringOf(strings.Join(parts, ","), printed)
			for ; !r.seen && n > 1; r = b.retiringOf(strings.Join(parts[:n], ","), printed) {
				n--
			}
			b.startOne(r)
			if n > 1 {
				for _, part := range parts[:n] {
					if one := b.retiringOf(part, printed); one.seen {
						b.startOne(one)
					}
				}
			}
			parts = parts[n:]
		}
	}
}

// startOne adds a key to retire, unless it was asked for before or is the end of a list.
func (b *Judge) startOne(r *retiring) {
	if r.label != "" && !slices.ContainsFunc(b.retiring, func(other *retiring) bool { return other.label == r.label }) {
		b.retiring = append(b.retiring, r)
	}
}

// printedKeys are all keys by how reports print them.
func (b *Judge) printedKeys() map[string][]seen.UseID {
	printed := map[string][]seen.UseID{}
	add := func(id seen.UseID) {
		if label := b.label(id); !slices.Contains(printed[label], id) {
			printed[label] = append(printed[label], id)
		}
	}
	all := func(id seen.UseID) {
		add(id)
		if id.KmsKeyID != "" {
			add(seen.UseID{Provider: id.Provider, KeyName: id.KeyName, KmsKeyID: ""})
		}
	}
	for _, ev := range b.surveys {
		for i := range ev.Keys.Storages {
			if how := &ev.Keys.Storages[i]; how.Provider != envelope.Identity && how.Provider != envelope.Unknown {
				all(how.Use())
			}
		}
	}
	for _, id := range b.configuredKeys() {
		all(id)
	}
	return printed
}

// retiringOf is the key that a text means. It is seen if a whole value or the configuration
// names it: bytes that look like a value may be anything.
func (b *Judge) retiringOf(text string, printed map[string][]seen.UseID) *retiring {
	label := text
	if printed[text] == nil {
		label = strings.TrimSpace(text) // spaces around the commas of a list
	}
	r := &retiring{label: label, printed: printed[label] != nil, readings: readings(label), hits: map[*seen.Evidence][]bool{}}
	// A name with bytes that no terminal shows is asked for as it is printed.
	for _, id := range printed[label] {
		if name := (KeyName{id.Provider, id.KeyName, id.KmsKeyID}); !slices.Contains(r.readings, name) {
			r.readings = append(r.readings, name)
		}
	}
	for _, ev := range b.surveys {
		r.hits[ev] = make([]bool, len(ev.Keys.Storages))
		for i := range ev.Keys.Storages {
			r.hits[ev][i] = r.names(&ev.Keys.Storages[i])
			r.seen = r.seen || r.hits[ev][i] && b.whole[ev][i]
		}
	}
	for _, id := range b.configuredKeys() {
		r.seen = r.seen || r.names(&seen.Storage{Provider: id.Provider, KeyName: id.KeyName, KmsKeyID: id.KmsKeyID})
	}
	return r
}

// configuredKeys are the keys of the configuration, with the key IDs that KMS plugins say
// they write with.
func (b *Judge) configuredKeys() []seen.UseID {
	if b.question.Encryption == nil {
		return nil
	}
	var ids []seen.UseID
	for _, entry := range b.question.Encryption.Entries() {
		for _, k := range entry.Keys {
			if k.Provider != envelope.Identity {
				ids = append(ids, seen.UseID{Provider: k.Provider, KeyName: k.Name, KmsKeyID: k.KMSKeyID()})
			}
		}
	}
	return ids
}

// retireEntry notes the keys to retire that the newest revision of a key in one survey needs.
// needed is how its value was stored, by the key that opened it where one did.
func (b *Judge) retireEntry(ev *seen.Evidence, e *seen.Entry, needed seen.Storage, newest bool) {
	if len(b.retiring) == 0 || !b.holders.isNewest(ev, e) && !newest {
		return
	}
	for _, r := range b.retiring {
		now := newest && (r.names(&needed) || (e.Broken || needed.Provider == envelope.KMSv2 && needed.KmsKeyID == "") && e.Proved().Key == nil && r.mayNeedBroken(&needed))
		if !now && !b.mayNeed(ev, e, r) {
			continue
		}
		r.stragglers = append(r.stragglers, report.Text(e.Key))
		switch {
		case !now:
		case e.Proved().Outcome == seen.Proven:
			r.opened++
		case b.isNotOpened(ev, e):
			r.notOpened++
		}
	}
}

// mayNeed reports whether a value before the newest one needs the key to retire, where
// the newest may never take effect.
func (b *Judge) mayNeed(ev *seen.Evidence, e *seen.Entry, r *retiring) bool {
	if len(ev.Before) == 0 {
		return false
	}
	return slices.ContainsFunc(ev.Before[ev.Keys.Find([]byte(e.Key))], func(before seen.StorageID) bool { return r.hits[ev][before] })
}

// retire answers which keys may be dropped.
func (b *Judge) retire() {
	if len(b.question.Retire) == 0 {
		return
	}
	complete, sealed := b.verdict().Complete && !b.logAlone, b.anyEncrypted()
	b.result.Retire = []report.Retirement{}
	for _, r := range b.retiring {
		slices.Sort(r.stragglers)
		r.stragglers = slices.Compact(r.stragglers) // of members that have gone apart each has it
		t := report.Retirement{Key: report.Text(r.label), Printed: r.printed, Stragglers: append([]report.Text{}, r.stragglers...), Unreadable: b.unknown,
			Complete: complete, Seen: r.seen, Opened: r.opened, NotOpened: r.notOpened, Answer: report.RetireSafe}
		for _, u := range b.uses {
			if r.names(&seen.Storage{Provider: u.id.Provider, KeyName: u.id.KeyName, KmsKeyID: u.id.KmsKeyID, Names: u.names, Unsure: u.NameMayGoOn}) {
				t.History += u.History
				t.Residue += u.Residue
				t.WAL += u.WAL
			}
		}
		t.Writes = b.writesWith(r)
		switch {
		case len(t.Stragglers) > 0:
			t.Answer = report.RetireNeeded
		case !t.Complete || t.Unreadable > 0:
			t.Answer = report.RetireUnknown
		case !sealed:
			t.Answer = report.RetireEmpty
		case !t.Seen:
			t.Answer = report.RetireUnseen
		}
		if !t.Seen {
			t.DidYouMean = b.similarKey(r.label)
		}
		t.Safe = t.Answer == report.RetireSafe
		b.result.Retire = append(b.result.Retire, t)
	}
}

// anyEncrypted reports whether a whole value is encrypted, in whatever region.
func (b *Judge) anyEncrypted() bool {
	for _, ev := range b.surveys {
		for i, how := range ev.Keys.Storages {
			if b.whole[ev][i] && how.Provider != envelope.Identity && how.Provider != envelope.Unknown {
				return true
			}
		}
	}
	return false
}

// writesWith reports whether the configuration encrypts something with the key.
func (b *Judge) writesWith(r *retiring) bool {
	if b.question.Encryption == nil {
		return false
	}
	for _, entry := range b.question.Encryption.Entries() {
		k := entry.Keys[0]
		if r.names(&seen.Storage{Provider: k.Provider, KeyName: k.Name, KmsKeyID: k.KMSKeyID()}) {
			return true
		}
	}
	return false
}

// maxSpelt bounds the names that are compared letter by letter.
const maxSpelt = 256

// similarKey is the key that is spelt most like the one that was asked for, empty if none is.
func (b *Judge) similarKey(label string) report.Text {
	if len(label) > maxSpelt {
		return ""
	}
	best, least := "", max(3, len(label)/3)+1
	consider := func(id seen.UseID) {
		other := b.label(id)
		n := len(other) - len(label)
		if len(other) > maxSpelt || max(n, -n) > least {
			return
		}
		_, name, _ := strings.Cut(label, ":")
		if _, same, _ := strings.Cut(other, ":"); same == name {
			n = 1 // of another provider
		} else {
			n = levenshtein.ComputeDistance(label, other)
		}
		if n < least || n == least && best != "" && other < best {
			best, least = other, n
		}
	}
	add := func(id seen.UseID) {
		consider(id)
		if id.KmsKeyID != "" && !strings.HasSuffix(label, ")") {
			consider(seen.UseID{Provider: id.Provider, KeyName: id.KeyName, KmsKeyID: ""})
		}
	}
	for _, u := range b.sortedUses() {
		add(u.id)
	}
	for _, id := range b.configuredKeys() {
		add(id)
	}
	return report.Text(best)
}

// retireStatus is the exit status that the answers ask for: an unsafe key goes before one
// that was not seen.
func retireStatus(all []report.Retirement) int {
	status := report.ExitClean
	for _, t := range all {
		switch t.Answer {
		case report.RetireEmpty:
			return report.ExitNotEvidence
		case report.RetireNeeded, report.RetireUnknown:
			status = report.ExitFindings
		case report.RetireUnseen:
			if status == report.ExitClean {
				status = report.ExitUsage
			}
		}
	}
	return status
}
