package analyzer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

var secrets = object.GroupResource{Resource: "secrets"}

// A builder turns surveys into a report. A key that several sources of one cluster
// have is one key, and its newest value is that of the highest revision.
type builder struct {
	question   question
	surveys    []*survey
	report     *report.Report
	holders    *holders
	inventory  map[object.GroupResource]*report.ResourceCount
	namespaces map[string]*report.NamespaceCount
	scope      map[object.GroupResource]*report.ScopeCount
	keys       map[clusterKey]*keyInScope
	byEntry    map[*survey][]*keyInScope // of keys, by entryID: nil where it is not, or not known yet
	uses       map[useID]*keyUse
	retiring   []*retiring        // of Options.Retire
	whole      map[*survey][]bool // see ledger.whole; nil unless Options.Retire asks
	moved      map[movedKey]bool  // keys whose newest value opens with the path of another
	logAlone   bool               // there is a WAL without a db: what was written before it is not known
	unknown    int                // newest values of which nobody can tell which key they need
	proofs     *proofs            // nil if none were asked for
	nonces     *nonces
	exposed    []*keyInScope              // all of keys, in order
	copyProofs map[*sighting]report.Proof // of Options.Key
}

// A movedKey is a key in one survey.
type movedKey struct {
	in  *survey
	key string
}

// keyInScope is what all sources together say of a key that the verdict is about, and
// of which plaintext copies were seen.
type keyInScope struct {
	key    string
	id     object.Identity
	status report.Status // of the newest value
	state  report.State
	gone   bool   // what was seen of it last is a deletion, even if its state is not known
	copies []kept // that are plaintext
	newest *entry // of a key that is not deleted, in a survey
	in     *survey

	form     form             // of a Secret, what its copies say of it
	validity *report.Validity // of a Secret: nil until its copies were compared
}

// A seen is a sighting and the survey that it is of.
type seen struct {
	*sighting
	in *survey
}

// newBuilder finds out which keys the verdict is about, and what each of them is.
func newBuilder(surveys []*survey, o question, p *proofs, n *nonces) *builder {
	b := &builder{
		question: o, surveys: surveys, proofs: p, nonces: n,
		report: &report.Report{
			SchemaVersion: report.SchemaVersion, Tool: o.Tool,
			Evidence: []report.Evidence{}, Inventory: []report.ResourceCount{}, Namespaces: []report.NamespaceCount{},
			Exposures: []report.Exposure{}, Findings: []report.Finding{}, Scope: []report.ScopeCount{},
			Coverage: report.Coverage{Damage: []report.Damage{}, Unattributed: []report.Extent{}, NotExamined: []report.NotExamined{}},
		},
		holders:    newHolders(surveys),
		inventory:  map[object.GroupResource]*report.ResourceCount{},
		namespaces: map[string]*report.NamespaceCount{},
		scope:      map[object.GroupResource]*report.ScopeCount{},
		keys:       map[clusterKey]*keyInScope{},
		byEntry:    map[*survey][]*keyInScope{},
		uses:       map[useID]*keyUse{},
		moved:      map[movedKey]bool{},
	}
	if p != nil {
		for _, f := range p.failures {
			if f.newest && f.from != "" {
				b.moved[movedKey{f.in, f.key}] = true
			}
		}
	}
	if len(o.Retire) > 0 {
		b.whole = map[*survey][]bool{}
		for _, s := range surveys {
			b.whole[s] = s.ledger.whole()
		}
	}
	b.startRetiring()
	for _, resource := range o.Resources {
		b.scope[resource] = &report.ScopeCount{Resource: report.Text(resource.String())}
	}
	for n, s := range surveys {
		b.byEntry[s] = make([]*keyInScope, s.keys.entries.len()+1)
		for i, at := range s.sightings.all() {
			b.addSighting(s, at, kept{int32(n), int32(i)})
		}
	}
	for _, s := range surveys {
		for id, e := range s.keys.all() {
			b.addKey(s, e, s.keys.broken[id])
		}
	}
	b.exposed = slices.SortedFunc(maps.Values(b.keys), func(x, y *keyInScope) int {
		return cmp.Or(cmp.Compare(x.id.Namespace, y.id.Namespace), cmp.Compare(x.id.Name, y.id.Name), cmp.Compare(x.key, y.key))
	})
	return b
}

