package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A candidate is a key that the user wants to drop, and what was found of it.
type candidate struct {
	label    string                    // as the user gave it
	printed  bool                      // reports print it like that
	readings []keys.Spelling           // what it may mean
	seen     bool                      // see candidateOf
	hits     map[*seen.Evidence][]bool // by StorageID, whether values stored like that name it

	// See report.Retirement. The stragglers are in no order, and may be there twice.
	stragglers        []report.Text
	opened, notOpened int
}

// names reports whether a value that was stored like that names the key, or may do so.
func (c *candidate) names(how *seen.Storage) bool {
	return slices.ContainsFunc(c.readings, func(name keys.Spelling) bool {
		return name.Provider == how.Provider && how.MayHave(name.Name) && (name.KMSKeyID == "" || name.KMSKeyID == how.KMSKeyID)
	})
}

// mayNeedBroken reports whether a broken value that was stored like that may need the key: what is
// left of the name may be the start of this one, or the key ID cannot be read.
func (c *candidate) mayNeedBroken(how *seen.Storage) bool {
	return slices.ContainsFunc(c.readings, func(name keys.Spelling) bool {
		return name.Provider == how.Provider && (strings.HasPrefix(name.Name, how.KeyName+":") || name.Name == how.KeyName && how.KMSKeyID == "")
	})
}

// findCandidates finds out which keys the user means. A name may hold a comma: if the first parts
// of a list are the name of a key that was seen, the longest such name is a candidate, and so is
// each of its parts that was seen itself.
func (j *Judge) findCandidates() {
	if len(j.question.Retire) == 0 {
		return
	}
	j.whole = map[*seen.Evidence][]bool{}
	for _, ev := range j.evs {
		j.whole[ev] = ev.Ledger.Whole()
	}
	printed := j.printedKeys()
	for _, list := range j.question.Retire {
		parts := keys.SplitKeys(list)
		for len(parts) > 0 {
			n := len(parts)
			c := j.candidateOf(strings.Join(parts, ","), printed)
			for ; !c.seen && n > 1; c = j.candidateOf(strings.Join(parts[:n], ","), printed) {
				n--
			}
			j.addCandidate(c)
			if n > 1 {
				for _, part := range parts[:n] {
					if one := j.candidateOf(part, printed); one.seen {
						j.addCandidate(one)
					}
				}
			}
			parts = parts[n:]
		}
	}
}

// addCandidate adds a candidate, unless there is one of that label, or it is empty: behind the
// last comma of a list.
func (j *Judge) addCandidate(c *candidate) {
	if c.label != "" && !slices.ContainsFunc(j.candidates, func(other *candidate) bool { return other.label == c.label }) {
		j.candidates = append(j.candidates, c)
	}
}

// printedKeys has all keys of the evidence and of the configuration, by how reports print them.
func (j *Judge) printedKeys() map[string][]seen.KeyID {
	printed := map[string][]seen.KeyID{}
	addOne := func(id seen.KeyID) {
		if label := j.label(id); !slices.Contains(printed[label], id) {
			printed[label] = append(printed[label], id)
		}
	}
	add := func(id seen.KeyID) {
		addOne(id)
		if id.KMSKeyID != "" {
			addOne(seen.KeyID{Provider: id.Provider, KeyName: id.KeyName}) // all key IDs of the provider
		}
	}
	for _, ev := range j.evs {
		for i := range ev.Keys.Storages {
			if how := &ev.Keys.Storages[i]; how.Provider.Encrypts() {
				add(how.KeyID())
			}
		}
	}
	for _, id := range j.configuredKeys() {
		add(id)
	}
	return printed
}

