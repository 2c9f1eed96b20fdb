package analyzer

import (
	"slices"

	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
)

// SchemaVersion is the version of the JSON form of a Report. Its minor part goes
// up when fields are added, its major part when one changes or goes.
const SchemaVersion = "1.0"

// A Report is all that a run found. It holds no byte of a Secret's value. Lists
// are never nil and in a stable order; equal evidence gives equal reports.
type Report struct {
	SchemaVersion string           `json:"schemaVersion"`
	Tool          Tool             `json:"tool"`
	Verdict       Verdict          `json:"verdict"`
	Evidence      []Evidence       `json:"evidence"`
	Coverage      Coverage         `json:"coverage"`
	Inventory     []ResourceCount  `json:"inventory"`
	Namespaces    []NamespaceCount `json:"namespaces"`
	Exposures     []Exposure       `json:"exposures"`
	Findings      []Finding        `json:"findings"`

	// Scope is what the verdict is about, as the user named it, with how many
	// keys of each resource there are.
	Scope []ScopeCount `json:"scope"`

	// Keys and Retire are what `keys` tells; nil unless Options ask for them.
	Keys   []KeyUse     `json:"-"`
	Retire []Retirement `json:"-"`

	// History is of Options.Key; nil without one.
	History *History `json:"-"`
}

// Tool says which program made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Status is the answer on one key, or on all of the evidence.
type Status string

// The statuses of a key are the first four; a verdict is StatusPlaintext,
// StatusExposed, StatusIncomplete, StatusUnattributed, StatusEmpty or StatusClean.
const (
	StatusPlaintext  Status = "plaintext"  // the newest revision is not encrypted
	StatusExposed    Status = "exposed"    // it is, but a plaintext copy was seen
	StatusEncrypted  Status = "encrypted"  // no plaintext copy in anything read
	StatusUnreadable Status = "unreadable" // an unknown or broken envelope
	StatusIncomplete Status = "incomplete" // nothing readable was seen, but not everything was looked at
	StatusClean      Status = "clean"      // nothing readable in any byte of the evidence
	StatusEmpty      Status = "empty"      // every byte was read, and nothing is there that the verdict could be about
	// StatusUnattributed stands between the two: every byte was read, nothing readable
	// is known to be an object's in scope, and some bytes that belong to nothing known
	// look like text.
	StatusUnattributed Status = "unattributed"
)

// A Verdict is the answer in one line. Status is never StatusClean unless
// Complete is true.
type Verdict struct {
	Status     Status `json:"status"`
	Complete   bool   `json:"complete"`
	ExitStatus int    `json:"exitStatus"`
}

// Kind is what a file of evidence is.
type Kind string

// The kinds of evidence.
const (
	KindSnapshot Kind = "snapshot" // a bbolt file with its SHA-256 behind it
	KindDB       Kind = "db"       // a bare bbolt file
	KindWAL      Kind = "wal"      // a WAL segment
	KindOther    Kind = "other"    // searched for objects and envelopes, whatever it is
)

// SnapshotHash is what the 32 bytes behind a snapshot say.
type SnapshotHash string

// A bare db has no hash; a snapshot's is right or not, or can not be compared as
// the disk did not give every byte.
const (
	HashValid      SnapshotHash = "valid"
	HashMismatch   SnapshotHash = "mismatch"
	HashAbsent     SnapshotHash = "absent"
	HashUnverified SnapshotHash = "unverified"
)

// Evidence is a file that was examined. Revisions are etcd's main revisions, the
// consistent index a raft index, sizes bytes. SHA256 is in hexadecimal, and empty
// where not every byte could be read.
type Evidence struct {
	Path            Text         `json:"path"`
	Kind            Kind         `json:"kind"`
	Size            int64        `json:"size"`
	SHA256          string       `json:"sha256"`
	SnapshotHash    SnapshotHash `json:"snapshotHash"`
	PageSize        int          `json:"pageSize"`
	Pages           uint64       `json:"pages"`     // up to the high water mark
	FreePages       uint64       `json:"freePages"` // of them, those that the newest tree does not reach
	TxID            uint64       `json:"txid"`
	Revision        int64        `json:"revision"`
	CompactRevision int64        `json:"compactRevision"`
	ConsistentIndex uint64       `json:"consistentIndex"`
	StorageVersion  Text         `json:"storageVersion"`
	Changed         string       `json:"changed,omitempty"` // how the file changed while it was read
	Live            bool         `json:"live,omitempty"`    // a process holds a write lock on the file, as a running etcd does
	What            string       `json:"what,omitempty"`    // of a file that etcd left behind, what it is
	WAL             *WALFacts    `json:"wal,omitempty"`     // of a WAL segment

	// SecondWitness is what another program says of the db; nil unless it was asked.
	SecondWitness *SecondWitness `json:"secondWitness,omitempty"`

	Lock    string   `json:"-"` // who holds the lock; not part of the evidence
	Details *Details `json:"-"` // what `info` tells beyond this; never nil
}

