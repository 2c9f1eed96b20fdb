package report

import (
	"slices"
)

// A HistoryReport is the answer of `history`: every copy of one key.
type HistoryReport struct {
	Examined
	History `json:"history"`
}

// A History is all copies of one key, the oldest write first.
type History struct {
	Key       Text `json:"key"`
	Resource  Text `json:"resource"`
	Namespace Text `json:"namespace"`
	Name      Text `json:"name"`
	// LogicalCluster is that of kcp, such as "root".
	LogicalCluster Text `json:"logicalCluster,omitempty"`

	State  State        `json:"state"`
	Copies []Occurrence `json:"copies"`
	// Similar is keys that the user may have meant; only if Copies is empty.
	Similar []Text `json:"similar"`
	// AlsoIn are the keys of objects of other resources that hold bytes of pieces among the copies, too.
	AlsoIn []Text `json:"alsoIn,omitempty"`
}

// An Occurrence is one place that holds one write of a key: a value, or the deletion of the
// key. Its place is as in Copy. Revisions are 0 if nothing tells them: a raft entry has its
// index alone once the db has no copy of it.
type Occurrence struct {
	Copy
	Deletion bool     `json:"deletion"`
	Provider Provider `json:"provider,omitempty"` // empty for a deletion
	KeyName  Text     `json:"keyName,omitempty"`
	KMSKeyID Text     `json:"kmsKeyID,omitempty"`
	Encoding Encoding `json:"encoding,omitempty"`
	Proof    Proof    `json:"proof,omitempty"` // of an encrypted value, with a configuration
	WALTerm  uint64   `json:"walTerm,omitempty"`
	// Applied says that the db has applied a raft entry; Committed that the log says it is
	// committed, or the db has it; Refused that it never took effect: another entry took its
	// place in the log, or the condition of its transaction did not hold.
	Applied   bool `json:"applied"`
	Committed bool `json:"committed"`
	Refused   bool `json:"refused"`
	// Reread says that this is another copy of a reachable record, with the same revision.
	Reread bool `json:"reread"`
}

// Plaintext reports whether the value is stored unencrypted.
func (o Occurrence) Plaintext() bool { return !o.Deletion && o.Provider == ProviderIdentity }

// LastPlaintext is the newest plaintext copy, nil without one.
func (h *History) LastPlaintext() *Occurrence {
	for i := range slices.Backward(h.Copies) {
		if h.Copies[i].Plaintext() {
			return &h.Copies[i]
		}
	}
	return nil
}
