package analyzer

import (
	"cmp"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A KeyUse is a key of a provider, or a KMS key ID of one, and the values that need it.
// Newest, History, Residue and WAL count values: newest ones of live keys; others in the
// newest trees; distinct ones outside of them, of which the trees have no copy; and
// puts in WAL segments, whether the db has them or not. Several files count each.
type KeyUse struct {
	Provider string `json:"provider"`
	KeyName  Text   `json:"keyName"`
	KMSKeyID Text   `json:"kmsKeyID"`
	// NameMayGoOn says that KeyName is the shortest name that the key can have: what stands
	// behind its colon may be more of it, or not.
	NameMayGoOn bool `json:"nameMayGoOn,omitempty"`
	Newest      int  `json:"newest"`
	History     int  `json:"history"`
	Residue     int  `json:"residue"`
	WAL         int  `json:"wal"`
	// Resources counts the newest values of each; Namespaces all of them by namespace.
	Resources  map[string]int `json:"resources"`
	Namespaces []NamespaceUse `json:"namespaces"`
	// The lowest and highest revision of any of the values; 0 if none is known.
	FirstRevision int64 `json:"firstRevision"`
	LastRevision  int64 `json:"lastRevision"`
	// Proof is of the newest values; of the others where there are none. Without a
	// configuration it is unproven.
	Proof Proof `json:"proof"`
	// Opened and NotOpened count the newest values that a key of that name in the
	// configuration opens, and those that none does: another key has that name, too.
	Opened    int `json:"opened,omitempty"`
	NotOpened int `json:"notOpened,omitempty"`
	// Config is what the configuration does with the key: "writes", "reads" or "absent";
	// empty without one.
	Config string `json:"config,omitempty"`
	// Of KMS v2: how many data encryption keys (or seeds) there are, of which types, and
	// the names of the annotations.
	DEKs        int    `json:"deks,omitempty"`
	MoreDEKs    bool   `json:"moreDEKs,omitempty"` // there are more than were counted
	DEKTypes    []Text `json:"dekSourceTypes,omitempty"`
	Annotations []Text `json:"annotations,omitempty"`

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

// A NamespaceUse is the values of one resource in one namespace that need a key.
type NamespaceUse struct {
	Resource  Text `json:"resource"`
	Namespace Text `json:"namespace"`
	Newest    int  `json:"newest"`
	History   int  `json:"history"`
	Residue   int  `json:"residue"`
	WAL       int  `json:"wal"`
}

// A useID tells keys apart.
type useID struct {
	provider          envelope.Provider
	keyName, kmsKeyID string
}

func (s stored) use() useID { return useID{s.provider, s.keyName, s.kmsKeyID} }

func (b *builder) useOf(how stored) *KeyUse {
	id := how.use()
	u := b.uses[id]
	if u == nil {
		u = &KeyUse{Provider: id.provider.String(), KeyName: Text(id.keyName), KMSKeyID: Text(id.kmsKeyID),
			Resources: map[string]int{}, Namespaces: []NamespaceUse{}, id: id, places: map[useName]int{}}
		b.uses[id] = u
	}
	if how.unsure {
		u.NameMayGoOn, u.names = true, how.names
	}
	return u
}

// namespace is the place for the values of an object's resource and namespace.
func (u *KeyUse) namespace(r object.GroupResource, namespace string) *NamespaceUse {
	name := useName{r, namespace}
	i, known := u.places[name]
	if !known {
		i = len(u.Namespaces)
		u.places[name] = i
		u.Namespaces = append(u.Namespaces, NamespaceUse{Resource: Text(r.String()), Namespace: Text(namespace)})
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
	if !b.options.Keys {
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
	u.Resources[Text(id.GroupResource.String()).ValidUTF8()]++
}

// countOutcome counts a newest value that needs the key, and what came of opening it.
func (b *builder) countOutcome(s *survey, e *entry, u *KeyUse) {
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
	if !b.options.Keys {
		return
	}
	for _, s := range surveys {
		b.logAlone = b.logAlone || s.File == nil && s.segments[0].What == ""
		s.ledger.settle()
		for _, r := range s.ledger.resources() {
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

func (u *KeyUse) date(rev int64) {
	if rev > 0 && (u.FirstRevision == 0 || rev < u.FirstRevision) {
		u.FirstRevision = rev
	}
	u.LastRevision = max(u.LastRevision, rev)
}

// kms takes the facts of one file. Each file has its data encryption keys; those that
// two have are one, but which they are is not kept.
func (u *KeyUse) kms(facts *kmsFacts) {
	u.DEKs = max(u.DEKs, len(facts.deks))
	u.MoreDEKs = u.MoreDEKs || facts.more
	for t := range facts.sources {
		u.DEKTypes = append(u.DEKTypes, Text(t.String()))
	}
	u.Annotations = append(u.Annotations, facts.names()...)
	slices.Sort(u.DEKTypes)
	slices.Sort(u.Annotations)
	u.DEKTypes, u.Annotations = slices.Compact(u.DEKTypes), slices.Compact(u.Annotations)
}

// proof is what is known of all newest values, or where there are none of the others.
func (u *KeyUse) proof() Proof {
	bad, good := u.newFailed > 0, u.Opened == u.Newest
	if u.Newest == 0 {
		bad, good = u.failed > 0, u.proven > 0
	}
	switch {
	case bad:
		return Failed
	case good:
		return Proven
	}
	return Unproven
}

// sortedUses is all uses in a stable order.
func (b *builder) sortedUses() []*KeyUse {
	return slices.SortedFunc(maps.Values(b.uses), func(x, y *KeyUse) int {
		return cmp.Or(cmp.Compare(x.id.provider, y.id.provider), cmp.Compare(x.id.keyName, y.id.keyName), cmp.Compare(x.id.kmsKeyID, y.id.kmsKeyID))
	})
}

// addKeys makes what `keys` tells.
func (b *builder) addKeys() {
	if !b.options.Keys {
		return
	}
	b.report.Keys = []KeyUse{}
	for _, u := range b.sortedUses() {
		slices.SortFunc(u.Namespaces, func(x, y NamespaceUse) int {
			return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Namespace, y.Namespace))
		})
		u.Namespaces = slices.DeleteFunc(u.Namespaces, func(n NamespaceUse) bool { return n.Newest+n.History+n.Residue+n.WAL == 0 })
		u.Proof, u.Config = u.proof(), b.configOf(u.id)
		b.report.Keys = append(b.report.Keys, *u)
	}
	b.retire()
}

// configOf is what the configuration does with a key.
func (b *builder) configOf(id useID) string {
	config := b.options.Encryption
	if config == nil {
		return ""
	}
	is := "absent"
	for _, entry := range config.Entries() {
		k := entry.Named(id.provider, id.keyName)
		switch {
		case k == nil:
		case k == entry.Keys[0]:
			return "writes"
		default:
			is = "reads"
		}
	}
	return is
}