// WALFacts is what a WAL segment holds. IDs are in hexadecimal, as etcdctl prints
// them, and empty where the segment does not tell; indexes are 0 without an entry.
type WALFacts struct {
	NodeID       string `json:"nodeID"`
	ClusterID    string `json:"clusterID"`
	Sequence     uint64 `json:"sequence"`
	Entries      int    `json:"entries"`
	FirstIndex   uint64 `json:"firstIndex"`
	LastIndex    uint64 `json:"lastIndex"`
	Commit       uint64 `json:"commit"`       // the highest that a hard state in the segment says is committed
	Preallocated int64  `json:"preallocated"` // bytes of zeros at the end
	Torn         int64  `json:"torn"`         // bytes of a last frame that was not written whole
	Gaps         int    `json:"gaps"`         // stretches that are no frames
}

// Details are facts on a db that matter to few readers.
type Details struct {
	ByteOrder string          `json:"byteOrder"`
	Metas     []MetaDetails   `json:"metas"`
	Buckets   []BucketDetails `json:"buckets"`
	Prefixes  []Text          `json:"prefixes"` // of Kubernetes' keys
	LiveKeys  int             `json:"liveKeys"`
	// UnknownKeys is those that a broken tree does not have, found on other pages.
	UnknownKeys int        `json:"unknownKeys,omitempty"`
	Etcd        mvcc.State `json:"-"`
}

// MetaDetails is one of the two metas.
type MetaDetails struct {
	Page      int    `json:"page"`
	TxID      uint64 `json:"txid"`
	Root      uint64 `json:"root"`
	HighWater uint64 `json:"highWaterMark"`
	Valid     bool   `json:"valid"`
	Newest    bool   `json:"newest"`
	// UsedInstead says that the tree of the newest meta is broken, and that what was
	// read is the tree of this one.
	UsedInstead bool `json:"usedInstead,omitempty"`
}

// BucketDetails is a bucket, how many pages it has, and how many keys.
type BucketDetails struct {
	Name  Text   `json:"name"`
	Keys  int    `json:"keys"`
	Pages uint64 `json:"pages"`
}

// Coverage is what was read, and what was not.
type Coverage struct {
	Bytes        int64    `json:"bytes"`
	BytesRead    int64    `json:"bytesRead"`
	Pages        uint64   `json:"pages"`
	Records      int      `json:"records"` // in the bucket "key" of the newest trees
	WALEntries   int      `json:"walEntries"`
	Damage       []Damage `json:"damage"`
	DamageMore   int      `json:"damageMore"` // how many more there were than the list holds
	Unattributed []Extent `json:"unattributed"`
	// UnattributedMore is how many more extents there were than the list holds.
	UnattributedMore int           `json:"unattributedMore"`
	Residue          ResidueCounts `json:"residue"`
	NotExamined      []NotExamined `json:"notExamined"`
}

// ResidueCounts is what lies outside of the newest trees. Bytes are those that are
// not zero pages.
type ResidueCounts struct {
	Bytes     int64 `json:"bytes"`     // on pages that no newest tree reaches, and in slack
	Records   int   `json:"records"`   // whole records among them
	Rereads   int   `json:"rereads"`   // copies of watched keys that the tree has too, at the same revision
	Fragments int   `json:"fragments"` // values and pieces of them without a whole record around them
	Random    int64 `json:"random"`    // bytes that look like ciphertext and belong to no known value
	Other     int64 `json:"other"`     // bytes of values of keys that the verdict is not about
}

// Damage is a place where the bytes break their format, or could not be read.
type Damage struct {
	Path   Text   `json:"path"`
	Offset int64  `json:"offset"`
	Page   uint64 `json:"page"`
	What   string `json:"what"`
}

// An Extent is a run of bytes that belongs to no record.
type Extent struct {
	Path      Text   `json:"path"`
	Offset    int64  `json:"offset"`
	Length    int64  `json:"length"`
	LooksLike string `json:"looksLike"` // "text", "mixed" or "random"
}

// NotExamined is something that could hold values and was not looked at.
type NotExamined struct {
	Path Text   `json:"path,omitempty"` // empty where it is true of all evidence
	What string `json:"what"`           // why
	// Unread says that it was asked for and could not be read, so that the exit status is
	// ExitIncomplete. Without it, it was left out: by a flag, or because it is nothing of
	// etcd's.
	Unread bool `json:"unread,omitempty"`
	// Gone says that it went away while the evidence was looked through: a change.
	Gone bool `json:"-"`
}

