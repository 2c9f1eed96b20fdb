package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A keyUse is a KeyUse in the making: New counts the newest values, and Report the others.
type keyUse struct {
	report.KeyUse
	id             seen.KeyID
	names          []string                 // that the key may have, if NameMayGoOn; else nil
	places         map[placeID]int          // index in Namespaces
	newFailed      int                      // newest values that did not open as they should
	newestIn       map[report.ClusterID]int // newest values in each cluster; New
	proven, failed int                      // of all values; set by Report
}

// A placeID tells the NamespaceUses of a key apart.
type placeID struct {
	resource  resource.GroupResource
	namespace string
}

// useOf finds the use of the key that values stored like that need, or adds one.
func (j *Judge) useOf(how seen.Storage) *keyUse {
	id := how.KeyID()
	u := j.uses[id]
	if u == nil {
		u = &keyUse{id: id, places: map[placeID]int{}, newestIn: map[report.ClusterID]int{}, KeyUse: report.KeyUse{
			Provider: seen.Storage{Provider: id.Provider}.Reported(), KeyName: report.Text(id.KeyName), KMSKeyID: report.Text(id.KMSKeyID),
			Resources: map[string]int{}, Namespaces: []report.NamespaceUse{},
		}}
		j.uses[id] = u
	}
	if how.Unsure {
		u.NameMayGoOn, u.names = true, how.Names
	}
	return u
}

// namespace finds the count of the values of a resource in a namespace, or adds one. It is valid
// until the next call.
func (u *keyUse) namespace(r resource.GroupResource, namespace string) *report.NamespaceUse {
	id := placeID{r, namespace}
	i, known := u.places[id]
	if !known {
		i = len(u.Namespaces)
		u.places[id] = i
		u.Namespaces = append(u.Namespaces, report.NamespaceUse{Resource: report.Text(r.String()), Namespace: report.Text(namespace)})
	}
	return &u.Namespaces[i]
}

// addUse counts the value of e, which ev has. newest says that it is the newest of a live key.
func (j *Judge) addUse(ev *seen.Evidence, e *seen.Entry, id resource.Identity, newest bool) {
	how := ev.Keys.Storages[e.Storage]
	needed := how
	if key := e.Proved().Key; key != nil {
		// The bytes behind the name may look like more of it, but this is the key that opens the
		// value.
		needed.KeyName, needed.Unsure = key.Name, false
	}
	tied := !e.Deleted && j.clusters.Disagrees(ev, e)
	j.addStraggler(ev, e, needed, newest || tied)
	if j.question.Keys && (newest || j.clusters.HoldsSame(ev, e)) {
		j.uncountTree(ev, e)
	}
	if e.Deleted || how.Provider == envelope.Identity {
		return
	}
	if (newest || tied) && (how.Provider == envelope.Unknown || how.Lost) {
		j.unknown++
	}
	if how.Provider == envelope.Unknown {
		return
	}
	if newest {
		j.countOutcome(ev, e, j.useOf(needed))
	}
	if !j.question.Keys {
		return
	}
	j.useOf(how) // it is listed though only its history may count
	if !newest {
		return
	}
	u := j.useOf(needed)
	u.namespace(id.GroupResource, id.Namespace).Newest++
	u.Resources[report.Text(id.GroupResource.String()).ValidUTF8()]++
}

// uncountTree takes the record of e that the tree has out of the history, because e is a newest
// value or the same write as one: the ledger counts every encrypted record of the tree. A value
// that was salvaged has none there. It goes where the ledger has counted the record, which is by
// the dir of the key.
func (j *Judge) uncountTree(ev *seen.Evidence, e *seen.Entry) {
	how := ev.Keys.Storages[e.Tree]
	if e.Tree == 0 || how.Provider == envelope.Identity || how.Provider == envelope.Unknown {
		return
	}
	u, id := j.useOf(how), ev.Identity(ev.Ledger.SampleOf(e.Key))
	u.History--
	u.namespace(id.GroupResource, id.Namespace).History--
}

// countOutcome counts a newest value that needs the key of u, and what came of opening it.
func (j *Judge) countOutcome(ev *seen.Evidence, e *seen.Entry, u *keyUse) {
	u.Newest++
	u.newestIn[j.clusters.Of(ev, e.Key)]++
	switch e.Proved().Outcome {
	case seen.Proven:
		u.Opened++
	case seen.Closed, seen.NotObject:
		u.newFailed++
		if j.isNotOpened(ev, e) {
			u.NotOpened++
		}
	}
}

