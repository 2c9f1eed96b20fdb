package analyzer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// onlyNewest is said by every report for as long as it is true.
const onlyNewest = "only the newest value of each key in the db was examined: " +
	"older revisions, free pages and the WAL may hold more plaintext"

var secrets = object.GroupResource{Resource: "secrets"}

// A builder turns surveys into a report. A key that several sources of one cluster
// have is one key, and its newest value is that of the highest revision.
type builder struct {
	options    Options
	report     *Report
	holders    *holders
	inventory  map[object.GroupResource]*ResourceCount
	namespaces map[string]*NamespaceCount
	scope      map[object.GroupResource]*ScopeCount
	keys       map[clusterKey]*keyInScope
}

// keyInScope is what all sources together say of a key that the verdict is about.
type keyInScope struct {
	id       object.Identity
	status   Status // of the newest value
	state    State
	current  Current
	exposure *Exposure // nil without a plaintext copy
}

func newReport(surveys []*survey, o Options) *Report {
	b := builder{
		options: o,
		report: &Report{
			SchemaVersion: SchemaVersion, Tool: o.Tool,
			Evidence: []Evidence{}, Inventory: []ResourceCount{}, Namespaces: []NamespaceCount{},
			Exposures: []Exposure{}, Findings: []Finding{}, Scope: []ScopeCount{},
			Coverage: Coverage{Damage: []Damage{}, Unattributed: []Extent{}, NotExamined: []NotExamined{}},
		},
		holders:    newHolders(surveys),
		inventory:  map[object.GroupResource]*ResourceCount{},
		namespaces: map[string]*NamespaceCount{},
		scope:      map[object.GroupResource]*ScopeCount{},
		keys:       map[clusterKey]*keyInScope{},
	}
	for _, resource := range o.Resources {
		b.scope[resource] = &ScopeCount{Resource: Text(resource.String())}
	}
	for _, s := range surveys {
		for i := range s.keys.entries {
			b.addKey(s, &s.keys.entries[i], s.keys.broken[int32(i)])
		}
		b.addEvidence(s)
	}
	b.addScope()
	b.addCoverage()
	b.sort()
	b.report.Verdict = b.verdict()
	return b.report
}

// addKey takes what source s says of one key. broken is what is wrong with its
// newest value.
func (b *builder) addKey(s *survey, e *entry, broken error) {
	newest, deleted := b.holders.isNewest(s, e), b.holders.isDeleted(s, e)
	id := s.identity(e)
	if !deleted && newest {
		b.count(s, e, id)
	}
	if !e.deleted && broken != nil {
		b.addEnvelopeFinding(s, e, id, broken)
	}
	if b.scope[id.GroupResource] == nil {
		return
	}
	k := b.keys[b.holders.key(s, e)]
	if k == nil {
		k = &keyInScope{id: id, state: StateUnknown, status: StatusUnreadable} // until its newest value is met
		b.keys[b.holders.key(s, e)] = k
	}
	if newest && deleted {
		k.state = StateDeleted
	} else if newest {
		how := s.keys.stored[e.stored]
		k.state, k.status = StateLive, s.keys.status(e)
		k.current = Current{Provider: how.provider.String(), KeyName: Text(how.keyName), ModRevision: e.rev.Main}
	}
	if !e.deleted && s.keys.status(e) == StatusPlaintext {
		b.addCopy(s, e, k, newest)
	}
}

// count puts a live key into the inventory.
func (b *builder) count(s *survey, e *entry, id object.Identity) {
	n := b.inventory[id.GroupResource]
	if n == nil {
		n = &ResourceCount{Resource: Text(id.GroupResource.String()), Providers: map[string]int{}}
		b.inventory[id.GroupResource] = n
	}
	n.Keys++
	n.Providers[s.keys.stored[e.stored].provider.String()]++
}

// addCopy notes that the newest value of a key in source s is plaintext.
func (b *builder) addCopy(s *survey, e *entry, k *keyInScope, newest bool) {
	x := k.exposure
	if x == nil {
		x = &Exposure{
			Resource: Text(k.id.GroupResource.String()), Namespace: Text(k.id.Namespace), Name: Text(k.id.Name),
			Key: Text(e.key), DataKeys: []Text{},
		}
		k.exposure = x
	}
	page := e.page
	x.Copies = append(x.Copies, Copy{
		Path: s.Path, Region: RegionLive, Offset: e.off, Length: int64(e.size), Page: &page,
		ModRevision: e.rev.Main, CreateRevision: e.create, Version: e.version, Complete: !e.broken,
	})
	if k.id.GroupResource != secrets || len(x.Copies) > 1 && !newest {
		return
	}
	value, err := s.read(e)
	if err != nil {
		s.addDamage(readError(e, err))
		return
	}
	// A value that is no object, or a broken one, is readable all the same: what
	// could be made out of it is told.
	secret, _ := object.ParseSecret(value, e.off)
	x.Type, x.DataKeys = Text(secret.Type), texts(secret.DataKeys)
}

func readError(e *entry, err error) error {
	return &decode.FormatError{Off: e.off, What: fmt.Sprintf("page %d, value", e.page), Err: err}
}

