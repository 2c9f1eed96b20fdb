// Package wal reads the segments of etcd's write-ahead log: what raft agreed on,
// in order, before etcd applied it to its db.
//
// A data dir holds the segments as member/wal/SEQ-INDEX.wal, each 64 MB unless it was closed.
// Start with a Chain, which reads them one after the other in the order of their names, or
// with Read for a single segment. Both yield Records, which tile the file: each byte is in
// exactly one of them.
//
// A segment is a row of frames, then preallocated zeros:
//
//	off size
//	 0   7   size of the record, in bytes, little endian
//	 7   1   0x80 plus the length of the padding, or 0 where there is none: in a log of
//	         etcd 2.0 to 2.2 nowhere
//	 8   n   record: the protobuf message walpb.Record
//	 -  0-7  padding, zeros up to the next multiple of 8
//
// and a record is:
//
//	1 type int64: 1 metadata, 2 entry, 3 state, 4 crc, 5 snapshot
//	2 crc uint32: CRC-32C of the data of all records so far, over all segments
//	3 data bytes: a message by the type, none for crc
//
// The CRC covers the data alone. A segment starts with a crc record, which holds the CRC at
// the end of the segment before, and a metadata record.
//
// etcd's own decoder (wal.NewDecoderAdvanced) says whether a record is valid, and what type,
// CRC and data it has. It gets one frame at a time, once the length of that is known to be
// good: it trusts lengths, and stops for good at a frame that does not parse. This package
// does what it does not: it finds where a value lies in the file, and goes on behind damage.
// It also decodes the messages below the record, for the sake of the offsets, and because
// they may be cut.
//
// Source: storage/wal of go.etcd.io/etcd/server/v3, which all releases from 2.3 to
// 3.7 write alike; raftpb/raft.proto; etcdserverpb/raft_internal.proto and rpc.proto.
package wal

import "fmt"

// An Index is the position of an entry in the raft log.
type Index uint64

// A Term counts the elections that raft has held.
type Term uint64

// An ID is that of a member or a cluster.
type ID uint64

// String is the ID as etcd's own messages have it.
func (id ID) String() string { return fmt.Sprintf("%x", uint64(id)) }

// A Kind tells what some bytes of a segment are.
type Kind uint8

// The first five are the types of a walpb.Record.
const (
	KindMetadata Kind = iota + 1
	KindEntry
	KindState
	KindCRC
	KindSnapshot

	// KindZeros is preallocated space. It comes with damage where something other than zeros
	// follows.
	KindZeros
	// KindTorn is a last frame that etcd did not write to its end, as a crash or a copy taken
	// in that moment leaves it. Entry holds what is left of an entry.
	KindTorn
	// KindGap is bytes that make no frame. It always comes with damage. A long gap comes in
	// parts.
	KindGap
)

var kindNames = [...]string{
	KindMetadata: "metadata", KindEntry: "entry", KindState: "state", KindCRC: "crc", KindSnapshot: "snapshot",
	KindZeros: "zeros", KindTorn: "torn", KindGap: "gap",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Record is a part of a segment: a frame, or what is there instead of one. All of its bytes
// are valid until the next iteration.
type Record struct {
	Kind Kind
	Off  int64 // of the frame, from the start of the file
	Len  int64 // of the frame, with its length and padding

	// Bytes are all Len bytes, nil for KindZeros.
	Bytes []byte
	// Damaged says that there was damage in the frame: what was decoded may be wrong, and
	// Bytes may hold more than that.
	Damaged bool
	// CRC is the record's, and Verified says that it is right. For the first record behind a
	// gap nobody can tell, which is not damage by itself.
	CRC      uint32
	Verified bool

	// By the Kind, one of these is filled in; a torn frame may have an Entry.
	Metadata Metadata
	Entry    Entry
	State    HardState
	Snapshot Snapshot
}

// IsRefused reports whether r is a frame at which etcd refuses the log, because its CRC is wrong or, where
// nobody knows that, because it does not parse. What it says may be anything: the bytes are evidence, but its
// index, its commit and its writes prove nothing.
func (r *Record) IsRefused() bool { return r.Kind <= KindSnapshot && r.Damaged && !r.Verified }

// Metadata tells which member and cluster a log belongs to: etcdserverpb.Metadata.
type Metadata struct {
	NodeID    ID
	ClusterID ID
}

// A HardState is what a member must not forget: raftpb.HardState. Others may still replace
// entries after Commit.
type HardState struct {
	Term   Term
	Vote   ID
	Commit Index
}

// A Snapshot says that etcd saved the state at Index to a file: walpb.Snapshot.
type Snapshot struct {
	Index Index
	Term  Term
}

// An EntryType tells what the data of an Entry are: raftpb.EntryType.
type EntryType uint8

// The types of an Entry.
const (
	EntryNormal       EntryType = iota // a request, or no data where a leader begins its term
	EntryConfChange                    // raftpb.ConfChange
	EntryConfChangeV2                  // raftpb.ConfChangeV2
)

// An Entry is what raft agreed on, or will: raftpb.Entry.
type Entry struct {
	Term    Term
	Index   Index
	Type    EntryType
	Data    []byte
	DataOff int64 // file offset of Data
	// Ops is what an EntryNormal asks for, as far as it could be decoded.
	Ops []Op
}
