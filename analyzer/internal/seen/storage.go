package seen

import (
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// Possible is the names that a value stored like that may have, the shortest first.
func (s *Storage) Possible() []string {
	if s.Names == nil {
		return []string{s.KeyName}
	}
	return s.Names
}

// A StorageID is a way of storing values in keyspace.stored; 0 is none.
type StorageID uint32

// A Storage is how a value was stored. There are few different ones in a file, so
// an entry holds the ID of one.
type Storage struct {
	Provider envelope.Provider
	version  string
	KeyName  string // as a single value tells, until nameKeys has compared all
	KmsKeyID string
	Encoding envelope.Encoding

	// shortest is the name as a single value tells.
	Shortest string
	// names are those that a single value may have, the shortest first. nil if there is
	// just one.
	Names []string
	// lost says that not all of the name is kept, because it is too long or there are too many.
	Lost bool
	// unsure says that nobody can tell which of names it is; keyName is the shortest that
	// it can be then.
	Unsure bool
}

// Reported is the provider as it is reported.
func (s Storage) Reported() report.Provider { return report.Provider(s.Provider.String()) }

// MayHave reports whether a value that was stored like that may have a key of that name.
func (s *Storage) MayHave(name string) bool {
	return s.KeyName == name || s.Unsure && slices.Contains(s.Names, name)
}

// An UseID tells keys apart.
type UseID struct {
	Provider          envelope.Provider
	KeyName, KmsKeyID string
}

func (s Storage) Use() UseID { return UseID{s.Provider, s.KeyName, s.KmsKeyID} }

// Label is how a value was encrypted, such as "aescbc:key1".
func (s Storage) Label() string {
	if s.KmsKeyID != "" {
		return fmt.Sprintf("%s (key ID %q)", KeyLabel(s.Provider, s.KeyName), report.Text(s.KmsKeyID).ValidUTF8())
	}
	return KeyLabel(s.Provider, s.KeyName)
}

func KeyLabel(p envelope.Provider, name string) string {
	if name == "" {
		return p.String()
	}
	return p.String() + ":" + report.Text(name).ValidUTF8()
}
