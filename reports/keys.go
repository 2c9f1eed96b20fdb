package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// KeysJSON writes the keys in use as one object.
type KeysJSON struct{}

// Write is the writer of KeysFormats.
func (KeysJSON) Write(w io.Writer, r *report.KeysReport) error {
	return writeJSON(w, struct {
		SchemaVersion string              `json:"schemaVersion"`
		Tool          report.Tool         `json:"tool"`
		Run           report.Run          `json:"run"`
		Verdict       keysVerdict         `json:"verdict"`
		Keys          []report.KeyUse     `json:"keys"`
		Retire        []report.Retirement `json:"retire,omitempty"`
		Findings      []report.Finding    `json:"findings"`
		Evidence      []report.Evidence   `json:"evidence"`
		Coverage      report.Coverage     `json:"coverage"`
	}{r.SchemaVersion, r.Tool, r.Run, keysVerdict{r.Verdict.Complete, r.Verdict.ExitStatus}, r.Keys, r.Retire, keyFindings(r), r.Evidence, r.Coverage}, "  ")
}

// keysVerdict is the part of a verdict that is about keys.
type keysVerdict struct {
	Complete   bool `json:"complete"`
	ExitStatus int  `json:"exitStatus"`
}

// keyFindings leaves out the findings on plaintext, which `scan` shows.
func keyFindings(r *report.KeysReport) []report.Finding {
	found := []report.Finding{}
	for _, f := range r.Findings {
		if !f.Rule.IsPlaintext() && f.Rule != report.RuleUnattributed {
			found = append(found, f)
		}
	}
	return found
}

// KeysTable writes the keys in use for people.
type KeysTable struct{}

// Write is the writer of KeysFormats.
func (KeysTable) Write(out io.Writer, r *report.KeysReport) error {
	w := &errWriter{w: out}
	for i := range r.Retire {
		retirement(w, &r.Retire[i])
	}
	w.paragraph("", keysAnswer(r)+missing(&r.Examined))
	if len(r.Keys) > 0 {
		keyRows(w, r.Keys)
		keyPlaces(w, r.Keys)
		kmsKeys(w, r.Keys)
		openNames(w, r.Keys)
	}
	keyFindingsTable(w, r)
	coverage(w, &r.Examined)
	return w.err
}

// maxStragglers bounds the etcd keys that a table names. JSON has all.
const maxStragglers = 50

// retirement says whether the user may drop the key, the answer first.
func retirement(w *errWriter, t *report.Retirement) {
	key := asked(*t)
	switch {
	case t.Safe && t.Writes:
		w.paragraph("", fmt.Sprintf("%s: no newest value in this evidence needs it.%s But the configuration writes with it: it may be dropped once another key does.", key, rest(t)))
	case t.Safe:
		w.paragraph("", fmt.Sprintf("%s may be dropped: no newest value in this evidence needs it.%s", key, rest(t)))
	case t.Answer == report.RetireEmpty:
		w.paragraph("", fmt.Sprintf("%s: nobody can tell. No value in this evidence is encrypted, so it says nothing of any key: is it the evidence that was meant?", key))
	case t.Answer == report.RetireUnseen:
		w.paragraph("", Unseen(*t))
	case len(t.Stragglers) > 0:
		n := len(t.Stragglers)
		w.paragraph("", fmt.Sprintf("%s is still needed: %d newest %s encrypted with it.%s%s", key, n, plural(n, "value is", "values are"), rest(t), opened(t.Opened, t.NotOpened, n)))
		for _, s := range t.Stragglers[:min(n, maxStragglers)] {
			w.printf("  %s\n", visible(s))
		}
		if more := n - maxStragglers; more > 0 {
			w.printf("  and %d more\n", more)
		}
	case t.Unreadable > 0:
		w.paragraph("", fmt.Sprintf("%s: nobody can tell. No newest value is known to need it, and %d newest %s an envelope that can not be understood.%s",
			key, t.Unreadable, plural(t.Unreadable, "value has", "values have"), rest(t)))
	default:
		w.paragraph("", fmt.Sprintf("%s: nobody can tell. No newest value that was read needs it, and not everything was read.%s", key, rest(t)))
	}
	w.printf("\n")
}

