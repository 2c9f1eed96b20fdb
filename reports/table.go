package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// Table writes a report for people: the answer in one sentence, then the namespaces, the
// objects, what else is wrong, what the run did not read, and the facts.
type Table struct{}

// Write is the writer of ScanFormats.
func (Table) Write(out io.Writer, r *report.Report) error {
	w := &errWriter{w: out}
	clusterBlocks(w, r)
	if r.Verdict.Status == report.StatusEmpty {
		w.paragraph("", nothing(r))
	}
	findings(w, r)
	coverage(w, &r.Examined)
	inventory(w, r)
	evidence(w, r)
	w.printf("\n")
	w.printf("Verdict: %s\n", verdict(r)) // on one line, however long, because people search for it
	return w.err
}

// maxNamed bounds the namespaces that the sentence names.
const maxNamed = 8

// answer says how much is in plaintext, and where.
func answer(r *report.Report) []string {
	var sentences []string
	quiet, keys := 0, 0 // resources that the configuration encrypts, without a plaintext copy
	for _, scope := range r.Scope {
		if scope.Configured && scope.InPlaintext()+scope.Broken == 0 && missing(&r.Examined) == "" {
			quiet++
			keys += scope.Keys
			continue
		}
		sentences = append(sentences, scopeAnswer(r, scope))
	}
	if quiet > 0 {
		sentences = append(sentences, fmt.Sprintf("No plaintext copy was seen of any of the %d objects of %d more %s that the configuration encrypts.",
			keys, quiet, plural(quiet, "resource", "resources")))
	}
	return append(sentences, validity(r)...)
}

// nothing says what there is in evidence without anything in scope.
func nothing(r *report.Report) string {
	objects, others := 0, 0
	for _, n := range r.Inventory {
		if n.Resource != "" {
			objects += n.Keys
		} else {
			others += n.Keys
		}
	}
	found := fmt.Sprintf("It has %d %s of other kinds", objects, plural(objects, "object", "objects"))
	switch {
	case objects == 0 && others == 0:
		found = "It has no key at all"
	case objects == 0:
		found = fmt.Sprintf("No key in it is Kubernetes', and %d %s of something else", others, plural(others, "is", "are"))
	}
	return found + ": is it the evidence that was meant? (--allow-empty makes this exit status 0.)"
}