// isNotOpened reports whether the configuration has a key of the name in a newest value which does
// not open it, not even with the path of another object. It says no of a KMS, which chooses among
// keys of its own.
func (j *Judge) isNotOpened(ev *seen.Evidence, e *seen.Entry) bool {
	return !ev.Keys.Storages[e.Storage].Provider.IsKMS() && e.Proved().Outcome == seen.Closed && !j.moved[movedKey{ev, e.Key}]
}

// addLedgers adds to the uses what the ledgers counted, and what came of opening those values.
// proofs is nil if none was decrypted.
func (j *Judge) addLedgers(evs []*seen.Evidence, proofs *keys.Proofs) {
	if !j.question.Keys {
		return
	}
	for _, ev := range evs {
		j.logAlone = j.logAlone || ev.File == nil && ev.Segments[0].What == ""
		ev.Ledger.Settle()
		for _, r := range ev.Ledger.Resources(ev.Identity) {
			if r.Storage == 0 {
				continue // it needs no key
			}
			how := ev.Keys.Storages[r.Storage]
			if how.Provider == envelope.Unknown {
				continue
			}
			u := j.useOf(how)
			n := u.namespace(r.Resource, r.Namespace)
			u.History += r.Reachable
			n.History += r.Reachable
			u.Residue += r.Residue
			n.Residue += r.Residue
			u.WAL += r.WAL
			n.WAL += r.WAL
			u.addRevision(r.First)
			u.addRevision(r.Last)
		}
		for id, facts := range ev.Ledger.KMS {
			j.useOf(ev.Keys.Storages[id]).addKMS(facts)
		}
		if proofs == nil {
			continue
		}
		for id, t := range proofs.Rows[ev] {
			u := j.useOf(ev.Keys.Storages[id])
			u.proven += t.Proven
			u.failed += t.Failed
		}
	}
}

// addRevision takes the revision of a value; 0 stands for none.
func (u *keyUse) addRevision(rev int64) {
	if rev > 0 && (u.FirstRevision == 0 || rev < u.FirstRevision) {
		u.FirstRevision = rev
	}
	u.LastRevision = max(u.LastRevision, rev)
}

// addKMS takes the facts of one evidence. Two may have the same data encryption keys, and nobody
// knows by now which they are: the greater number of them counts, not the sum.
func (u *keyUse) addKMS(facts *seen.KMSFacts) {
	u.DEKs = max(u.DEKs, len(facts.DEKs))
	u.MoreDEKs = u.MoreDEKs || facts.More
	for t := range facts.Sources {
		u.DEKTypes = append(u.DEKTypes, report.Text(t.String()))
	}
	u.Annotations = append(u.Annotations, facts.Names()...)
	slices.Sort(u.DEKTypes)
	slices.Sort(u.Annotations)
	u.DEKTypes, u.Annotations = slices.Compact(u.DEKTypes), slices.Compact(u.Annotations)
}

// proof is what came of opening the newest values, or if there are none, the others.
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

// sortedUses lists all uses, in a stable order.
func (j *Judge) sortedUses() []*keyUse {
	return slices.SortedFunc(maps.Values(j.uses), func(x, y *keyUse) int {
		return cmp.Or(cmp.Compare(x.id.Provider, y.id.Provider), cmp.Compare(x.id.KeyName, y.id.KeyName), cmp.Compare(x.id.KMSKeyID, y.id.KMSKeyID))
	})
}

// listKeys lists the keys that values need.
func (j *Judge) listKeys() []report.KeyUse {
	list := []report.KeyUse{}
	for _, u := range j.sortedUses() {
		slices.SortFunc(u.Namespaces, func(x, y report.NamespaceUse) int {
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace))
		})
		u.Namespaces = slices.DeleteFunc(u.Namespaces, func(n report.NamespaceUse) bool { return n.Newest+n.History+n.Residue+n.WAL == 0 })
		u.Proof, u.Config = u.proof(), j.configOf(u.id)
		list = append(list, u.KeyUse)
	}
	return list
}

// configOf is what the configuration does with a key; empty without a configuration.
func (j *Judge) configOf(id seen.KeyID) report.ConfigUse {
	config := j.question.Encryption
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
