package report

import (
	"cmp"
	"slices"
)

// State is whether the object still exists, as far as the evidence tells.
type State string

// An object found without a tree around it has StateUnknown.
const (
	StateLive    State = "live"
	StateDeleted State = "deleted"
	StateUnknown State = "unknown"
)

// States lists all of them.
func States() []State { return []State{StateLive, StateDeleted, StateUnknown} }

// An Exposure is an object in scope that has at least one plaintext copy.
type Exposure struct {
	Resource  Text      `json:"resource"`
	Namespace Text      `json:"namespace"`
	Name      Text      `json:"name"`
	Key       Text      `json:"key"`
	Cluster   ClusterID `json:"cluster"`
	// LogicalCluster is that of kcp, such as "root": another may have an object of that name.
	LogicalCluster Text `json:"logicalCluster,omitempty"`

	Status   Status  `json:"status"`
	State    State   `json:"state"`
	Type     Text    `json:"type"`     // of a Secret, such as "Opaque"
	DataKeys []Text  `json:"dataKeys"` // of a Secret; the names, never the values
	Current  Current `json:"current"`
	// Validity says of a Secret whether its exposed data is still in use.
	Validity *Validity `json:"validity,omitempty"`
	// Copies are by revision, then by where they lie. There is at least one.
	Copies []*Copy `json:"copies"`
	// AlsoIn are the keys of objects of other resources that hold bytes of these copies, too: a
	// piece that fits both counts for this object.
	AlsoIn []Text `json:"alsoIn,omitempty"`
}

// Current is the newest value of a key. It is empty for a deleted key, or one that no tree has.
type Current struct {
	Provider    Provider `json:"provider,omitempty"`
	KeyName     Text     `json:"keyName,omitempty"`
	ModRevision int64    `json:"modRevision,omitempty"`
	// WALIndex is set if the newest write is in the WAL alone: the db does not have it yet,
	// because etcd was killed or is running.
	WALIndex uint64 `json:"walIndex,omitempty"`
}

// A Copy is one place that holds one plaintext value. Offset and Length, in bytes, are where
// the value lies in the file. An unknown revision or version is 0, and so is WALIndex outside
// of the WAL.
type Copy struct {
	Path           Text   `json:"path"`
	Region         Region `json:"region"`
	Offset         int64  `json:"offset"`
	Length         int64  `json:"length"`
	Page           Page   `json:"page,omitzero"`
	ModRevision    int64  `json:"modRevision,omitempty"`
	CreateRevision int64  `json:"createRevision,omitempty"`
	Version        int64  `json:"version,omitempty"`
	WALIndex       uint64 `json:"walIndex,omitempty"`
	Complete       bool   `json:"complete"`
	Escaped        bool   `json:"escaped,omitempty"` // the bytes are the contents of a string of JSON
	// Carrier is the key of the object whose value holds this one, such as a ConfigMap with the
	// manifest of a Secret. The revision is that of its value then. Empty if no other object holds it.
	Carrier Text `json:"carrier,omitempty"`
}

// Use says whether exposed data is still in use.
type Use string

// The uses, from the one to worry about most. Rotate Unchanged now. Gone was deleted, which
// does not make it invalid elsewhere.
const (
	Unchanged  Use = "unchanged"
	UseUnknown Use = "unknown" // the current value does not decrypt, or the old one is no longer whole
	Changed    Use = "changed"
	Gone       Use = "gone"
)

// Validity compares the exposed copies of a Secret with its current value. Status is the
// gravest of the data; it holds no values, and no hashes of any.
type Validity struct {
	Status   Use        `json:"status"`
	DataKeys []DatumUse `json:"dataKeys"`
}

// A DatumUse is whether one datum of an exposed Secret is still in use.
type DatumUse struct {
	Name   Text `json:"name"`
	Status Use  `json:"status"`
}

// Uses lists all of them, the gravest first.
func Uses() []Use { return slices.Clone(useOrder) }

// useOrder is the order of gravity.
var useOrder = []Use{Unchanged, UseUnknown, Changed, Gone}

func (u Use) Compare(o Use) int {
	return cmp.Compare(slices.Index(useOrder, u), slices.Index(useOrder, o))
}