// Unseen says that a key to retire does not occur, and what the user may have meant.
func Unseen(t report.Retirement) string {
	hint := " no value in this evidence and no configuration that was given names it, so it was not checked."
	if t.DidYouMean != "" {
		hint = fmt.Sprintf(" did you mean %s?", t.DidYouMean) // in the spelling that reports show
	}
	return asked(t) + ": not seen:" + hint
}

// asked is a key as the user spelt it. It does not escape again a key in its printed form.
func asked(t report.Retirement) string {
	if t.Printed {
		return string(t.Key)
	}
	return visible(t.Key)
}

// opened says that some of the n newest values of a key need another key of that name.
func opened(opened, not, n int) string {
	if not == 0 {
		return ""
	}
	return fmt.Sprintf(" %d of %d open with the configured key; for %d another key of that name is needed.", opened, n, not)
}

// rest says what else needs the key.
func rest(t *report.Retirement) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{t.History, "older revisions"}, {t.Residue, "values outside of the tree"}, {t.WAL, "writes in the WAL"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 && !t.Complete {
		return ""
	}
	if len(parts) == 0 && len(t.Stragglers) > 0 {
		return " Nothing else in it needs the key."
	}
	if len(parts) == 0 {
		return " Nothing else in it does either."
	}
	return fmt.Sprintf(" To read the past it is still needed by %s.", and(parts))
}

// keysAnswer says which keys a restore needs.
func keysAnswer(r *report.KeysReport) string {
	var needed []string
	for _, k := range r.Keys {
		switch shared := k.NotOpened > 0 && k.Config != report.ConfigAbsent; {
		case k.Newest == 0:
		case shared && k.NotOpened == k.Newest:
			needed = append(needed, "another key than the configuration's of the name "+keyName(k))
		case shared:
			needed = append(needed, keyName(k), "another key of the name "+keyName(k))
		default:
			needed = append(needed, keyName(k))
		}
	}
	plain := 0
	for _, n := range r.Inventory {
		plain += n.Providers[report.ProviderIdentity]
	}
	tail := fmt.Sprintf(" %d newest %s not encrypted, and %s none.", plain, plural(plain, "value is", "values are"), plural(plain, "needs", "need"))
	if len(needed) == 0 && missing(&r.Examined) != "" {
		return "No newest value that needs a key was found in what could be read."
	}
	if len(needed) == 0 {
		return "No key is needed to restore this evidence: no newest value is encrypted." + tail
	}
	return fmt.Sprintf("%d %s needed to restore this evidence: %s.%s", len(needed), plural(len(needed), "key is", "keys are"), and(needed), tail)
}

func keyName(k report.KeyUse) string { return KeyLabel(k.Provider, k.KeyName, k.KMSKeyID) }

// KeyLabel is a key as tables print it, and as --retire takes it.
func KeyLabel(provider report.Provider, name, kmsKeyID report.Text) string {
	s := provider.String() + ":" + visible(name)
	if kmsKeyID != "" {
		s += " (" + visible(kmsKeyID) + ")"
	}
	return s
}

