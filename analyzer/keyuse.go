package analyzer

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A keyUse is a KeyUse that is being counted.
type keyUse struct {
	report.KeyUse
	proven, failed int // of all values
	newFailed      int // of the newest
	id             useID
	names          []string        // that it may have, where NameMayGoOn
	places         map[useName]int // index in Namespaces
}

type useName struct {
	resource  object.GroupResource
	namespace string
}

// A useID tells keys apart.
type useID struct {
	provider          envelope.Provider
	keyName, kmsKeyID string
}

func (s stored) use() useID { return useID{s.provider, s.keyName, s.kmsKeyID} }

func (b *builder) useOf(how stored) *keyUse {
	id := how.use()
	u := b.uses[id]
	if u == nil {
		u = &keyUse{id: id, places: map[useName]int{}, KeyUse: report.KeyUse{
			Provider: stored{provider: id.provider}.reported(), KeyName: report.Text(id.keyName), KMSKeyID: report.Text(id.kmsKeyID),
			Resources: map[string]int{}, Namespaces: []report.NamespaceUse{},
		}}
		b.uses[id] = u
	}
	if how.unsure {
		u.NameMayGoOn, u.names = true, how.names
	}
	return u
}

// namespace is the place for the values of an object's resource and namespace.
func (u *keyUse) namespace(r object.GroupResource, namespace string) *report.NamespaceUse {
	name := useName{r, namespace}
	i, known := u.places[name]
	if !known {
		i = len(u.Namespaces)
		u.places[name] = i
		u.Namespaces = append(u.Namespaces, report.NamespaceUse{Resource: report.Text(r.String()), Namespace: report.Text(namespace)})
	}
	return &u.Namespaces[i]
}

// use counts the entry of a key in one survey: as the newest value of all, or, if its
// record is in the tree, as history. The ledger has all records of the tree.
func (b *builder) use(s *survey, e *entry, id object.Identity, newest bool) {
	how := s.keys.stored[e.stored]
	needed := how
	if key := e.proved().key; key != nil {
		// The bytes behind a name may look like the rest of a longer one: the key that opens
		// the value tells.
		needed.keyName, needed.unsure = key.Name, false
	}
	tied := !e.deleted && b.holders.disagrees(s, e)
	b.retireEntry(s, e, needed, newest || tied)
	if e.deleted || how.provider == envelope.Identity {
		return
	}
	if (newest || tied) && (how.provider == envelope.Unknown || how.lost) {
		b.unknown++
	}
	if how.provider == envelope.Unknown {
		return
	}
	if newest {
		b.countOutcome(s, e, b.useOf(needed))
	}
	if !b.question.Keys {
		return
	}
	u := b.useOf(how)
	n := u.namespace(id.GroupResource, id.Namespace)
	if e.file == dbFile {
		u.History--
		n.History--
	}
	if !newest {
		if e.file == dbFile && !b.holders.holdsSame(s, e) {
			u.History++
			n.History++
		}
		return
	}
	u = b.useOf(needed)
	n = u.namespace(id.GroupResource, id.Namespace)
	n.Newest++
	u.Resources[report.Text(id.GroupResource.String()).ValidUTF8()]++
}

// countOutcome counts a newest value that needs the key, and what came of opening it.
func (b *builder) countOutcome(s *survey, e *entry, u *keyUse) {
	u.Newest++
	switch e.proved().outcome {
	case proven:
		u.Opened++
	case closed, notObject:
		u.newFailed++
		if b.isNotOpened(s, e) {
			u.NotOpened++
		}
	}
}

// isNotOpened reports whether the key of that name in the configuration does not open the
// newest value of a key, nor with the path of another object. The keys of a KMS are its own.
func (b *builder) isNotOpened(s *survey, e *entry) bool {
	switch s.keys.stored[e.stored].provider {
	case envelope.KMSv1, envelope.KMSv2:
		return false
	}
	return e.proved().outcome == closed && !b.moved[movedKey{s, e.key}]
}

