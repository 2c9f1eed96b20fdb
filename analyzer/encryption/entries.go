package encryption

import (
	"slices"

	"github.com/etcdsift/etcdsift/decode/envelope"
)

// Entries are what the API servers of a cluster say of one resource, in the order of the files;
// empty if no file covers it.
type Entries []*Entry

// Encrypts reports whether any of them encrypts the values that it writes.
func (es Entries) Encrypts() bool { return slices.ContainsFunc(es, (*Entry).Encrypts) }

// Match returns the keys that may have written the value, by its prefix, each once and in the
// order in which the API servers try them. Several fit if they share a name, or if one name is
// another with a colon and more behind it.
func (es Entries) Match(value []byte) []*Key {
	var found []*Key
	for _, e := range es {
		for _, k := range match(e.Keys, value) {
			if !slices.Contains(found, k) {
				found = append(found, k)
			}
		}
	}
	return found
}

// Named is the first key of that provider and name, nil if there is none.
func (es Entries) Named(provider envelope.Provider, name string) *Key {
	for _, e := range es {
		if k := e.Named(provider, name); k != nil {
			return k
		}
	}
	return nil
}

// Policy is what the entries say of a value that k has written, and which entry says so. Any
// API server may have written the value last, so the entry with the least against it counts;
// for plaintext, the one that would encrypt it. k is nil if no key of theirs wrote the value;
// encrypted says that it is not plaintext. The returned entry is nil if there is no entry.
func (es Entries) Policy(k *Key, encrypted bool) (Policy, *Entry) {
	if len(es) == 0 {
		if encrypted {
			return NotConfigured, nil
		}
		return Current, nil
	}
	grave := func(e *Entry) int {
		p := e.policy(k, encrypted)
		if !encrypted {
			return -int(p)
		}
		return slices.Index([]Policy{Current, StaleKey, WrongProvider, UnknownKey}, p)
	}
	least := slices.MinFunc(es, func(a, b *Entry) int { return grave(a) - grave(b) })
	return least.policy(k, encrypted), least
}

// A Disagreement is a resource that two API servers would write in different ways.
type Disagreement struct {
	// One and Other are their entries, which may be wildcards that cover the resource.
	One, Other *Entry
	// Readable says that each reads what the other writes, as halfway through a rotation. If
	// not, one cannot read an object that the other has written.
	Readable bool
}

// Disagreements are the resources that two files would write in different ways, one for each
// such pair of entries. A file that does not cover a resource does not disagree: its API server
// may not serve it.
func (c *Config) Disagreements() []Disagreement {
	var all []Disagreement
	told := map[[2]*Entry]bool{}
	for _, named := range c.Entries() {
		es := c.For(named.Resource)
		for i, one := range es {
			for _, other := range es[i+1:] {
				pair := [2]*Entry{one, other}
				if told[pair] || sameWriter(one.Keys[0], other.Keys[0]) {
					continue
				}
				told[pair] = true
				all = append(all, Disagreement{one, other, reads(one, other.Keys[0]) && reads(other, one.Keys[0])})
			}
		}
	}
	return all
}

// sameWriter reports whether two keys write alike. Plugins of one name may have a different
// socket on each machine.
func sameWriter(a, b *Key) bool {
	return a == b || a.plugin != nil && b.plugin != nil && a.Provider == b.Provider && a.Name == b.Name
}

// reads reports whether the entry has a key.
func reads(e *Entry, k *Key) bool {
	return slices.ContainsFunc(e.Keys, func(have *Key) bool { return sameWriter(have, k) })
}