// addEnvelopeFinding reports a live value that is neither plaintext nor an
// envelope that can be understood. A broken record is damage, and reported so.
func (b *builder) addEnvelopeFinding(s *survey, e *entry, id object.Identity, broken error) {
	how := s.keys.stored[e.stored]
	if how.provider == envelope.Identity {
		return
	}
	what := broken
	var format *decode.FormatError
	if errors.As(broken, &format) {
		what = fmt.Errorf("%s: %w", format.What, format.Err)
	}
	b.find(Finding{
		Rule: RuleUnknownEnvelope, Resource: Text(id.GroupResource.String()), Namespace: Text(id.Namespace),
		Name: Text(id.Name), Key: Text(e.key), Path: s.Path,
		Message: fmt.Sprintf("the value of revision %d at offset %#x can not be understood: %v", e.rev.Main, e.off, what),
	})
}

// addEvidence takes the facts on a source, and what is wrong with it, when all has
// been read of it.
func (b *builder) addEvidence(s *survey) {
	if s.Changed != nil {
		s.evidence.Changed = s.Changed()
	}
	b.report.Evidence = append(b.report.Evidence, s.evidence)
	c := &b.report.Coverage
	c.Bytes += s.Size
	c.BytesRead += s.bytesRead
	c.Pages += s.evidence.Pages
	c.Records += s.records
	c.Damage = append(c.Damage, s.damage...)
	c.DamageMore += s.damageMore
	c.NotExamined = append(c.NotExamined, s.notExamined...)
	if s.evidence.SnapshotHash == HashMismatch {
		b.find(Finding{Rule: RuleSnapshotHash, Path: s.Path,
			Message: "the SHA-256 at the end of the snapshot is not that of the bytes before it: they changed after etcd wrote them, or the file was cut"})
	}
	if n := len(s.damage) + s.damageMore; n > 0 {
		where := "at"
		if n > 1 {
			where = fmt.Sprintf("in %d places, the first at", n)
		}
		first := s.damage[0]
		b.find(Finding{Rule: RuleDamage, Path: s.Path,
			Message: fmt.Sprintf("something breaks its format or could not be read, %s offset %#x: %s", where, first.Offset, first.What)})
	}
}

// addScope turns the keys in scope into counts, exposures and their findings.
func (b *builder) addScope() {
	for _, k := range b.keys {
		status := k.status
		if k.exposure != nil && (k.state == StateDeleted || status != StatusPlaintext) {
			status = StatusExposed
		}
		if k.state == StateDeleted && k.exposure == nil {
			continue
		}
		b.countStatus(k, status)
		if k.exposure == nil {
			continue
		}
		x := k.exposure
		x.Status, x.State, x.Current = status, k.state, k.current
		sortCopies(x.Copies)
		b.report.Exposures = append(b.report.Exposures, *x)
		b.addPlaintextFinding(x)
	}
	for _, n := range b.inventory {
		b.report.Inventory = append(b.report.Inventory, *n)
	}
	for _, n := range b.namespaces {
		b.report.Namespaces = append(b.report.Namespaces, *n)
	}
	for _, resource := range b.options.Resources {
		b.report.Scope = append(b.report.Scope, *b.scope[resource])
	}
}

// addPlaintextFinding reports an exposure by its newest copy.
func (b *builder) addPlaintextFinding(x *Exposure) {
	c := x.Copies[len(x.Copies)-1]
	message := fmt.Sprintf("the newest value, of revision %d, is not encrypted: %d bytes at offset %#x", c.ModRevision, c.Length, c.Offset)
	if x.Status == StatusExposed {
		message = fmt.Sprintf("the newest value in this file, of revision %d, is not encrypted: %d bytes at offset %#x; "+
			"later evidence has it encrypted or deleted", c.ModRevision, c.Length, c.Offset)
	}
	b.find(Finding{
		Rule: RulePlaintextLive, Resource: x.Resource, Namespace: x.Namespace, Name: x.Name, Key: x.Key, Path: c.Path, Message: message,
	})
}

func (b *builder) countStatus(k *keyInScope, status Status) {
	n := b.namespaces[k.id.Namespace]
	if n == nil {
		n = &NamespaceCount{Namespace: Text(k.id.Namespace)}
		b.namespaces[k.id.Namespace] = n
	}
	scope := b.scope[k.id.GroupResource]
	scope.Keys++
	switch status {
	case StatusPlaintext:
		n.Plaintext++
		scope.Readable++
	case StatusExposed:
		n.Exposed++
		scope.Readable++
	case StatusUnreadable:
		n.Unreadable++
		scope.Unreadable++
	default:
		n.Encrypted++
	}
}

func (b *builder) addCoverage() {
	c := &b.report.Coverage
	c.NotExamined = append(c.NotExamined, NotExamined{What: onlyNewest})
	c.NotExamined = append(c.NotExamined, b.options.NotExamined...)
	c.NotExamined = append(c.NotExamined, b.options.NotEvidence...)
}

func (b *builder) find(f Finding) {
	f.Severity = ruleByID(f.Rule).Severity
	b.report.Findings = append(b.report.Findings, f)
}

// sort puts all lists that came from maps in order.
func (b *builder) sort() {
	r := b.report
	slices.SortFunc(r.Inventory, func(a, b ResourceCount) int { return cmp.Compare(a.Resource, b.Resource) })
	slices.SortFunc(r.Namespaces, func(a, b NamespaceCount) int { return cmp.Compare(a.Namespace, b.Namespace) })
	slices.SortFunc(r.Exposures, func(a, b Exposure) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Copies[0].Path, b.Copies[0].Path))
	})
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Resource, b.Resource),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Path, b.Path))
	})
}

func sortCopies(copies []Copy) {
	slices.SortStableFunc(copies, func(a, b Copy) int {
		return cmp.Or(cmp.Compare(a.ModRevision, b.ModRevision), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Offset, b.Offset))
	})
}