// Unread reports whether something that was asked for could not be read, whole or at all.
func (c *Coverage) Unread() bool {
	return len(c.Damage) > 0 || c.BytesRead < c.Bytes || slices.ContainsFunc(c.NotExamined, func(n NotExamined) bool { return n.Unread })
}

// ScopeCount is a resource that the verdict is about.
type ScopeCount struct {
	Resource   Text `json:"resource"`
	Keys       int  `json:"keys"`
	Readable   int  `json:"readable"` // keys of which a plaintext copy was seen
	Unreadable int  `json:"unreadable"`
	// Configured says that the user did not name it: the configuration encrypts it.
	Configured bool `json:"configured,omitempty"`
}

// ResourceCount is the live keys of one resource, by the provider of their newest
// value. Resource is empty for keys that are not Kubernetes'.
type ResourceCount struct {
	Resource  Text           `json:"resource"`
	Keys      int            `json:"keys"`
	Providers map[string]int `json:"providers"`
}

// NamespaceCount is the keys in scope of one namespace by status. Namespace is
// empty for cluster-scoped objects.
type NamespaceCount struct {
	Namespace  Text `json:"namespace"`
	Plaintext  int  `json:"plaintext"`
	Exposed    int  `json:"exposed"`
	Encrypted  int  `json:"encrypted"`
	Unreadable int  `json:"unreadable"`
}

// State is whether the object still exists, as far as the evidence tells.
type State string

// An object found without a tree around it has StateUnknown.
const (
	StateLive    State = "live"
	StateDeleted State = "deleted"
	StateUnknown State = "unknown"
)

// An Exposure is an object in scope of which at least one plaintext copy was seen.
type Exposure struct {
	Resource  Text    `json:"resource"`
	Namespace Text    `json:"namespace"`
	Name      Text    `json:"name"`
	Key       Text    `json:"key"`
	Status    Status  `json:"status"`
	State     State   `json:"state"`
	Type      Text    `json:"type"`     // of a Secret, such as "Opaque"
	DataKeys  []Text  `json:"dataKeys"` // of a Secret; the names, never the values
	Current   Current `json:"current"`
	// Validity says whether what was exposed is still in use; of a Secret.
	Validity *Validity `json:"validity,omitempty"`
	Copies   Copies    `json:"copies"`
}

// Current is the newest value of a key.
type Current struct {
	Provider    string `json:"provider"`
	KeyName     Text   `json:"keyName"`
	ModRevision int64  `json:"modRevision"`
	// WALIndex is set where the newest write is in the WAL alone: the db does not
	// have it yet, as etcd was killed or is running.
	WALIndex *uint64 `json:"walIndex,omitempty"`
}

// A Copy is one place where one plaintext value was seen. Offset and Length are
// those of the value's bytes in the file.
type Copy struct {
	Path           Text    `json:"path"`
	Region         Region  `json:"region"`
	Offset         int64   `json:"offset"`
	Length         int64   `json:"length"`
	Page           *uint64 `json:"page,omitempty"`
	ModRevision    int64   `json:"modRevision"`
	CreateRevision int64   `json:"createRevision"`
	Version        int64   `json:"version"`
	WALIndex       *uint64 `json:"walIndex,omitempty"`
	Complete       bool    `json:"complete"`
}

// A Finding is a rule and where it applies. Key or Path is empty where the rule
// is about no key or no one file.
type Finding struct {
	Rule      RuleID   `json:"rule"`
	Severity  Severity `json:"severity"`
	Resource  Text     `json:"resource"`
	Namespace Text     `json:"namespace"`
	Name      Text     `json:"name"`
	Key       Text     `json:"key,omitempty"`
	Path      Text     `json:"path,omitempty"`
	Message   string   `json:"message"`
}

// A Value is the newest value of a key that is live, or of which nobody knows. Size is
// that of the stored value in bytes.
type Value struct {
	Path           Text   `json:"path,omitempty"` // set where a run has several pieces of evidence
	Key            Text   `json:"key"`
	State          State  `json:"state,omitempty"` // StateUnknown of what was found without a tree; else empty
	Resource       Text   `json:"resource"`
	Namespace      Text   `json:"namespace"`
	Name           Text   `json:"name"`
	Provider       string `json:"provider"`
	KeyName        Text   `json:"keyName"`
	KMSKeyID       Text   `json:"kmsKeyID,omitempty"`
	Encoding       string `json:"encoding"`
	Proof          Proof  `json:"proof,omitempty"`  // of an encrypted value, with a configuration
	Policy         string `json:"policy,omitempty"` // what the configuration says of the value: "current", or the rule that it breaks
	Size           int    `json:"size"`
	CreateRevision int64  `json:"createRevision"`
	ModRevision    int64  `json:"modRevision"`
	Version        int64  `json:"version"`
}

// Is reports whether the value is of that resource.
func (v Value) Is(r object.GroupResource) bool { return v.Resource == Text(r.String()) }
