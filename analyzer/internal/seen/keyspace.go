package seen

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A Keyspace is the newest revision of each key of one evidence. It grows with the number of
// keys, not of records.
//
// The sweep fills it: first with the records of the tree, then with those that were salvaged,
// last with what the log adds. After the sweep only Storage.KeyName, Storage.Unsure and
// Entry.Proof change.
type Keyspace struct {
	interest *Interest
	Entries  mem.List[Entry] // by EntryID less one, in the order in which the keys were met
	index    keyIndex
	strings  mem.Strings // of the keys

	Storages     []Storage            // by StorageID; the first is none
	storageIndex map[string]StorageID // by what Intern makes of an envelope
	scratch      []byte               // of Intern
	named        int                  // bytes of all names in Storages

	// Records tells which records of the tree two evidences share, where Interest compares members.
	Records Sketch
	sums    mem.List[uint64] // of the values of Entries, where Interest compares members; 0 if not known

	Broken map[EntryID]error // what is wrong with an entry that is Broken
	// Newest is the highest main revision of any record of the tree, or where that has none, of
	// those that were salvaged; 0 without any. The log does not count.
	Newest int64
	// Marker is the highest main revision of a record of the tree without a KeyValue; 0 without one.
	Marker int64
}

// An EntryID is an entry of a Keyspace; 0 is none. It means nothing in another evidence.
type EntryID uint32

// An Entry is the newest revision of a key that the sweep has met so far.
type Entry struct {
	Key     string
	Rev     mvcc.Revision // 0 of a key that was inserted and not set; without a db, the raft index is its Sub
	Create  int64         // main revision; 0 of a deletion
	Version int64         // number of the write since then, from 1; 0 of a deletion
	Off     int64         // of the value, in File
	Lease   int64         // 0 if it has none
	Index   wal.Index     // of the raft entry that wrote it, if that is in the WAL alone; else 0
	Size    uint32        // of the value, in bytes
	Storage StorageID     // of the value; 0 of a deletion
	// Tree is how the record of this write is stored that the tree has, and that the ledger counts as
	// reachable; 0 if the tree has none. It is not Storage where the tree's record is broken and
	// another was salvaged.
	Tree    StorageID
	dir     dirID  // of the key, in the ledger; 0 until the ledger has met it
	File    FileID // that the value lies in; 0 of a deletion that is in the WAL alone
	Deleted bool
	Broken  bool // the record or its envelope breaks its format: Keyspace.Broken says how
	Watched bool // Interest keeps all copies of the key
	Unknown bool // no tree has it: it was salvaged, and nobody knows what came after it
	V2      bool // it is of the v2 store: a log without a db has no write of the key but v2 requests

	Proof *Proof // of the value; nil until keys.Prove, and where no key was tried
}

// Proved is what came of decrypting the value of e, the zero Proof if nobody tried.
func (e *Entry) Proved() Proof {
	if e.Proof == nil {
		return Proof{}
	}
	return *e.Proof
}

func newKeyspace(interest *Interest) Keyspace {
	return Keyspace{
		interest:     interest,
		Storages:     make([]Storage, 1),
		storageIndex: map[string]StorageID{},
		Broken:       map[EntryID]error{},
	}
}

// Entry finds the entry of a key, nil if there is none.
func (k *Keyspace) Entry(key string) *Entry {
	if id := k.Find([]byte(key)); id != 0 {
		return k.At(id)
	}
	return nil
}

// At is the entry of that ID, which is not 0. The pointer stays good.
func (k *Keyspace) At(id EntryID) *Entry { return k.Entries.At(int(id - 1)) }

// All yields the entries in the order in which their keys were met.
func (k *Keyspace) All() iter.Seq2[EntryID, *Entry] {
	return func(yield func(EntryID, *Entry) bool) {
		for i, e := range k.Entries.All() {
			if !yield(EntryID(i+1), e) {
				return
			}
		}
	}
}