// build is the report of all that is known by now. It reads nothing.
func (b *builder) build() *report.Report {
	b.addScope()
	b.addConfiguration()
	b.addProofs(b.proofs)
	b.addUses(b.surveys, b.proofs)
	b.addSharedNames()
	b.addHygiene(b.surveys)
	for _, s := range b.surveys {
		b.addEvidence(s)
	}
	b.addCoverage()
	b.sort()
	b.addKeys()
	b.report.Verdict = b.verdict()
	return b.report
}

// addKey takes what source s says of one key. broken is what is wrong with its
// newest value.
func (b *builder) addKey(s *survey, e *entry, broken error) {
	newest, deleted := b.holders.isNewest(s, e), b.holders.isDeleted(s, e)
	id := s.identity(e.key)
	if !deleted && newest {
		b.count(s, e, id)
		b.judge(s, e, id)
	}
	b.use(s, e, id, newest && !deleted)
	if !e.deleted && broken != nil {
		b.addEnvelopeFinding(s, e, id, broken)
	}
	if !b.inScope(id.GroupResource) {
		return
	}
	if !newest {
		return // what counts is in another source
	}
	k := b.keys[b.holders.key(s, e.key)]
	if k == nil {
		if !deleted {
			b.countStatus(id, s.statusOf(e))
		}
		return
	}
	k.state, k.gone = b.stateOf(s, e), e.deleted
	if !deleted {
		k.newest, k.in, k.status = e, s, s.statusOf(e)
	}
}

// statusOf is the status of a key of which s has the newest value, as far as anybody
// knows.
func (s *survey) statusOf(e *entry) report.Status {
	status := s.keys.status(e)
	if e.unknown && status == report.StatusPlaintext {
		return report.StatusExposed // by what was seen of it: nobody knows its newest value
	}
	return status
}

// current is what is told of the newest value of a key.
func (k *keyInScope) current() report.Current {
	if k.newest == nil {
		return report.Current{}
	}
	how := k.in.keys.stored[k.newest.stored]
	c := report.Current{Provider: how.reported(), KeyName: report.Text(how.keyName), ModRevision: k.newest.rev.Main,
		WALIndex: uint64(k.newest.index)}
	return c
}

// exposed is the status of a key of which plaintext copies were seen.
func (k *keyInScope) exposed() report.Status {
	if k.state == report.StateDeleted || k.status != report.StatusPlaintext {
		return report.StatusExposed
	}
	return report.StatusPlaintext
}

// stateOf is the state of a key of which s has the newest revision.
func (b *builder) stateOf(s *survey, e *entry) report.State {
	switch {
	case e.unknown && !b.holders.isGone(s, e):
		return report.StateUnknown
	case b.holders.isDeleted(s, e):
		return report.StateDeleted
	case s.File == nil || s.isBlind() && e.index != 0:
		return report.StateUnknown // a WAL alone does not tell what was written after it
	}
	return report.StateLive
}

// addSighting takes a place where survey s saw a value of a watched key.
func (b *builder) addSighting(s *survey, at *sighting, number kept) {
	if !s.plaintext(at) {
		return
	}
	k := b.keyOf(s, at)
	if k == nil {
		return
	}
	if at.reread {
		s.counts.Rereads++
	}
	k.copies = append(k.copies, number)
}

// keyOf is the key of a plaintext copy, nil if it is not in scope.
func (b *builder) keyOf(s *survey, at *sighting) *keyInScope {
	if b.byEntry[s][at.entry] != nil {
		return b.byEntry[s][at.entry]
	}
	key := b.holders.key(s, at.key)
	k := b.keys[key]
	if k == nil {
		id := s.identity(at.key)
		if !b.inScope(id.GroupResource) {
			return nil
		}
		k = &keyInScope{key: at.key, id: id, state: b.holders.stateOf(s, at), status: report.StatusUnreadable}
		b.keys[key] = k
	}
	if at.entry != 0 {
		b.byEntry[s][at.entry] = k
	}
	return k
}

