package analyzer

import (
	"cmp"
	"iter"
	"slices"
	"strings"

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

// A storedID is a way of storing values in keyspace.stored; 0 is none.
type storedID uint32

// A stored is how a value was stored. There are few different ones in a file, so
// an entry holds the ID of one.
type stored struct {
	provider envelope.Provider
	version  string
	keyName  string // as a single value tells, until nameKeys has compared all
	kmsKeyID string
	encoding envelope.Encoding

	// shortest is the name as a single value tells.
	shortest string
	// names are those that a single value may have, the shortest first. nil if there is
	// just one.
	names []string
	// lost says that not all of the name is kept, because it is too long or there are too many.
	lost bool
	// unsure says that nobody can tell which of names it is; keyName is the shortest that
	// it can be then.
	unsure bool
}

// reported is the provider as it is reported.
func (s stored) reported() report.Provider { return report.Provider(s.provider.String()) }

// mayHave reports whether a value that was stored like that may have a key of that name.
func (s *stored) mayHave(name string) bool {
	return s.keyName == name || s.unsure && slices.Contains(s.names, name)
}

// An entryID is an entry of a keyspace; 0 is none.
type entryID uint32

// An entry is the newest revision of a key that the sweep has met so far.
type entry struct {
	key     string
	rev     mvcc.Revision
	create  int64
	version int64
	off     int64 // of the value in the file
	lease   int64
	index   wal.Index // of the raft entry that wrote it, if that is in the WAL alone
	size    uint32    // of the value
	stored  storedID  // of the value; 0 of a deletion
	dir     dirID     // of the key, in the ledger; 0 if it is not known
	file    fileID    // that the value lies in; 0 of a deletion that is in the WAL alone
	deleted bool
	broken  bool // the record or its envelope breaks its format
	watched bool // all copies are kept: see watch
	unknown bool // no tree has it: it was salvaged, and nobody knows what came after it

	proof *proof // of the value, nil where no key was tried
}

// A keyspace is the newest revision of each key of one db. It grows with the
// number of keys, not of records.
type keyspace struct {
	watch   *watch
	entries chunks[entry]
	index   keyIndex
	strings arena // of the keys

	stored      []stored // by storedID
	storedIndex map[string]storedID
	scratch     []byte
	named       int // bytes of all names in stored

	// broken says what is wrong with an entry.
	broken map[entryID]error
	// newest is the highest main revision of any record, marker that of a record
	// without a KeyValue; 0 without one.
	newest, marker int64
}

func newKeyspace(w *watch) keyspace {
	return keyspace{
		watch:       w,
		storedIndex: map[string]storedID{},
		stored:      []stored{{}}, // of which the first is none
		broken:      map[entryID]error{},
	}
}

// entry finds the entry of a key, nil if there is none.
func (k *keyspace) entry(key string) *entry {
	if id := k.find([]byte(key)); id != 0 {
		return k.at(id)
	}
	return nil
}

// at is the entry of that ID, which is not 0.
func (k *keyspace) at(id entryID) *entry { return k.entries.at(int(id - 1)) }

// all yields the entries in the order in which their keys were met.
func (k *keyspace) all() iter.Seq2[entryID, *entry] {
	return func(yield func(entryID, *entry) bool) {
		for i, e := range k.entries.all() {
			if !yield(entryID(i+1), e) {
				return
			}
		}
	}
}

// add takes a record, and returns the entry of its key. recordErr says what is wrong with
// the record, nil if nothing is.
func (k *keyspace) add(r *mvcc.Record, recordErr error) entryID {
	k.newest = max(k.newest, r.Revision.Main)
	i := k.find(r.Key)
	known := i != 0
	if !known {
		i = k.insert(r.Key)
	}
	e := k.at(i)
	if known && r.Revision.Compare(e.rev) <= 0 {
		return i
	}
	to := entry{
		rev: r.Revision, create: r.CreateRevision, version: r.Version, lease: r.Lease,
		file: dbFile, off: r.ValueOff, size: uint32(len(r.Value)), deleted: r.Tombstone && recordErr == nil,
	}
	if !to.deleted {
		var err error
		to.stored, err = k.parse(r.Value, r.ValueOff)
		recordErr = cmp.Or(recordErr, err)
	}
	k.set(i, to, recordErr)
	return i
}

// insert adds an entry for a key that has none.
func (k *keyspace) insert(key []byte) entryID {
	k.entries.add(entry{key: k.strings.add(key), watched: k.watch.key(key)})
	id := entryID(k.entries.len())
	k.put(id)
	return id
}

// set replaces what is known of the key of an entry by what to says. err says what is
// wrong with its record or value, nil if nothing is.
func (k *keyspace) set(id entryID, to entry, err error) {
	e := k.at(id)
	to.key, to.dir, to.watched, to.broken = e.key, e.dir, e.watched, err != nil
	*e = to
	if e.broken {
		k.broken[id] = err
	} else if len(k.broken) > 0 {
		delete(k.broken, id)
	}
}

// parse tells how a value was stored. The error is that of envelope.Parse.
func (k *keyspace) parse(value []byte, off int64) (stored storedID, err error) {
	env, err := k.open(value, off)
	return k.intern(env), err
}

// open takes a value apart, with the names of keys that are known by then.
func (k *keyspace) open(value []byte, off int64) (envelope.Envelope, error) {
	return envelope.ParseNamed(value, off, k.watch.names)
}

// intern finds how env was stored in the list, without allocating where it is
// there already. What stands where an unknown provider's key name might be is not
// kept: nobody knows whether it is one, or a piece of the value.
func (k *keyspace) intern(env envelope.Envelope) storedID {
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
	i, ok := k.storedIndex[string(b)]
	if !ok {
		i = storedID(len(k.stored))
		k.storedIndex[string(b)] = i
		k.named += len(b)
		how := stored{
			provider: env.Provider, version: string(env.Version), keyName: string(env.KeyName),
			kmsKeyID: string(env.Object.KeyID), encoding: env.Encoding, shortest: string(env.KeyName), lost: lost,
		}
		if env.MoreName != nil {
			how.names = env.Names()
		}
		k.stored = append(k.stored, how)
	}
	return i
}

// status is the answer on a live entry.
func (k *keyspace) status(e *entry) report.Status {
	switch {
	case k.stored[e.stored].provider == envelope.Identity && !(e.broken && e.size == 0):
		return report.StatusPlaintext
	case e.broken:
		return report.StatusUnreadable
	}
	return report.StatusEncrypted
}

// sorted is the live entries in the order of their keys.
func (k *keyspace) sorted() []entryID {
	live := make([]entryID, 0, k.entries.len())
	for id, e := range k.all() {
		if !e.deleted {
			live = append(live, id)
		}
	}
	slices.SortFunc(live, func(a, b entryID) int { return strings.Compare(k.at(a).key, k.at(b).key) })
	return live
}
