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

// A keyUse is a KeyUse that is being counted.
type keyUse struct {
	report.KeyUse
	proven, failed int // of all values
	newFailed      int // of the newest
	id             seen.UseID
	names          []string        // that it may have, where NameMayGoOn
	places         map[useName]int // index in Namespaces
}

type useName struct {
	resource  object.GroupResource
	namespace string
}

func (b *Judge) useOf(how seen.Storage) *keyUse {
	id := how.Use()
	u := b.uses[id]
	if u == nil {
		u = &keyUse{id: id, places: map[useName]int{}, KeyUse: report.KeyUse{
			Provider: seen.Storage{Provider: id.Provider}.Reported(), KeyName: report.Text(id.KeyName), KMSKeyID: report.Text(id.KmsKeyID),
			Resources: map[string]int{}, Namespaces: []report.NamespaceUse{},
		}}
		b.uses[id] = u
	}
	if how.Unsure {
		u.NameMayGoOn, u.names = true, how.Names
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
func (b *Judge) use(ev *seen.Evidence, e *seen.Entry, id object.Identity, newest bool) {
	how := ev.Keys.Storages[e.Storage]
	needed := how
	if key := e.Proved().Key; key != nil {
		// The bytes behind a name may look like the rest of a longer one: the key that opens
		// the value tells.
		needed.KeyName, needed.Unsure = key.Name, false
	}
	tied := !e.Deleted && b.holders.disagrees(ev, e)
	b.retireEntry(ev, e, needed, newest || tied)
	if e.Deleted || how.Provider == envelope.Identity {
		return
	}
	if (newest || tied) && (how.Provider == envelope.Unknown || how.Lost) {
		b.unknown++
	}
	if how.Provider == envelope.Unknown {
		return
	}
	if newest {
		b.countOutcome(ev, e, b.useOf(needed))
	}
	if !b.question.Keys {
		return
	}
	u := b.useOf(how)
	n := u.namespace(id.GroupResource, id.Namespace)
	if e.File == seen.DbFile {
		u.History--
		n.History--
	}
	if !newest {
		if e.File == seen.DbFile && !b.holders.holdsSame(ev, e) {
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
func (b *Judge) countOutcome(ev *seen.Evidence, e *seen.Entry, u *keyUse) {
	u.Newest++
	switch e.Proved().Outcome {
	case seen.Proven:
		u.Opened++
	case seen.Closed, seen.NotObject:
		u.newFailed++
		if b.isNotOpened(ev, e) {
			u.NotOpened++
		}
	}
}

// isNotOpened reports whether the key of that name in the configuration does not open the
// newest value of a key, nor with the path of another object. The keys of a KMS are its own.
func (b *Judge) isNotOpened(ev *seen.Evidence, e *seen.Entry) bool {
	switch ev.Keys.Storages[e.Storage].Provider {
	case envelope.KMSv1, envelope.KMSv2:
		return false
	}
	return e.Proved().Outcome == seen.Closed && !b.moved[movedKey{ev, e.Key}]
}

// addUses adds what the ledgers counted.
func (b *Judge) addUses(evs []*seen.Evidence, p *keys.Proofs) {
	if !b.question.Keys {
		return
	}
	for _, ev := range evs {
		b.logAlone = b.logAlone || ev.File == nil && ev.Segments[0].What == ""
		ev.Ledger.Settle()
		for _, r := range ev.Ledger.Resources(ev.Identity) {
			if r.Storage == 0 {
				continue // it needs no key
			}
			how := ev.Keys.Storages[r.Storage]
			if how.Provider == envelope.Unknown {
				continue
			}
			u := b.useOf(how)
			n := u.namespace(r.Resource, r.Namespace)
			u.History += r.Reachable
			n.History += r.Reachable
			u.Residue += r.Residue
			n.Residue += r.Residue
			u.WAL += r.Wal
			n.WAL += r.Wal
			u.date(r.First)
			u.date(r.Last)
		}
		for id, facts := range ev.Ledger.Kms {
			b.useOf(ev.Keys.Storages[id]).kms(facts)
		}
		if p == nil {
			continue
		}
		for id, t := range p.Rows[ev] {
			u := b.useOf(ev.Keys.Storages[id])
			u.proven += t.Proven
			u.failed += t.Failed
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
func (u *keyUse) kms(facts *seen.KmsFacts) {
	u.DEKs = max(u.DEKs, len(facts.Deks))
	u.MoreDEKs = u.MoreDEKs || facts.More
	for t := range facts.Sources {
		u.DEKTypes = append(u.DEKTypes, report.Text(t.String()))
	}
	u.Annotations = append(u.Annotations, facts.Names()...)
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
func (b *Judge) sortedUses() []*keyUse {
	return slices.SortedFunc(maps.Values(b.uses), func(x, y *keyUse) int {
		return cmp.Or(cmp.Compare(x.id.Provider, y.id.Provider), cmp.Compare(x.id.KeyName, y.id.KeyName), cmp.Compare(x.id.KmsKeyID, y.id.KmsKeyID))
	})
}

// addKeys makes what `keys` tells.
func (b *Judge) addKeys() {
	if !b.question.Keys {
		return
	}
	b.result.Keys = []report.KeyUse{}
	for _, u := range b.sortedUses() {
		slices.SortFunc(u.Namespaces, func(x, y report.NamespaceUse) int {
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace))
		})
		u.Namespaces = slices.DeleteFunc(u.Namespaces, func(n report.NamespaceUse) bool { return n.Newest+n.History+n.Residue+n.WAL == 0 })
		u.Proof, u.Config = u.proof(), b.configOf(u.id)
		b.result.Keys = append(b.result.Keys, u.KeyUse)
	}
	b.retire()
}

// configOf is what the configuration does with a key.
func (b *Judge) configOf(id seen.UseID) report.ConfigUse {
	config := b.question.Encryption
	if config == nil {
		return ""
	}
	is := report.ConfigAbsent
	for _, entry := range config.Entries() {
		k := entry.Named(id.Provider, id.KeyName)
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
