package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A Judge turns surveys into a report. A key that several sources of one cluster
// have is one key, and its newest value is that of the highest revision.
type Judge struct {
	question   Question
	surveys    []*seen.Evidence
	result     *report.Report
	holders    *holders
	inventory  map[object.GroupResource]*report.ResourceCount
	namespaces map[string]*report.NamespaceCount
	scope      map[object.GroupResource]*report.ScopeCount
	keys       map[clusterKey]*Subject
	byEntry    map[*seen.Evidence][]*Subject // of keys, by entryID: nil where it is not, or not known yet
	uses       map[seen.UseID]*keyUse
	retiring   []*retiring               // of Options.Retire
	whole      map[*seen.Evidence][]bool // see ledger.whole; nil unless Options.Retire asks
	moved      map[movedKey]bool         // keys whose newest value opens with the path of another
	logAlone   bool                      // there is a WAL without a db: what was written before it is not known
	unknown    int                       // newest values of which nobody can tell which key they need
	proofs     *keys.Proofs              // nil if none were asked for
	nonces     *keys.Nonces
	Exposed    []*Subject                  // all of keys, in order
	copyProofs map[*seen.Copy]report.Proof // of Options.Key
}

// A movedKey is a key in one survey.
type movedKey struct {
	in  *seen.Evidence
	key string
}

// Subject is what all sources together say of a key that the verdict is about, and
// of which plaintext copies were seen.
type Subject struct {
	key    string
	id     object.Identity
	status report.Status // of the newest value
	state  report.State
	gone   bool          // what was seen of it last is a deletion, even if its state is not known
	copies []seen.CopyID // that are plaintext
	newest *seen.Entry   // of a key that is not deleted, in a survey
	in     *seen.Evidence

	form     seen.Form        // of a Secret, what its copies say of it
	validity *report.Validity // of a Secret: nil until its copies were compared
}

// New finds out which keys the verdict is about, and what each of them is.
func New(evs []*seen.Evidence, o Question, p *keys.Proofs, n *keys.Nonces) *Judge {
	b := &Judge{
		question: o, surveys: evs, proofs: p, nonces: n,
		result: &report.Report{
			SchemaVersion: report.SchemaVersion, Tool: o.Tool,
			Evidence: []report.Evidence{}, Inventory: []report.ResourceCount{}, Namespaces: []report.NamespaceCount{},
			Exposures: []report.Exposure{}, Findings: []report.Finding{}, Scope: []report.ScopeCount{},
			Coverage: report.Coverage{Damage: []report.Damage{}, Unattributed: []report.Extent{}, NotExamined: []report.NotExamined{}},
		},
		holders:    newHolders(evs),
		inventory:  map[object.GroupResource]*report.ResourceCount{},
		namespaces: map[string]*report.NamespaceCount{},
		scope:      map[object.GroupResource]*report.ScopeCount{},
		keys:       map[clusterKey]*Subject{},
		byEntry:    map[*seen.Evidence][]*Subject{},
		uses:       map[seen.UseID]*keyUse{},
		moved:      map[movedKey]bool{},
	}
	if p != nil {
		for _, f := range p.Failures {
			if f.Newest && f.From != "" {
				b.moved[movedKey{f.In, f.Key}] = true
			}
		}
	}
	if len(o.Retire) > 0 {
		b.whole = map[*seen.Evidence][]bool{}
		for _, ev := range evs {
			b.whole[ev] = ev.Ledger.Whole()
		}
	}
	b.startRetiring()
	for _, resource := range o.Resources {
		b.scope[resource] = &report.ScopeCount{Resource: report.Text(resource.String())}
	}
	for n, ev := range evs {
		b.byEntry[ev] = make([]*Subject, ev.Keys.Entries.Len()+1)
		for i, at := range ev.Copies.All() {
			b.addSighting(ev, at, seen.CopyID{Evidence: int32(n), Copy: int32(i)})
		}
	}
	for _, ev := range evs {
		for id, e := range ev.Keys.All() {
			b.addKey(ev, e, ev.Keys.Broken[id])
		}
	}
	b.Exposed = slices.SortedFunc(maps.Values(b.keys), func(x, y *Subject) int {
		return cmp.Or(cmp.Compare(x.id.Namespace, y.id.Namespace), cmp.Compare(x.id.Name, y.id.Name), cmp.Compare(x.key, y.key))
	})
	return b
}