// Sorted is the live entries in the order of their keys.
func (k *Keyspace) Sorted() []EntryID {
	live := make([]EntryID, 0, k.Entries.Len())
	for id, e := range k.All() {
		if !e.Deleted {
			live = append(live, id)
		}
	}
	slices.SortFunc(live, func(a, b EntryID) int { return strings.Compare(k.At(a).Key, k.At(b).Key) })
	return live
}

// Add takes a record of the tree, and returns the entry of its key. recordErr says what is wrong
// with the record, nil if nothing is.
func (k *Keyspace) Add(r *mvcc.Record, recordErr error) EntryID {
	k.Newest = max(k.Newest, r.Revision.Main)
	if k.interest.compares && !r.Tombstone {
		k.Records.add(k.interest.Seed, r)
	}
	id := k.Find(r.Key)
	known := id != 0
	if !known {
		id = k.Insert(r.Key)
	}
	e := k.At(id)
	if known && r.Revision.Compare(e.Rev) <= 0 {
		return id
	}
	to := Entry{
		Rev: r.Revision, Create: r.CreateRevision, Version: r.Version, Lease: r.Lease,
		File: DBFile, Off: r.ValueOff, Size: uint32(len(r.Value)), Deleted: r.Tombstone && recordErr == nil,
	}
	if !to.Deleted {
		var err error
		if recordErr == nil {
			to.Storage, err = k.ParseWhole(r.Key, r.Value, r.ValueOff)
		} else {
			to.Storage, err = k.ParseStorage(r.Value, r.ValueOff)
		}
		to.Tree = to.Storage
		recordErr = cmp.Or(recordErr, err)
	}
	k.Set(id, to, recordErr)
	if k.interest.compares && !to.Deleted {
		*k.sums.At(int(id - 1)) = k.interest.Sum(r.Value)
	}
	return id
}

// Insert adds an entry for a key that has none. Set says what is known of it.
func (k *Keyspace) Insert(key []byte) EntryID {
	k.Entries.Add(Entry{Key: k.strings.Add(key), Watched: k.interest.KeepsKey(key)})
	if k.interest.compares {
		k.sums.Add(0)
	}
	id := EntryID(k.Entries.Len())
	k.put(id)
	return id
}

// Set replaces what is known of the key of an entry: Key, Watched and Broken of to do not count.
// err says what is wrong with the record or value, nil if nothing is.
func (k *Keyspace) Set(id EntryID, to Entry, err error) {
	e := k.At(id)
	to.Key, to.dir, to.Watched, to.Broken = e.Key, e.dir, e.Watched, err != nil
	*e = to
	if k.interest.compares {
		*k.sums.At(int(id - 1)) = 0
	}
	if e.Broken {
		k.Broken[id] = err
	} else if len(k.Broken) > 0 {
		delete(k.Broken, id)
	}
}

// SameValue reports whether e, of k, and oe, of o, are the same write as far as is known: two that
// are in the WAL alone may differ in bytes of equal number.
func (k *Keyspace) SameValue(e *Entry, o *Keyspace, oe *Entry) bool {
	if e.Deleted != oe.Deleted || e.Size != oe.Size || e.Create != oe.Create || e.Version != oe.Version ||
		k.Storages[e.Storage].KeyID() != o.Storages[oe.Storage].KeyID() {
		return false
	}
	sum, other := k.sumOf(e), o.sumOf(oe)
	return sum == 0 || other == 0 || sum == other
}

// sumOf is the sum of the value of e, 0 if it is not known.
func (k *Keyspace) sumOf(e *Entry) uint64 {
	if k.sums.Len() == 0 {
		return 0
	}
	return *k.sums.At(int(k.Find([]byte(e.Key)) - 1))
}

// ParseStorage is how a value that starts at off was stored. The error is that of envelope.Parse; the
// Storage is valid all the same.
func (k *Keyspace) ParseStorage(value []byte, off int64) (StorageID, error) {
	env, err := k.ParseEnvelope(value, off)
	return k.StorageOf(env), err
}

