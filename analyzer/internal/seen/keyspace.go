package seen

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// maxName bounds what is kept of the name of a key and of a KMS key ID, in bytes. The
// API server sets no bound for names; a hostile value could claim megabytes.
const maxName = 64 << 10

// maxNames bounds the bytes of all names of one db.
const maxNames = 16 << 20

// An EntryID is an entry of a keyspace; 0 is none.
type EntryID uint32

// An Entry is the newest revision of a key that the sweep has met so far.
type Entry struct {
	Key     string
	Rev     mvcc.Revision
	Create  int64
	Version int64
	Off     int64 // of the value in the file
	Lease   int64
	Index   wal.Index // of the raft entry that wrote it, if that is in the WAL alone
	Size    uint32    // of the value
	Storage StorageID // of the value; 0 of a deletion
	dir     dirID     // of the key, in the ledger; 0 if it is not known
	File    FileID    // that the value lies in; 0 of a deletion that is in the WAL alone
	Deleted bool
	Broken  bool // the record or its envelope breaks its format
	Watched bool // all copies are kept: see watch
	Unknown bool // no tree has it: it was salvaged, and nobody knows what came after it

	Proof *Proof // of the value, nil where no key was tried
}

// A Keyspace is the newest revision of each key of one db. It grows with the
// number of keys, not of records.
type Keyspace struct {
	interest *Interest
	Entries  mem.List[Entry]
	index    keyIndex
	strings  mem.Strings // of the keys

	Storages     []Storage // by storedID
	storageIndex map[string]StorageID
	scratch      []byte
	named        int // bytes of all names in stored

	// broken says what is wrong with an entry.
	Broken map[EntryID]error
	// newest is the highest main revision of any record, marker that of a record
	// without a KeyValue; 0 without one.
	Newest, Marker int64
}

func newKeyspace(w *Interest) Keyspace {
	return Keyspace{
		interest:     w,
		storageIndex: map[string]StorageID{},
		Storages:     []Storage{{}}, // of which the first is none
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

// At is the entry of that ID, which is not 0.
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

// Add takes a record, and returns the entry of its key. recordErr says what is wrong with
// the record, nil if nothing is.
func (k *Keyspace) Add(r *mvcc.Record, recordErr error) EntryID {
	k.Newest = max(k.Newest, r.Revision.Main)
	i := k.Find(r.Key)
	known := i != 0
	if !known {
		i = k.Insert(r.Key)
	}
	e := k.At(i)
	if known && r.Revision.Compare(e.Rev) <= 0 {
		return i
	}
	to := Entry{
		Rev: r.Revision, Create: r.CreateRevision, Version: r.Version, Lease: r.Lease,
		File: DbFile, Off: r.ValueOff, Size: uint32(len(r.Value)), Deleted: r.Tombstone && recordErr == nil,
	}
	if !to.Deleted {
		var err error
		to.Storage, err = k.Parse(r.Value, r.ValueOff)
		recordErr = cmp.Or(recordErr, err)
	}
	k.Set(i, to, recordErr)
	return i
}

// Insert adds an entry for a key that has none.
func (k *Keyspace) Insert(key []byte) EntryID {
	k.Entries.Add(Entry{Key: k.strings.Add(key), Watched: k.interest.KeepsKey(key)})
	id := EntryID(k.Entries.Len())
	k.put(id)
	return id
}

// Set replaces what is known of the key of an entry by what to says. err says what is
// wrong with its record or value, nil if nothing is.
func (k *Keyspace) Set(id EntryID, to Entry, err error) {
	e := k.At(id)
	to.Key, to.dir, to.Watched, to.Broken = e.Key, e.dir, e.Watched, err != nil
	*e = to
	if e.Broken {
		k.Broken[id] = err
	} else if len(k.Broken) > 0 {
		delete(k.Broken, id)
	}
}

// Parse tells how a value was stored. The error is that of envelope.Parse.
func (k *Keyspace) Parse(value []byte, off int64) (stored StorageID, err error) {
	env, err := k.Open(value, off)
	return k.Intern(env), err
}

// Open takes a value apart, with the names of keys that are known by then.
func (k *Keyspace) Open(value []byte, off int64) (envelope.Envelope, error) {
	return envelope.ParseNamed(value, off, k.interest.Names)
}

// Intern finds how env was stored in the list, without allocating where it is
// there already. What stands where an unknown provider's key name might be is not
// kept: nobody knows whether it is one, or a piece of the value.
func (k *Keyspace) Intern(env envelope.Envelope) StorageID {
	if env.Provider == envelope.Unknown {
		env.KeyName = nil
	}
	lost := len(env.KeyName) > maxName || len(env.Object.KeyID) > maxName
	if len(env.KeyName) > maxName {
		env.KeyName, env.MoreName = env.KeyName[:maxName], nil
	}
	env.Object.KeyID = env.Object.KeyID[:min(len(env.Object.KeyID), maxName)]
	if k.named > maxNames {
		lost = lost || len(env.KeyName) > 0
		env.KeyName, env.MoreName, env.Object.KeyID = nil, nil, nil // more than any cluster has: they are counted as one
	}
	b := append(k.scratch[:0], byte(env.Provider), byte(env.Encoding))
	b = append(append(b, env.Version...), 0)
	b = append(b, env.KeyName...)
	if env.MoreName != nil {
		b = append(append(b, ':'), env.MoreName...)
	}
	b = append(append(b, 0), env.Object.KeyID...)
	k.scratch = b
	if lost {
		b = append(b, 0, 1) // and is not taken for one of that name
		k.scratch = b
	}
	i, ok := k.storageIndex[string(b)]
	if !ok {
		i = StorageID(len(k.Storages))
		k.storageIndex[string(b)] = i
		k.named += len(b)
		how := Storage{
			Provider: env.Provider, version: string(env.Version), KeyName: string(env.KeyName),
			KmsKeyID: string(env.Object.KeyID), Encoding: env.Encoding, Shortest: string(env.KeyName), Lost: lost,
		}
		if env.MoreName != nil {
			how.Names = env.Names()
		}
		k.Storages = append(k.Storages, how)
	}
	return i
}

// status is the answer on a live entry.
func (k *Keyspace) status(e *Entry) report.Status {
	switch {
	case k.Storages[e.Storage].Provider == envelope.Identity && !(e.Broken && e.Size == 0):
		return report.StatusPlaintext
	case e.Broken:
		return report.StatusUnreadable
	}
	return report.StatusEncrypted
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