// candidateOf is the key that a text means. It is seen if a whole value or the configuration names
// it: bytes that only look like a value may be anything.
func (j *Judge) candidateOf(text string, printed map[string][]seen.KeyID) *candidate {
	label := text
	if printed[text] == nil {
		label = strings.TrimSpace(text) // spaces around the commas of a list
	}
	c := &candidate{label: label, printed: printed[label] != nil, readings: keys.Readings(label), hits: map[*seen.Evidence][]bool{}}
	// The text may have escapes in it, for bytes of the name that no terminal shows.
	for _, id := range printed[label] {
		if name := (keys.Spelling{Provider: id.Provider, Name: id.KeyName, KMSKeyID: id.KMSKeyID}); !slices.Contains(c.readings, name) {
			c.readings = append(c.readings, name)
		}
	}
	for _, ev := range j.evs {
		c.hits[ev] = make([]bool, len(ev.Keys.Storages))
		for i := range ev.Keys.Storages {
			c.hits[ev][i] = c.names(&ev.Keys.Storages[i])
			c.seen = c.seen || c.hits[ev][i] && j.whole[ev][i]
		}
	}
	for _, id := range j.configuredKeys() {
		c.seen = c.seen || c.names(&seen.Storage{Provider: id.Provider, KeyName: id.KeyName, KMSKeyID: id.KMSKeyID})
	}
	return c
}

// addStraggler notes for each candidate whether the value of e, which ev has, needs it. needed is
// how that was stored, with the name of the key that opened it. newest says that it is a newest
// value.
func (j *Judge) addStraggler(ev *seen.Evidence, e *seen.Entry, needed seen.Storage, newest bool) {
	if len(j.candidates) == 0 || !j.clusters.IsNewest(ev, e) && !newest {
		return
	}
	broken := e.Proved().Key == nil && (e.Broken || needed.Provider.HasObject() && needed.KMSKeyID == "")
	for _, c := range j.candidates {
		now := newest && (c.names(&needed) || broken && c.mayNeedBroken(&needed))
		if !now && !j.mayNeed(ev, e, c) {
			continue
		}
		c.stragglers = append(c.stragglers, report.Text(e.Key))
		switch {
		case !now:
		case e.Proved().Outcome == seen.Proven:
			c.opened++
		case j.isNotOpened(ev, e):
			c.notOpened++
		}
	}
}

// mayNeed reports whether the value before the newest one needs the candidate, and may stay: what
// replaces it is a write in the WAL that may never take effect.
func (j *Judge) mayNeed(ev *seen.Evidence, e *seen.Entry, c *candidate) bool {
	if len(ev.ReplacedStorages) == 0 {
		return false
	}
	return slices.ContainsFunc(ev.ReplacedStorages[ev.Keys.Find([]byte(e.Key))], func(before seen.StorageID) bool { return c.hits[ev][before] })
}

// answerRetire answers which of the candidates may be dropped. All else must be known, because a
// key may be dropped only if all was read.
func (j *Judge) answerRetire() {
	if len(j.question.Retire) == 0 {
		return
	}
	complete, encrypted := j.sawAll() && !j.logAlone, j.anyEncrypted()
	j.retire = []report.Retirement{}
	for _, c := range j.candidates {
		slices.Sort(c.stragglers)
		c.stragglers = slices.Compact(c.stragglers) // members that have gone apart each have it
		t := report.Retirement{
			Key: report.Text(c.label), Printed: c.printed, Stragglers: append([]report.Text{}, c.stragglers...), Unreadable: j.unknown,
			Complete: complete, Seen: c.seen, Opened: c.opened, NotOpened: c.notOpened, Writes: j.writesWith(c), Answer: report.RetireSafe,
		}
		for _, u := range j.uses {
			if c.names(&seen.Storage{Provider: u.id.Provider, KeyName: u.id.KeyName, KMSKeyID: u.id.KMSKeyID, Names: u.names, Unsure: u.NameMayGoOn}) {
				t.History += u.History
				t.Residue += u.Residue
				t.WAL += u.WAL
			}
		}
		switch {
		case len(t.Stragglers) > 0:
			t.Answer = report.RetireNeeded
		case !t.Complete || t.Unreadable > 0:
			t.Answer = report.RetireUnknown
		case !encrypted:
			t.Answer = report.RetireEmpty
		case !t.Seen:
			t.Answer = report.RetireUnseen
		}
		if !t.Seen {
			t.DidYouMean = j.similarKey(c.label)
		}
		t.Safe = t.Answer == report.RetireSafe
		j.retire = append(j.retire, t)
	}
}