// ParseWhole is ParseStorage for a whole value of a key: it tells blank values and misfits from others.
func (k *Keyspace) ParseWhole(key, value []byte, off int64) (StorageID, error) {
	env, err := k.ParseEnvelope(value, off)
	misfit := NoMisfit
	if k.interest.MayBeInScope(key) {
		misfit = misfitOf(&env, key, value)
	}
	return k.storageOf(env, BlankOf(&env, value), misfit), err
}

// ParseEnvelope takes apart a value that starts at off, with the names of keys that Interest knows by now.
// The error is that of envelope.Parse.
func (k *Keyspace) ParseEnvelope(value []byte, off int64) (envelope.Envelope, error) {
	return envelope.ParseNamed(value, off, k.interest.Names)
}

// maxName bounds what is kept of the name of a key and of a KMS key ID, in bytes. The API server
// sets no bound for names; a hostile value could claim megabytes.
const maxName = 64 << 10

// maxNames bounds the bytes of all names of one evidence: it is more than any cluster has. Beyond
// it all names count as one.
const maxNames = 16 << 20

// StorageOf finds the Storage of a value of which env is known, or a piece, or adds it. It does not
// allocate if there is one.
func (k *Keyspace) StorageOf(env envelope.Envelope) StorageID {
	return k.storageOf(env, NotBlank, NoMisfit)
}

func (k *Keyspace) storageOf(env envelope.Envelope, blank Blank, misfit Misfit) StorageID {
	if env.Provider == envelope.Unknown {
		env.KeyName = nil // nobody knows whether it is a name, or a piece of the value
	}
	lost := len(env.KeyName) > maxName || len(env.Object.KeyID) > maxName
	if len(env.KeyName) > maxName {
		env.KeyName, env.MoreName = env.KeyName[:maxName], nil
	}
	env.Object.KeyID = env.Object.KeyID[:min(len(env.Object.KeyID), maxName)]
	if k.named > maxNames {
		lost = lost || len(env.KeyName) > 0
		env.KeyName, env.MoreName, env.Object.KeyID = nil, nil, nil
	}
	var marks byte
	if lost {
		marks |= 1 // else it would be taken for one of the name that is left
	}
	if env.MoreName != nil {
		marks |= 2
	}
	b := append(k.scratch[:0], byte(env.Provider), byte(env.Encoding), byte(blank), byte(misfit), marks)
	// With their lengths, because a hostile name may hold whatever would stand between two.
	for _, part := range [][]byte{env.Version, env.KeyName, env.MoreName, env.Object.KeyID} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	k.scratch = b
	id, ok := k.storageIndex[string(b)]
	if !ok {
		id = StorageID(len(k.Storages))
		k.storageIndex[string(b)] = id
		k.named += len(b)
		how := Storage{
			Provider: env.Provider, Encoding: env.Encoding, KMSKeyID: string(env.Object.KeyID),
			KeyName: string(env.KeyName), Shortest: string(env.KeyName), Lost: lost, Blank: blank, Misfit: misfit,
		}
		if env.MoreName != nil {
			how.Names = env.Names()
		}
		k.Storages = append(k.Storages, how)
	}
	return id
}

// StatusOf is the status of a key whose newest value is that of e, as far as anybody knows. It
// means nothing of a deletion.
func (ev *Evidence) StatusOf(e *Entry) report.Status {
	how := &ev.Keys.Storages[e.Storage]
	plaintext := how.IsPlaintext() && !(e.Broken && e.Size == 0)
	switch {
	case plaintext && e.Unknown:
		return report.StatusExposed // what was seen of it: nobody knows its newest value
	case plaintext:
		return report.StatusPlaintext
	case e.Broken || how.Blank != NotBlank:
		return report.StatusBroken
	}
	return report.StatusEncrypted
}
