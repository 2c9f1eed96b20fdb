// Package encryption reads an EncryptionConfiguration, and opens values with the
// keys in it.
//
// The configuration says for each resource which providers read its values, in order, and that
// the first one writes. Config.For finds the Entries of a resource as the API servers would,
// one of each file; Entries.Match tells by a value's prefix which of their keys may have
// written it; Entries.Policy tells what the next write would make of it. These need no key
// bytes. Only Key.Open proves anything: it decrypts with the API server's own transformers.
//
// A cluster may have several files: one for each API server of OpenShift, or one for each
// master, which ought to be equal. A value is readable if any of them reads it.
// Config.Disagreements tells where they would write one resource in different ways.
//
// Keys stay inside this package: no error and no String method shows one. Config.OpenKMS alone
// lets the package call a KMS plugin, through unix sockets and nothing else.
package encryption

import (
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/storage/value"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A Config is one or more EncryptionConfigurations that API servers would accept.
type Config struct {
	files   []*file
	keys    []*Key // of all files, each once
	plugins []*plugin
}

// A file is one EncryptionConfiguration.
type file struct {
	name    string // as the user gave it; empty where nobody did
	sum     string // see Sums
	entries map[resource.GroupResource]*Entry
	order   []*Entry // as the file has them
}

// An Entry is the providers of one resource, or of all that a wildcard stands for.
// Where a file names the same resource twice, the API server puts the providers of
// the second place behind those of the first, and so does Entry.
type Entry struct {
	// Resource is as the file has it, with "*" for a wildcard: {"apps", "*"},
	// {"*", "*"}, and {"", "*"} for the core group.
	Resource resource.GroupResource
	File     string // its name as the user gave it; empty where nobody did
	Line     int    // of the resource in the file, from 1; 0 if not known
	// Keys are those of all providers in order, never empty: the first one writes,
	// all of them read. The identity provider is a Key, too.
	Keys []*Key
}

// A Key is a key of a provider: its bytes, a KMS plugin, or for the identity provider
// nothing at all. Two Keys of one name may have different bytes.
type Key struct {
	Provider envelope.Provider
	Name     string // of the key, or of the KMS provider; empty for identity

	prefix string
	reader value.Read
	plugin *plugin
	secret string // tells equal keys; empty for identity and KMS
}

// anything stands for a group or a resource in a wildcard.
const anything = "*"

// For is the entry that each API server uses for a resource: that of its name, else that of all
// resources of its group, else that of all. A file may have no such entry: its API server
// stores values in plaintext and cannot read encrypted ones, or does not serve the resource.
// Entries is empty if no file has one, and for what no API server encrypts, whatever a file says.
//
// Source: transformerFromOverrides in pkg/server/options/encryptionconfig/config.go,
// k8s.io/apiserver v0.37.2.
func (c *Config) For(r resource.GroupResource) Entries {
	var found Entries
	if resource.IsInternal(r) {
		return nil
	}
	for _, f := range c.files {
		if e := f.entry(r); e != nil {
			found = append(found, e)
		}
	}
	return found
}

// entry is what the file says of a resource; nil if it says nothing.
func (f *file) entry(r resource.GroupResource) *Entry {
	for _, name := range []resource.GroupResource{r, {Group: r.Group, Resource: anything}, {Group: anything, Resource: anything}} {
		if e := f.entries[name]; e != nil {
			return e
		}
	}
	return nil
}

// Entries are all entries in the order of the files.
func (c *Config) Entries() []*Entry {
	var all []*Entry
	for _, f := range c.files {
		all = append(all, f.order...)
	}
	return all
}

// Files is how many files there are.
func (c *Config) Files() int { return len(c.files) }

// Sums tells the files apart without a word on their keys: for each the SHA-256, in hexadecimal, of
// its form in JSON as the API server's own types have it, with every key's secret empty.
func (c *Config) Sums() []string {
	sums := make([]string, len(c.files))
	for i, f := range c.files {
		sums[i] = f.sum
	}
	return sums
}

// Match returns the keys of all entries that may have written the value, by its prefix,
// whatever its resource is.
func (c *Config) Match(value []byte) []*Key { return match(c.keys, value) }

// Names are the providers and names of all keys, each once.
func (c *Config) Names() []envelope.Name {
	var names []envelope.Name
	for _, k := range c.keys {
		name := envelope.Name{Provider: k.Provider, Name: k.Name}
		if k.Provider != envelope.Identity && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Wildcard reports whether the entry is for more than one resource.
func (e *Entry) Wildcard() bool { return e.Resource.Resource == anything }

// String is the resource as an EncryptionConfiguration has it: "secrets", "*.apps",
// "*." for the core group.
func (e *Entry) String() string {
	if e.Wildcard() && e.Resource.Group == "" {
		return "*."
	}
	return e.Resource.String()
}

// Encrypts reports whether the API server encrypts values when it writes them.
func (e *Entry) Encrypts() bool { return e.Keys[0].Provider != envelope.Identity }

// In is the entry and its file, for a message: `"secrets" of enc.yaml`.
func (e *Entry) In() string {
	if e.File == "" {
		return fmt.Sprintf("%q", e)
	}
	return fmt.Sprintf("%q of %s", e, e.File)
}

// At is In and the line.
func (e *Entry) At() string {
	switch {
	case e.Line > 0 && e.File != "":
		return fmt.Sprintf("%q (line %d of %s)", e, e.Line, e.File)
	case e.Line > 0:
		return fmt.Sprintf("%q (line %d of the configuration)", e, e.Line)
	}
	return e.In()
}

func match(keys []*Key, value []byte) []*Key {
	var found []*Key
	encrypted := envelope.IsEncrypted(value)
	for _, k := range keys {
		if k.Provider == envelope.Identity && !encrypted || k.Provider != envelope.Identity && hasPrefix(value, k.prefix) {
			found = append(found, k)
		}
	}
	return found
}

func hasPrefix(value []byte, prefix string) bool {
	return len(value) >= len(prefix) && string(value[:len(prefix)]) == prefix
}

// A Policy is what the configuration says of a value.
type Policy uint8

// The policies. All but Current make the API server write the value anew when the
// object is written, even without a change.
const (
	Current       Policy = iota // the API server would write it as it is
	WrongProvider               // another type of provider writes
	StaleKey                    // the same type of provider writes, with another key
	NotEncrypted                // it is plaintext, and the next write encrypts it
	NotConfigured               // it is encrypted, and no entry covers the resource
	UnknownKey                  // it is encrypted, and the entry has no key of that name
)

func (p Policy) String() string {
	names := [...]string{"current", "wrong-provider", "stale-key", "plaintext", "not-configured", "unknown-key"}
	if int(p) < len(names) {
		return names[p]
	}
	return "unknown"
}

// policy is what the entry says of a value that k has written; k is nil if no key of the entry
// has. encrypted says that the value is not plaintext.
func (e *Entry) policy(k *Key, encrypted bool) Policy {
	switch {
	case !encrypted && e.Encrypts():
		return NotEncrypted
	case !encrypted:
		return Current
	case k == nil || !slices.Contains(e.Keys, k):
		return UnknownKey
	case k.Provider != e.Keys[0].Provider:
		return WrongProvider
	case k != e.Keys[0]:
		return StaleKey
	}
	return Current
}

// Named is the first key of the entry of that provider and name, nil if it has none.
func (e *Entry) Named(provider envelope.Provider, name string) *Key {
	for _, k := range e.Keys {
		if k.Provider == provider && k.Name == name {
			return k
		}
	}
	return nil
}
