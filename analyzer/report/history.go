package report

import (
	"slices"
)

// A HistoryReport is the answer of `history`: every copy of one key.
type HistoryReport struct {
	Examined
	History `json:"history"`
}

// A History is all that was seen of one key, the oldest write first.
type History struct {
	Key       Text         `json:"key"`
	Resource  Text         `json:"resource"`
	Namespace Text         `json:"namespace"`
	Name      Text         `json:"name"`
	State     State        `json:"state"`
	Copies    []Occurrence `json:"copies"`
	// Similar is keys that the user may have meant; only where Copies is empty.
	Similar []Text `json:"similar"`
}

// An Occurrence is one place where one write of a key was seen: a value, or the
// deletion of the key. Its place is that of Copy. Revisions are 0 where nothing
// tells them: a raft entry of which the db has no copy any more has its index alone.
type Occurrence struct {
	Copy
	Deletion bool     `json:"deletion"`
	Provider Provider `json:"provider,omitempty"` // empty for a deletion
	KeyName  Text     `json:"keyName,omitempty"`
	KMSKeyID Text     `json:"kmsKeyID,omitempty"`
	Encoding Encoding `json:"encoding,omitempty"`
	Proof    Proof    `json:"proof,omitempty"` // of an encrypted value, with a configuration
	WALTerm  uint64   `json:"walTerm,omitempty"`
	// Applied says of a raft entry that the db has seen it; Committed that the log says
	// so of it, or the db has it; Refused that it never took effect: another entry took
	// its place in the log, or the condition of its transaction did not hold.
	Applied   bool `json:"applied"`
	Committed bool `json:"committed"`
	Refused   bool `json:"refused"`
	// Reread says that a reachable record has the same revision: this is it once more.
	Reread bool `json:"reread"`
}

// Plaintext reports whether the value was stored as it was.
func (o Occurrence) Plaintext() bool { return !o.Deletion && o.Provider == ProviderIdentity }

// LastPlaintext is the newest plaintext copy, nil if there is none.
func (h *History) LastPlaintext() *Occurrence {
	for i := range slices.Backward(h.Copies) {
		if h.Copies[i].Plaintext() {
			return &h.Copies[i]
		}
	}
	return nil
}