// addUses adds what the ledgers counted.
func (b *builder) addUses(surveys []*survey, p *proofs) {
	if !b.question.Keys {
		return
	}
	for _, s := range surveys {
		b.logAlone = b.logAlone || s.File == nil && s.segments[0].What == ""
		s.ledger.settle()
		for _, r := range s.ledger.resources(s.identity) {
			if r.stored == 0 {
				continue // it needs no key
			}
			how := s.keys.stored[r.stored]
			if how.provider == envelope.Unknown {
				continue
			}
			u := b.useOf(how)
			n := u.namespace(r.resource, r.namespace)
			u.History += r.reachable
			n.History += r.reachable
			u.Residue += r.residue
			n.Residue += r.residue
			u.WAL += r.wal
			n.WAL += r.wal
			u.date(r.first)
			u.date(r.last)
		}
		for id, facts := range s.ledger.kms {
			b.useOf(s.keys.stored[id]).kms(facts)
		}
		if p == nil {
			continue
		}
		for id, t := range p.rows[s] {
			u := b.useOf(s.keys.stored[id])
			u.proven += t.proven
			u.failed += t.failed
		}
	}
}

func (u *keyUse) date(rev int64) {
	if rev > 0 && (u.FirstRevision == 0 || rev < u.FirstRevision) {
		u.FirstRevision = rev
	}
	u.LastRevision = max(u.LastRevision, rev)
}

// kms takes the facts of one file. Each file has its data encryption keys; those that
// two have are one, but which they are is not kept.
func (u *keyUse) kms(facts *kmsFacts) {
	u.DEKs = max(u.DEKs, len(facts.deks))
	u.MoreDEKs = u.MoreDEKs || facts.more
	for t := range facts.sources {
		u.DEKTypes = append(u.DEKTypes, report.Text(t.String()))
	}
	u.Annotations = append(u.Annotations, facts.names()...)
	slices.Sort(u.DEKTypes)
	slices.Sort(u.Annotations)
	u.DEKTypes, u.Annotations = slices.Compact(u.DEKTypes), slices.Compact(u.Annotations)
}

// proof is what is known of all newest values, or where there are none of the others.
func (u *keyUse) proof() report.Proof {
	bad, good := u.newFailed > 0, u.Opened == u.Newest
	if u.Newest == 0 {
		bad, good = u.failed > 0, u.proven > 0
	}
	switch {
	case bad:
		return report.Failed
	case good:
		return report.Proven
	}
	return report.Unproven
}

// sortedUses is all uses in a stable order.
func (b *builder) sortedUses() []*keyUse {
	return slices.SortedFunc(maps.Values(b.uses), func(x, y *keyUse) int {
		return cmp.Or(cmp.Compare(x.id.provider, y.id.provider), cmp.Compare(x.id.keyName, y.id.keyName), cmp.Compare(x.id.kmsKeyID, y.id.kmsKeyID))
	})
}

// addKeys makes what `keys` tells.
func (b *builder) addKeys() {
	if !b.question.Keys {
		return
	}
	b.report.Keys = []report.KeyUse{}
	for _, u := range b.sortedUses() {
		slices.SortFunc(u.Namespaces, func(x, y report.NamespaceUse) int {
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace))
		})
		u.Namespaces = slices.DeleteFunc(u.Namespaces, func(n report.NamespaceUse) bool { return n.Newest+n.History+n.Residue+n.WAL == 0 })
		u.Proof, u.Config = u.proof(), b.configOf(u.id)
		b.report.Keys = append(b.report.Keys, u.KeyUse)
	}
	b.retire()
}

// configOf is what the configuration does with a key.
func (b *builder) configOf(id useID) report.ConfigUse {
	config := b.question.Encryption
	if config == nil {
		return ""
	}
	is := report.ConfigAbsent
	for _, entry := range config.Entries() {
		k := entry.Named(id.provider, id.keyName)
		switch {
		case k == nil:
		case k == entry.Keys[0]:
			return report.ConfigWrites
		default:
			is = report.ConfigReads
		}
	}
	return is
}