// sawAll reports whether no newest value may be where the run did not look, whoever left that out.
func (j *Judge) sawAll() bool {
	return len(j.result.Coverage.NotExamined) == 0 && j.missing(nil) == 0
}

// retireStatus is the exit status that the answers ask for. A key that may not be dropped counts
// before one that was not seen.
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

// anyEncrypted reports whether any whole value is encrypted, in whatever region.
func (j *Judge) anyEncrypted() bool {
	for _, ev := range j.evs {
		for i, how := range ev.Keys.Storages {
			if j.whole[ev][i] && how.Provider.Encrypts() {
				return true
			}
		}
	}
	return false
}

// writesWith reports whether the configuration encrypts something with the candidate.
func (j *Judge) writesWith(c *candidate) bool {
	if j.question.Encryption == nil {
		return false
	}
	for _, entry := range j.question.Encryption.Entries() {
		k := entry.Keys[0]
		if c.names(&seen.Storage{Provider: k.Provider, KeyName: k.Name, KMSKeyID: k.KMSKeyID()}) {
			return true
		}
	}
	return false
}

// configuredKeys lists the keys of the configuration, those of KMS plugins with the key IDs that
// they write with.
func (j *Judge) configuredKeys() []seen.KeyID {
	if j.question.Encryption == nil {
		return nil
	}
	var ids []seen.KeyID
	for _, entry := range j.question.Encryption.Entries() {
		for _, k := range entry.Keys {
			if k.Provider.Encrypts() {
				ids = append(ids, seen.KeyID{Provider: k.Provider, KeyName: k.Name, KMSKeyID: k.KMSKeyID()})
			}
		}
	}
	return ids
}

// label is a key as reports print it.
func (j *Judge) label(id seen.KeyID) string {
	if j.question.Label != nil {
		return j.question.Label(seen.Storage{Provider: id.Provider}.Reported(), report.Text(id.KeyName), report.Text(id.KMSKeyID))
	}
	if id.KMSKeyID == "" {
		return seen.KeyLabel(id.Provider, id.KeyName)
	}
	return fmt.Sprintf("%s (%s)", seen.KeyLabel(id.Provider, id.KeyName), report.Text(id.KMSKeyID).ValidUTF8())
}

// maxSpelt bounds the length, in bytes, of labels that are compared letter by letter.
const maxSpelt = 256

// similarKey is the label that is spelt most like the one that the user gave, empty if none is
// much like it. The same name of another provider counts as one letter.
func (j *Judge) similarKey(label string) report.Text {
	if len(label) > maxSpelt {
		return ""
	}
	best, least := "", max(3, len(label)/3)+1
	consider := func(id seen.KeyID) {
		other := j.label(id)
		n := len(other) - len(label)
		if len(other) > maxSpelt || max(n, -n) > least {
			return
		}
		_, name, _ := strings.Cut(label, ":")
		if _, same, _ := strings.Cut(other, ":"); same == name {
			n = 1
		} else {
			n = levenshtein.ComputeDistance(label, other)
		}
		if n < least || n == least && best != "" && other < best {
			best, least = other, n
		}
	}
	add := func(id seen.KeyID) {
		consider(id)
		if id.KMSKeyID != "" && !strings.HasSuffix(label, ")") {
			consider(seen.KeyID{Provider: id.Provider, KeyName: id.KeyName})
		}
	}
	for _, u := range j.sortedUses() {
		add(u.id)
	}
	for _, id := range j.configuredKeys() {
		add(id)
	}
	return report.Text(best)
}
