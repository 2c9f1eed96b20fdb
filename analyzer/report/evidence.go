package report

import "fmt"

// Kind is what a file of evidence is.
type Kind string

// The kinds of evidence.
const (
	KindSnapshot Kind = "snapshot" // a bbolt file with its SHA-256 behind it
	KindDB       Kind = "db"       // a bare bbolt file
	KindWAL      Kind = "wal"      // a WAL segment
	KindOther    Kind = "other"    // any other, which the run searches for objects and envelopes
)

// Kinds lists all of them.
func Kinds() []Kind { return []Kind{KindSnapshot, KindDB, KindWAL, KindOther} }

// SnapshotHash is what the 32 bytes behind a snapshot say.
type SnapshotHash string

// A bare db has no hash; a snapshot's is right or wrong, or not comparable because the disk did
// not give every byte.
const (
	HashValid      SnapshotHash = "valid"
	HashMismatch   SnapshotHash = "mismatch"
	HashAbsent     SnapshotHash = "absent"
	HashUnverified SnapshotHash = "unverified"
)

// SnapshotHashes lists all of them.
func SnapshotHashes() []SnapshotHash {
	return []SnapshotHash{HashValid, HashMismatch, HashAbsent, HashUnverified}
}

// Evidence is a file that the run examined. Its size is in bytes. SHA256 is in hexadecimal, and
// empty if the run could not read every byte.
type Evidence struct {
	Path         Text         `json:"path"`
	Kind         Kind         `json:"kind"`
	Size         int64        `json:"size"`
	SHA256       string       `json:"sha256,omitempty"`
	SnapshotHash SnapshotHash `json:"snapshotHash"`
	// Base is the offset in the file at which the db begins, and Surroundings are what else the
	// file holds: text before or behind a snapshot that went through a shell.
	Base         int64         `json:"base,omitempty"`
	Surroundings []Surrounding `json:"surroundings,omitempty"`
	*DBFacts                   // nil for what is no db, or does not open as one
	Changed      string        `json:"changed,omitempty"` // how the file changed during the run
	Live         bool          `json:"live,omitempty"`    // a process holds a write lock on the file, as a running etcd does
	What         string        `json:"what,omitempty"`    // what a file is that etcd left behind
	WAL          *WALFacts     `json:"wal,omitempty"`     // of a WAL segment

	// PlaintextCopies is how many plaintext copies of objects in scope the file holds, for who
	// must wipe it; nil but in the answer of Scan.
	PlaintextCopies *int `json:"plaintextCopies,omitempty"`
	// SecondWitness is what another program says of the db; nil unless the run asked it.
	SecondWitness *SecondWitness `json:"secondWitness,omitempty"`

	Lock    string   `json:"-"` // who holds the lock; not part of the evidence
	Details *Details `json:"-"` // what `info` tells beyond this; nil if DBFacts is
}

// A Surrounding is bytes that stand in a file before a db or behind it, and are no part of it.
type Surrounding struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
	Text   bool  `json:"text"` // as a message of a program would be
}

// Around says what stands around the db of a file, in a clause for each: none of the bytes
// themselves, because they may be anything.
func (e Evidence) Around() []string {
	what := "db"
	if e.Kind == KindSnapshot {
		what = "snapshot"
	}
	var said []string
	for _, s := range e.Surroundings {
		bytes := fmt.Sprintf("%d bytes", s.Length)
		if s.Text {
			bytes += " of text"
		}
		where := "behind"
		if s.Offset < e.Base {
			where = "before"
		}
		said = append(said, fmt.Sprintf("%s stand %s the %s, at offset %#x", bytes, where, what, s.Offset))
	}
	return said
}

// DBFacts is what a db says of itself. Revisions are etcd's main revisions, ConsistentIndex is
// a raft index; 0 means that the db does not tell.
type DBFacts struct {
	PageSize        int    `json:"pageSize"`  // in bytes
	Pages           uint64 `json:"pages"`     // up to the high water mark
	FreePages       uint64 `json:"freePages"` // those that the newest tree does not reach
	TxID            uint64 `json:"txid,omitempty"`
	Revision        int64  `json:"revision,omitempty"`
	CompactRevision int64  `json:"compactRevision"` // 0 if etcd never compacted it
	ConsistentIndex uint64 `json:"consistentIndex,omitempty"`
	StorageVersion  Text   `json:"storageVersion,omitempty"` // of etcd 3.6 and later
}

// WALFacts is what a WAL segment holds. IDs are in hexadecimal, as etcdctl prints them, and
// empty if the segment does not tell; indexes are 0 without an entry.
type WALFacts struct {
	NodeID       string `json:"nodeID,omitempty"`
	ClusterID    string `json:"clusterID,omitempty"`
	Sequence     uint64 `json:"sequence"`
	Entries      int    `json:"entries"`
	FirstIndex   uint64 `json:"firstIndex,omitempty"`
	LastIndex    uint64 `json:"lastIndex,omitempty"`
	Commit       uint64 `json:"commit,omitempty"` // the highest that a hard state in the segment says is committed
	Preallocated int64  `json:"preallocated"`     // bytes of zeros at the end
	Torn         int64  `json:"torn"`             // bytes of an incomplete last frame
	Gaps         int    `json:"gaps"`             // stretches that hold no frames
}

// Details are facts on a db that matter to few readers.
type Details struct {
	ByteOrder string          `json:"byteOrder"`
	Metas     []MetaDetails   `json:"metas"`
	Buckets   []BucketDetails `json:"buckets"`
	Prefixes  []Text          `json:"prefixes"` // of Kubernetes' keys
	LiveKeys  int             `json:"liveKeys"`
	// UnknownKeys counts keys from other pages that a broken tree does not have.
	UnknownKeys int  `json:"unknownKeys,omitempty"`
	Etcd        Etcd `json:"etcd"`
}

// MetaDetails is one of the two metas.
type MetaDetails struct {
	Page      int    `json:"page"`
	TxID      uint64 `json:"txid"`
	Root      uint64 `json:"root"`
	HighWater uint64 `json:"highWaterMark"`
	Valid     bool   `json:"valid"`
	Newest    bool   `json:"newest"`
	// UsedInstead says that the tree of the newest meta is broken, and that the run read this
	// meta's tree.
	UsedInstead bool `json:"usedInstead,omitempty"`
}

// BucketDetails is a bucket, how many pages it has, and how many keys.
type BucketDetails struct {
	Name  Text   `json:"name"`
	Keys  int    `json:"keys"`
	Pages uint64 `json:"pages"`
}