// Report is the report of all that is known by now. It reads nothing.
func (b *Judge) Report() *report.Report {
	b.addScope()
	b.addConfiguration()
	b.addProofs(b.proofs)
	b.addUses(b.surveys, b.proofs)
	b.addSharedNames()
	b.addHygiene(b.surveys)
	for _, ev := range b.surveys {
		b.addEvidence(ev)
	}
	b.addCoverage()
	b.sort()
	b.addKeys()
	b.result.Verdict = b.verdict()
	return b.result
}

// addKey takes what source s says of one key. broken is what is wrong with its
// newest value.
func (b *Judge) addKey(ev *seen.Evidence, e *seen.Entry, broken error) {
	newest, deleted := b.holders.isNewest(ev, e), b.holders.isDeleted(ev, e)
	id := ev.Identity(e.Key)
	if !deleted && newest {
		b.count(ev, e, id)
		b.judge(ev, e, id)
	}
	b.use(ev, e, id, newest && !deleted)
	if !e.Deleted && broken != nil {
		b.addEnvelopeFinding(ev, e, id, broken)
	}
	if !b.inScope(id.GroupResource) {
		return
	}
	if !newest {
		return // what counts is in another source
	}
	k := b.keys[b.holders.key(ev, e.Key)]
	if k == nil {
		if !deleted {
			b.countStatus(id, ev.StatusOf(e))
		}
		return
	}
	k.state, k.gone = b.stateOf(ev, e), e.Deleted
	if !deleted {
		k.newest, k.in, k.status = e, ev, ev.StatusOf(e)
	}
}

// current is what is told of the newest value of a key.
func (k *Subject) current() report.Current {
	if k.newest == nil {
		return report.Current{}
	}
	how := k.in.Keys.Storages[k.newest.Storage]
	c := report.Current{Provider: how.Reported(), KeyName: report.Text(how.KeyName), ModRevision: k.newest.Rev.Main,
		WALIndex: uint64(k.newest.Index)}
	return c
}

// exposed is the status of a key of which plaintext copies were seen.
func (k *Subject) exposed() report.Status {
	if k.state == report.StateDeleted || k.status != report.StatusPlaintext {
		return report.StatusExposed
	}
	return report.StatusPlaintext
}

// stateOf is the state of a key of which s has the newest revision.
func (b *Judge) stateOf(ev *seen.Evidence, e *seen.Entry) report.State {
	switch {
	case e.Unknown && !b.holders.isGone(ev, e):
		return report.StateUnknown
	case b.holders.isDeleted(ev, e):
		return report.StateDeleted
	case ev.File == nil || ev.IsBlind() && e.Index != 0:
		return report.StateUnknown // a WAL alone does not tell what was written after it
	}
	return report.StateLive
}

// addSighting takes a place where survey s saw a value of a watched key.
func (b *Judge) addSighting(ev *seen.Evidence, at *seen.Copy, number seen.CopyID) {
	if !ev.IsPlaintext(at) {
		return
	}
	k := b.keyOf(ev, at)
	if k == nil {
		return
	}
	if at.Reread {
		ev.Counts.Rereads++
	}
	k.copies = append(k.copies, number)
}

// keyOf is the key of a plaintext copy, nil if it is not in scope.
func (b *Judge) keyOf(ev *seen.Evidence, at *seen.Copy) *Subject {
	if b.byEntry[ev][at.Entry] != nil {
		return b.byEntry[ev][at.Entry]
	}
	key := b.holders.key(ev, at.Key)
	k := b.keys[key]
	if k == nil {
		id := ev.Identity(at.Key)
		if !b.inScope(id.GroupResource) {
			return nil
		}
		k = &Subject{key: at.Key, id: id, state: b.holders.stateOf(ev, at), status: report.StatusUnreadable}
		b.keys[key] = k
	}
	if at.Entry != 0 {
		b.byEntry[ev][at.Entry] = k
	}
	return k
}

// count puts a live key into the inventory.
func (b *Judge) count(ev *seen.Evidence, e *seen.Entry, id object.Identity) {
	n := b.inventory[id.GroupResource]
	if n == nil {
		n = &report.ResourceCount{Resource: report.Text(id.GroupResource.String()), Providers: map[report.Provider]int{}}
		b.inventory[id.GroupResource] = n
	}
	n.Keys++
	n.Providers[ev.Keys.Storages[e.Storage].Reported()]++
}

// addEnvelopeFinding reports a live value that is neither plaintext nor an
// envelope that can be understood. A broken record is damage, and reported so.
func (b *Judge) addEnvelopeFinding(ev *seen.Evidence, e *seen.Entry, id object.Identity, broken error) {
	how := ev.Keys.Storages[e.Storage]
	if how.Provider == envelope.Identity {
		return
	}
	f := objectFinding(report.RuleUnknownEnvelope, id, e.Key, locationOf(ev, e))
	f.Message = envelopeMessage(&f, broken)
	b.find(f)
}