func scopeAnswer(r *report.Report, scope report.ScopeCount) string {
	what := noun(scope)
	broken := ""
	if scope.Broken > 0 {
		broken = fmt.Sprintf(" %d cannot be parsed.", scope.Broken)
	}
	missing := missing(&r.Examined)
	switch {
	case scope.Keys == 0 && missing != "":
		return fmt.Sprintf("No %s could be found in what could be read.%s", what, missing)
	case scope.Keys == 0:
		return fmt.Sprintf("There are no %s in this evidence.", what)
	case scope.InPlaintext() == 0:
		return fmt.Sprintf("No plaintext copy of %s was seen.%s%s", all(scope.Keys, what), broken, missing)
	}
	s := fmt.Sprintf("%d of %d %s %s in plaintext%s", scope.InPlaintext(), scope.Keys, what, plural(scope.InPlaintext(), "is", "are"), residueOnly(r, scope))
	names := namespacesOf(r, scope.Resource)
	if len(names) == 0 {
		return s + "." + broken + missing
	}
	count := len(names)
	if more := count - maxNamed; more > 1 {
		names = append(names[:maxNamed:maxNamed], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%s, in %d %s: %s.%s%s", s, count, plural(count, "namespace", "namespaces"), and(names), broken, missing)
}

// residueOnly says how many of the objects in plaintext are so in residue alone.
func residueOnly(r *report.Report, scope report.ScopeCount) string {
	exposed, unknown := 0, 0
	for _, x := range r.Exposures {
		if x.Resource == scope.Resource && x.Status == report.StatusExposed {
			exposed++
			if x.State == report.StateUnknown {
				unknown++
			}
		}
	}
	if unknown > 0 {
		return fmt.Sprintf(", and of %d of them nobody knows which value is the newest", unknown)
	}
	switch exposed {
	case 0:
		return ""
	case scope.InPlaintext():
		return ", none of them in its newest value"
	}
	return fmt.Sprintf(", %d of them in older copies alone", exposed)
}

// all names n things that have something in common.
func all(n int, what string) string {
	if n == 1 {
		return "the one " + what
	}
	return fmt.Sprintf("any of the %d %s", n, what)
}

// missing warns if the run could not read the evidence as it was, so that the report may lack
// things that are in it.
func missing(r *report.Examined) string {
	if r.Coverage.Unread() && !r.Coverage.FreelistAlone() {
		return " Parts of this evidence are damaged or could not be read: there may be more."
	}
	if slices.ContainsFunc(r.Evidence, func(e report.Evidence) bool { return e.Changed != "" }) {
		return " This evidence changed while it was read: there may be more."
	}
	if r.Coverage.FreelistAlone() {
		return " The freelist of this evidence is damaged; every key could be read."
	}
	return ""
}

// namespacesOf is the namespaces with exposures of the resource, in order.
func namespacesOf(r *report.Report, resource report.Text) []string {
	seen := map[string]bool{}
	for _, x := range r.Exposures {
		if x.Resource == resource && x.Namespace != "" {
			seen[item(x.Namespace)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// noun names a resource as people call it.
func noun(scope report.ScopeCount) string {
	if scope.Resource == "secrets" {
		return plural(scope.Keys, "Secret", "Secrets")
	}
	return visible(scope.Resource)
}

func namespaces(w *errWriter, r *report.Report) {
	if len(r.Namespaces) == 0 {
		return
	}
	g := grid{header: []string{"LOGICAL CLUSTER", "NAMESPACE", "PLAINTEXT", "EXPOSED", "ENCRYPTED", "BROKEN"}, right: []int{2, 3, 4, 5}}
	for _, n := range r.Namespaces {
		g.add(orDash(visible(n.LogicalCluster)), orDash(visible(n.Namespace)), fmt.Sprint(n.Plaintext), fmt.Sprint(n.Exposed), fmt.Sprint(n.Encrypted), fmt.Sprint(n.Broken))
	}
	if !slices.ContainsFunc(r.Namespaces, func(n report.NamespaceCount) bool { return n.LogicalCluster != "" }) {
		g.drop(0, 1)
		g.right = []int{1, 2, 3, 4}
	}
	w.printf("\n")
	g.write(w)
}

// exposures lists the objects. What is the same in every row has no column.
func exposures(w *errWriter, r *report.Report) {
	if len(r.Exposures) == 0 {
		return
	}
	withStatus := slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool { return x.Status != r.Exposures[0].Status })
	withResource := len(r.Scope) > 1
	withLogical := slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool { return x.LogicalCluster != "" })
	withPath := databases(r) > 1
	withUse := slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool {
		return x.Validity != nil && x.Status == report.StatusExposed && x.Validity.Status != report.UseUnknown
	})
	columns := func(resource, logical, namespace, name, status, typ, dataKeys, use, path, copies string) []string {
		var row []string
		if withResource {
			row = append(row, resource)
		}
		if withLogical {
			row = append(row, logical)
		}
		row = append(row, namespace, name)
		if withStatus {
			row = append(row, status)
		}
		row = append(row, typ, dataKeys)
		if withUse {
			row = append(row, use)
		}
		if withPath {
			row = append(row, path)
		}
		return append(row, copies)
	}
	g := grid{header: columns("RESOURCE", "LOGICAL CLUSTER", "NAMESPACE", "NAME", "STATUS", "TYPE", "DATA KEYS", "VALUE", "EVIDENCE", "COPIES"),
		firm: []string{"LOGICAL CLUSTER", "NAMESPACE", "NAME", "STATUS", "VALUE", "COPIES"}}
	for _, x := range r.Exposures {
		g.add(columns(visible(x.Resource), orDash(visible(x.LogicalCluster)), orDash(visible(x.Namespace)), orDash(visible(x.Name)), string(x.Status),
			orDash(visible(x.Type)), orDash(dataKeys(x)), use(x), list(pathsOf(x.Copies)), regions(x.Copies))...)
	}
	switch {
	case withStatus:
		w.printf("\nIn plaintext:\n")
	case r.Exposures[0].Status == report.StatusPlaintext:
		w.printf("\nIn plaintext (the newest value):\n")
	case slices.ContainsFunc(r.Exposures, func(x report.Exposure) bool { return x.State == report.StateUnknown }):
		w.printf("\nIn plaintext (no newest value is known, or it is not in plaintext):\n")
	default:
		w.printf("\nIn plaintext (an older copy: the newest value is encrypted or deleted):\n")
	}
	g.write(w)
	alsoIn(w, r.Exposures)
}

// maxAlsoIn bounds the objects that the table names as such that share bytes with others.
const maxAlsoIn = 20

// alsoIn names the objects that have bytes of the copies above, too: what a piece belongs to nobody
// can tell there.
func alsoIn(w *errWriter, exposures []report.Exposure) {
	shown := 0
	for _, x := range exposures {
		if len(x.AlsoIn) == 0 {
			continue
		}
		if shown++; shown > maxAlsoIn {
			continue
		}
		name := visible(x.Key)
		if x.Name != "" {
			name = strings.TrimPrefix(visible(x.Namespace)+"/"+visible(x.Name), "/")
		}
		w.paragraph("    ", fmt.Sprintf("  A piece of %s is also in %s.", name, list(x.AlsoIn)))
	}
	if more := shown - maxAlsoIn; more > 0 {
		w.printf("  and %d more like this\n", more)
	}
}

// pathsOf is the files that hold a copy, each once.
func pathsOf(copies []*report.Copy) []report.Text {
	var paths []report.Text
	for _, c := range copies {
		if !slices.Contains(paths, c.Path) {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

// databases counts the pieces of evidence that belong to no other.
func databases(r *report.Report) (n int) {
	for _, e := range r.Evidence {
		if e.Kind != report.KindWAL {
			n++
		}
	}
	return n
}

// regions says in which regions the copies lie, and how many in each.
func regions(copies []*report.Copy) string {
	counts := map[report.Region]int{}
	for _, c := range copies {
		counts[c.Region]++
	}
	var parts []string
	for _, region := range report.Regions() {
		switch n := counts[region]; n {
		case 0:
		case 1:
			parts = append(parts, region.String())
		default:
			parts = append(parts, fmt.Sprintf("%s %d", region, n))
		}
	}
	if slices.ContainsFunc(copies, func(c *report.Copy) bool { return c.Carrier != "" }) {
		parts = append(parts, "embedded")
	}
	return strings.Join(parts, ", ")
}

// maxPlaces bounds the places of damage that a table lists. JSON has more.
const maxPlaces = 20

// coverage says what the run did not read.
func coverage(w *errWriter, r *report.Examined) {
	c := r.Coverage
	changed := slices.ContainsFunc(r.Evidence, func(e report.Evidence) bool { return e.Changed != "" })
	if len(c.NotExamined) > 0 || changed {
		w.printf("\nNot examined:\n")
	}
	for _, n := range c.NotExamined {
		text := Visible(n.What)
		if n.Path != "" {
			text = visible(n.Path) + ": " + text
		}
		w.paragraph("    ", "  "+text)
	}
	for _, e := range r.Evidence {
		if e.Changed != "" {
			w.paragraph("    ", fmt.Sprintf("  %s changed while it was read: %s", visible(e.Path), Visible(e.Changed)))
		}
	}
	live(w, r)
	if len(c.Damage) == 0 {
		return
	}
	w.printf("\nDamaged, or could not be read:\n")
	for _, d := range c.Damage[:min(len(c.Damage), maxPlaces)] {
		w.paragraph("    ", fmt.Sprintf("  %s at offset %#x, %s", visible(d.Path), d.Offset, Visible(d.What)))
	}
	if more := len(c.Damage) + c.DamageMore - maxPlaces; more > 0 {
		w.printf("  and %d more\n", more)
	}
}

// live warns of files that an etcd may write to at any moment.
func live(w *errWriter, r *report.Examined) {
	var files []report.Evidence
	for _, e := range r.Evidence {
		if e.Live {
			files = append(files, e)
		}
	}
	if len(files) == 0 {
		return
	}
	more := ""
	if n := len(files) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more %s)", n, plural(n, "file", "files"))
	}
	w.printf("\n")
	w.paragraph("", fmt.Sprintf("The evidence is live: %s%s is in use, %s. What is written from now on is not in this report.",
		visible(files[0].Path), more, visible(files[0].Lock)))
}

func inventory(w *errWriter, r *report.Report) {
	if len(r.Inventory) == 0 {
		return
	}
	g := grid{header: []string{"RESOURCE", "KEYS", "PROVIDERS"}, right: []int{1}}
	for _, n := range r.Inventory {
		var providers []string
		for _, p := range slices.Sorted(maps.Keys(n.Providers)) {
			providers = append(providers, fmt.Sprintf("%s %d", p, n.Providers[p]))
		}
		resource := visible(n.Resource)
		if resource == "" {
			resource = "(not Kubernetes)"
		}
		g.add(resource, fmt.Sprint(n.Keys), strings.Join(providers, ", "))
	}
	w.printf("\n")
	g.write(w)
}

func evidence(w *errWriter, r *report.Report) {
	for _, e := range r.Evidence {
		w.printf("\n")
		line := visible(e.Path) + ": " + evidenceLine(e)
		if n := e.PlaintextCopies; n != nil && *n > 0 {
			line += fmt.Sprintf(", %d plaintext %s", *n, plural(*n, "copy", "copies"))
		}
		w.paragraph("  ", line)
		for _, around := range e.Around() {
			w.paragraph("    ", "  "+around)
		}
		w.printf("  sha256 %s\n", orDash(e.SHA256))
		if e.SecondWitness != nil {
			w.paragraph("    ", "  second witness "+visible(e.SecondWitness.String()))
		}
	}
}

func evidenceLine(e report.Evidence) string {
	facts := []string{string(e.Kind), bytesSize(e.Size)}
	if e.Kind == report.KindSnapshot {
		facts = append(facts, "hash "+string(e.SnapshotHash))
	}
	if e.What != "" {
		facts = append(facts, e.What)
	}
	switch e.Kind {
	case report.KindWAL:
		return strings.Join(append(facts, walFacts(e.WAL)...), ", ")
	case report.KindOther:
		return strings.Join(facts, ", ")
	}
	if e.DBFacts == nil {
		return strings.Join(facts, ", ")
	}
	facts = append(facts, fmt.Sprintf("revision %d", e.Revision))
	if e.CompactRevision > 0 {
		facts = append(facts, fmt.Sprintf("compacted at %d", e.CompactRevision))
	}
	return strings.Join(facts, ", ")
}

func walFacts(w *report.WALFacts) []string {
	if w.Entries == 0 {
		return []string{"no entries"}
	}
	facts := []string{fmt.Sprintf("%d %s, index %d to %d", w.Entries, plural(w.Entries, "entry", "entries"), w.FirstIndex, w.LastIndex)}
	if w.Gaps > 0 {
		facts = append(facts, fmt.Sprintf("%d %s", w.Gaps, plural(w.Gaps, "gap", "gaps")))
	}
	return facts
}
