package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Finding is a rule, the object that it is about, if any, and the places that break it.
// Message says all of it in a sentence, which JSON has, too.
type Finding struct {
	Rule      RuleID   `json:"rule"`
	Severity  Severity `json:"severity"`
	Resource  Text     `json:"resource"`
	Namespace Text     `json:"namespace"`
	Name      Text     `json:"name"`
	Key       Text     `json:"key,omitempty"`
	// Cluster is that of the object; 0 for a finding on a file or a configuration.
	Cluster ClusterID `json:"cluster,omitempty"`
	// At is the places, the one to look at first in front. It is empty if the finding is on a
	// configuration, or on a key and all that it encrypts.
	At []Location `json:"at"`
	// AtMore is how many more places there are than At lists.
	AtMore int `json:"atMore,omitempty"`
	// For plaintext-live and for a value that does not open, Superseded says that the newest
	// value of the key is another one.
	Superseded bool `json:"superseded,omitempty"`
	// Unknown says that nobody knows which value of the key is the newest: its state is StateUnknown.
	// Superseded is false then.
	Unknown bool `json:"unknown,omitempty"`
	// Detail is what the rule has to say beyond that, a part of Message.
	Detail string `json:"detail,omitempty"`
}

// MarshalJSON writes the fields and the message.
func (f Finding) MarshalJSON() ([]byte, error) {
	type fields Finding
	return json.Marshal(struct {
		fields
		Message string `json:"message"`
	}{fields(f), f.Message()})
}

// Path is the file of the first place, empty without a place.
func (f *Finding) Path() Text {
	if len(f.At) == 0 {
		return ""
	}
	return f.At[0].Path
}

// A Location is a place in the evidence: Length bytes at Offset of a file; Length is 0 if
// nobody can tell. Page is the page of a db that Offset lies on; ModRevision is that of a
// record, WALIndex that of a raft entry. Key is that of the object there, if it is not the
// finding's.
type Location struct {
	Path        Text   `json:"path"`
	Offset      int64  `json:"offset"`
	Length      int64  `json:"length,omitempty"`
	Page        Page   `json:"page,omitzero"`
	ModRevision int64  `json:"modRevision,omitempty"`
	WALIndex    uint64 `json:"walIndex,omitempty"`
	Key         Text   `json:"key,omitempty"`
}

// Severity orders findings by how soon somebody must act.
type Severity uint8

// The severities. SeverityNone is below every finding.
const (
	SeverityNone Severity = iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{"none", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severityNames[s] }

// SeverityNames is the names of all severities, the least first.
func SeverityNames() []string { return slices.Clone(severityNames[:]) }

// MarshalText writes the name, for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSeverity(string(b))
	return err
}

// ParseSeverity reads a name that String writes.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames {
		if n == name {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("severity %q: must be one of %s", name, strings.Join(severityNames[:], ", "))
}