// count puts a live key into the inventory.
func (b *builder) count(s *survey, e *entry, id object.Identity) {
	n := b.inventory[id.GroupResource]
	if n == nil {
		n = &report.ResourceCount{Resource: report.Text(id.GroupResource.String()), Providers: map[report.Provider]int{}}
		b.inventory[id.GroupResource] = n
	}
	n.Keys++
	n.Providers[s.keys.stored[e.stored].reported()]++
}

func readError(page report.Page, off int64, err error) error {
	what := "value"
	if number, ok := page.Number(); ok {
		what = fmt.Sprintf("page %d, value", number)
	}
	return &decode.FormatError{Off: off, What: what, Err: err}
}

// addEnvelopeFinding reports a live value that is neither plaintext nor an
// envelope that can be understood. A broken record is damage, and reported so.
func (b *builder) addEnvelopeFinding(s *survey, e *entry, id object.Identity, broken error) {
	how := s.keys.stored[e.stored]
	if how.provider == envelope.Identity {
		return
	}
	f := objectFinding(report.RuleUnknownEnvelope, id, e.key, s.locationOf(e))
	f.Message = envelopeMessage(&f, broken)
	b.find(f)
}

// objectFinding is a finding on an object, at those places. Its message is still to be made.
func objectFinding(rule report.RuleID, id object.Identity, key string, at ...report.Location) report.Finding {
	return report.Finding{Rule: rule, Resource: report.Text(id.GroupResource.String()), Namespace: report.Text(id.Namespace), Name: report.Text(id.Name), Key: report.Text(key), At: at}
}

// locationOf is where the newest value of a key lies.
func (s *survey) locationOf(e *entry) report.Location {
	return report.Location{Path: s.source(e.file).Path, Offset: e.off, Length: int64(e.size), Page: s.pageAt(e.file, e.off),
		ModRevision: e.rev.Main, WALIndex: uint64(e.index)}
}

// addScope turns the keys in scope into counts, exposures and their findings.
func (b *builder) addScope() {
	for _, k := range b.exposed {
		b.countStatus(k.id, k.exposed())
	}
	if b.question.Key != "" {
		b.report.History = b.history(b.surveys)
	}
	b.exposeAll(b.exposed)
	for _, n := range b.inventory {
		b.report.Inventory = append(b.report.Inventory, *n)
	}
	for _, n := range b.namespaces {
		b.report.Namespaces = append(b.report.Namespaces, *n)
	}
	for _, resource := range b.question.Resources {
		b.report.Scope = append(b.report.Scope, *b.scope[resource])
		delete(b.scope, resource)
	}
	for _, resource := range slices.SortedFunc(maps.Keys(b.scope), compareResources) {
		b.report.Scope = append(b.report.Scope, *b.scope[resource])
	}
}

func compareResources(a, b object.GroupResource) int { return cmp.Compare(a.String(), b.String()) }

// inScope reports whether the verdict is about a resource.
func (b *builder) inScope(r object.GroupResource) bool {
	if b.scope[r] != nil {
		return true
	}
	if !b.question.Configured || !configuredFor(b.question.Encryption, object.Identity{GroupResource: r}).Encrypts() {
		return false
	}
	b.scope[r] = &report.ScopeCount{Resource: report.Text(r.String()), Configured: true}
	return true
}

// countStatus counts a key in scope.
func (b *builder) countStatus(id object.Identity, status report.Status) {
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

func (b *builder) addCoverage() {
	c := &b.report.Coverage
	capExtents(c)
	c.NotExamined = append(c.NotExamined, b.question.NotExamined...)
	c.NotExamined = append(c.NotExamined, b.question.NotEvidence...)
}

func (b *builder) find(f report.Finding) {
	if f.Severity == report.SeverityNone {
		f.Severity = report.RuleByID(f.Rule).Severity
	}
	if f.At == nil {
		f.At = []report.Location{}
	}
	b.report.Findings = append(b.report.Findings, f)
}

// sort puts all lists that came from maps in order.
func (b *builder) sort() {
	r := b.report
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