// objectFinding is a finding on an object, at those places. Its message is still to be made.
func objectFinding(rule report.RuleID, id object.Identity, key string, at ...report.Location) report.Finding {
	return report.Finding{Rule: rule, Resource: report.Text(id.GroupResource.String()), Namespace: report.Text(id.Namespace), Name: report.Text(id.Name), Key: report.Text(key), At: at}
}

// locationOf is where the newest value of a key lies.
func locationOf(ev *seen.Evidence, e *seen.Entry) report.Location {
	return report.Location{Path: ev.SourceOf(e.File).Path, Offset: e.Off, Length: int64(e.Size), Page: ev.PageAt(e.File, e.Off),
		ModRevision: e.Rev.Main, WALIndex: uint64(e.Index)}
}

// addScope turns the keys in scope into counts, exposures and their findings.
func (b *Judge) addScope() {
	for _, k := range b.Exposed {
		b.countStatus(k.id, k.exposed())
	}
	if b.question.Key != "" {
		b.result.History = b.history(b.surveys)
	}
	b.exposeAll(b.Exposed)
	for _, n := range b.inventory {
		b.result.Inventory = append(b.result.Inventory, *n)
	}
	for _, n := range b.namespaces {
		b.result.Namespaces = append(b.result.Namespaces, *n)
	}
	for _, resource := range b.question.Resources {
		b.result.Scope = append(b.result.Scope, *b.scope[resource])
		delete(b.scope, resource)
	}
	for _, resource := range slices.SortedFunc(maps.Keys(b.scope), compareResources) {
		b.result.Scope = append(b.result.Scope, *b.scope[resource])
	}
}

func compareResources(a, b object.GroupResource) int { return cmp.Compare(a.String(), b.String()) }

// inScope reports whether the verdict is about a resource.
func (b *Judge) inScope(r object.GroupResource) bool {
	if b.scope[r] != nil {
		return true
	}
	if !b.question.Configured || !keys.ConfiguredFor(b.question.Encryption, object.Identity{GroupResource: r}).Encrypts() {
		return false
	}
	b.scope[r] = &report.ScopeCount{Resource: report.Text(r.String()), Configured: true}
	return true
}

// countStatus counts a key in scope.
func (b *Judge) countStatus(id object.Identity, status report.Status) {
	n := b.namespaces[id.Namespace]
	if n == nil {
		n = &report.NamespaceCount{Namespace: report.Text(id.Namespace)}
		b.namespaces[id.Namespace] = n
	}
	scope := b.scope[id.GroupResource]
	scope.Keys++
	switch status {
	case report.StatusPlaintext:
		n.Plaintext++
		scope.Readable++
	case report.StatusExposed:
		n.Exposed++
		scope.Readable++
	case report.StatusUnreadable:
		n.Unreadable++
		scope.Unreadable++
	default:
		n.Encrypted++
	}
}

func (b *Judge) addCoverage() {
	c := &b.result.Coverage
	capExtents(c)
	c.NotExamined = append(c.NotExamined, b.question.NotExamined...)
	c.NotExamined = append(c.NotExamined, b.question.NotEvidence...)
}

func (b *Judge) find(f report.Finding) {
	if f.Severity == report.SeverityNone {
		f.Severity = report.RuleByID(f.Rule).Severity
	}
	if f.At == nil {
		f.At = []report.Location{}
	}
	b.result.Findings = append(b.result.Findings, f)
}

// sort puts all lists that came from maps in order.
func (b *Judge) sort() {
	r := b.result
	slices.SortFunc(r.Inventory, func(a, b report.ResourceCount) int { return cmp.Compare(a.Resource, b.Resource) })
	slices.SortFunc(r.Namespaces, func(a, b report.NamespaceCount) int { return cmp.Compare(a.Namespace, b.Namespace) })
	slices.SortFunc(r.Exposures, compareExposures)
	slices.SortStableFunc(r.Findings, compareFindings)
}

func compareExposures(a, b report.Exposure) int {
	if c := cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(a.Copies[0].Path, b.Copies[0].Path)
}

// compareFindings compares what tells most findings apart first, and no more than it takes.
func compareFindings(a, b report.Finding) int {
	if c := cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule)); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Path(), b.Path()), cmp.Compare(a.Message, b.Message))
}