func keyRows(w *errWriter, keys []report.KeyUse) {
	configured := slices.ContainsFunc(keys, func(k report.KeyUse) bool { return k.Config != "" })
	header := []string{"KEY", "NEWEST", "HISTORY", "RESIDUE", "WAL", "REVISIONS"}
	if configured {
		header = append(header, "CONFIG", "PROOF")
	}
	g := grid{header: header, right: []int{1, 2, 3, 4}, firm: []string{"REVISIONS", "PROOF", "CONFIG"}}
	for _, k := range keys {
		revisions := "-"
		if k.LastRevision > 0 {
			revisions = fmt.Sprintf("%d-%d", k.FirstRevision, k.LastRevision)
		}
		row := []string{keyName(k), fmt.Sprint(k.Newest), fmt.Sprint(k.History), fmt.Sprint(k.Residue), fmt.Sprint(k.WAL), revisions}
		if configured {
			row = append(row, k.Config.String(), k.Proof.String())
		}
		g.add(row...)
	}
	w.printf("\n")
	g.write(w)
	if !configured {
		w.printf("\nNo key was proven: that takes --encryption-config.\n")
	}
}

// maxPlaceRows bounds the resources that the table lists. JSON has all.
const maxPlaceRows = 500

// keyPlaces says which resources and namespaces have values that need each key.
func keyPlaces(w *errWriter, keys []report.KeyUse) {
	g := grid{header: []string{"KEY", "RESOURCE", "NEWEST", "NAMESPACES"}, right: []int{2}, firm: []string{"KEY", "RESOURCE"}}
	rows := 0
	for _, k := range keys {
		byResource := map[string][]string{}
		for _, n := range k.Namespaces {
			if r := n.Resource.ValidUTF8(); n.Newest > 0 {
				byResource[r] = append(byResource[r], fmt.Sprintf("%s %d", orDash(visible(n.Namespace)), n.Newest))
			}
		}
		for _, resource := range slices.Sorted(maps.Keys(k.Resources)) {
			if rows++; rows > maxPlaceRows {
				continue
			}
			names := byResource[resource]
			if more := len(names) - maxNamed; more > 1 {
				names = append(names[:maxNamed:maxNamed], fmt.Sprintf("and %d more", more))
			}
			g.add(keyName(k), orNot(visible(resource)), fmt.Sprint(k.Resources[resource]), strings.Join(names, ", "))
		}
	}
	if len(g.rows) > 0 {
		w.printf("\nNewest values:\n")
		g.write(w)
	}
	if more := rows - maxPlaceRows; more > 0 {
		w.printf("and %d more resources\n", more)
	}
}

// orNot names the resource of keys that are not Kubernetes'.
func orNot(resource string) string {
	if resource == "" {
		return "(not Kubernetes)"
	}
	return resource
}

// kmsKeys tells what KMS v2 values say of their data encryption keys.
func kmsKeys(w *errWriter, keys []report.KeyUse) {
	current := map[report.Text]int{}
	for _, k := range keys {
		if k.DEKs == 0 {
			continue
		}
		if k.Newest > 0 {
			current[k.KeyName]++
		}
		annotations := "no annotations"
		if len(k.Annotations) > 0 {
			annotations = "annotations " + list(k.Annotations)
		}
		w.printf("\n")
		atLeast := ""
		if k.MoreDEKs {
			atLeast = "over "
		}
		w.paragraph("  ", fmt.Sprintf("%s: %s%d data encryption %s (%s), %s.", keyName(k), atLeast, k.DEKs, plural(k.DEKs, "key", "keys"), list(k.DEKTypes), annotations))
	}
	for _, name := range slices.Sorted(maps.Keys(current)) {
		if current[name] > 1 {
			w.paragraph("", fmt.Sprintf("Newest values of KMS provider %s have %d key IDs: which of them is the current one the data can not say.", visible(name), current[name]))
		}
	}
}

// openNames says which names may be longer.
func openNames(w *errWriter, keys []report.KeyUse) {
	for _, k := range keys {
		if k.NameMayGoOn {
			w.printf("\n")
			w.paragraph("", keyName(k)+": the name may go on behind a colon. One value does not tell; --encryption-config does.")
		}
	}
}

func keyFindingsTable(w *errWriter, r *report.KeysReport) {
	found := keyFindings(r)
	if len(found) == 0 {
		return
	}
	w.printf("\nFindings:\n")
	writeFindings(w, found)
}
