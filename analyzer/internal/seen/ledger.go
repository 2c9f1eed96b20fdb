package seen

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
)

// MaxCarved bounds the encrypted values outside of records that are kept for proof,
// and maxDEKs the data encryption keys that are told apart for one KMS key.
const (
	MaxCarved = 1 << 18
	maxDEKs   = 1 << 12
)

// A ledger counts all values of one survey by how they were stored, in whatever region.
// It grows with the namespaces and the keys of providers; with the number of values
// only where `keys` asks for distinct ones, and where aesgcm counts its writes.
type ledger struct {
	keys *Keyspace
	rows map[rowID]*row
	// plaintext is the rows of plaintext values, by the ID of their dir less one.
	plaintext mem.List[row]
	dirs      map[string]dirID // what stands before the last slash of a key
	// samples has a key of each dir, by its ID less one. Of what kind its objects are is known
	// when the whole file has been read.
	Samples []string

	Written map[uint64]Incarnation  // by the hash of what it is
	Kms     map[StorageID]*KmsFacts // by how the values were stored

	// seen and residue are hashes of the values that were counted in the tree and outside
	// of it, as a free page often holds a value of the tree once more. They are nil unless
	// distinct values are asked for.
	seen    map[uint64]bool
	residue map[uint64]*row

	carved        []carvedValue
	CarvedSkipped int
	seed          maphash.Seed
	sealedValue   func(env *envelope.Envelope, sum uint64) // see watch.sealed
}

// A dirID is a dir that keys lie in; 0 is none.
type dirID int32

// A rowID is how encrypted values were stored, and the dir that their keys lie in.
type rowID struct {
	storage StorageID
	dir     dirID
}

// A row counts values. Residue has those of which the tree has no copy, if the ledger
// knows.
type row struct {
	Reachable, Wal int
	Residue        int
	whole          int   // of residue, those that are whole records, whether the tree has them or not
	First, Last    int64 // main revisions; 0 if none is known
}

// An Incarnation is a key from its creation to its deletion, encrypted in one way, with
// the lowest and the highest version that was seen of it.
type Incarnation struct {
	Storage   StorageID
	Dir       dirID
	Create    int64
	Low, High int64
}

// KmsFacts is what KMS v2 values say of their data encryption keys.
type KmsFacts struct {
	Deks        map[uint64]bool
	More        bool // there are more than deks holds
	Sources     map[envelope.DEKSourceType]bool
	annotations map[string]bool
}

// A carvedValue is an encrypted value that was found outside of a record of a page.
type carvedValue struct {
	key   string
	rev   mvcc.Revision
	place Place
	file  FileID
	off   int64
	size  int32
	whole bool
}

func newLedger(keys *Keyspace, w *Interest) *ledger {
	l := &ledger{keys: keys, rows: map[rowID]*row{}, dirs: map[string]dirID{},
		Written: map[uint64]Incarnation{}, Kms: map[StorageID]*KmsFacts{}, seed: w.Seed, sealedValue: w.sealed}
	if w.distinct {
		l.seen, l.residue = map[uint64]bool{}, map[uint64]*row{}
	}
	return l
}

// dir is the dir of a key.
func (l *ledger) dir(key []byte) dirID {
	dir := key[:max(0, bytes.LastIndexByte(key, '/'))]
	i, ok := l.dirs[string(dir)]
	if !ok {
		l.Samples = append(l.Samples, string(key))
		l.plaintext.Add(row{})
		i = dirID(len(l.Samples))
		l.dirs[string(dir)] = i
	}
	return i
}

func (l *ledger) row(stored StorageID, dir dirID) *row {
	id := rowID{stored, dir}
	r := l.rows[id]
	if r == nil {
		r = &row{}
		l.rows[id] = r
	}
	return r
}

// plainRow is the row of the plaintext values in a dir.
func (l *ledger) plainRow(dir dirID) *row { return l.plaintext.At(int(dir - 1)) }

// Plain counts a plaintext value: its revision tells when the key that encrypts its
// resource now was not in use yet.
func (l *ledger) Plain(key []byte, rev int64) {
	if rev > 0 && len(key) > 0 {
		l.plainRow(l.dir(key)).date(rev)
	}
}

// PlainOf is plain for a key that has an entry, which knows its dir.
func (l *ledger) PlainOf(e *Entry, key []byte, rev int64) {
	if e.dir == 0 {
		e.dir = l.dir(key)
	}
	if rev > 0 {
		l.plainRow(e.dir).date(rev)
	}
}

func (r *row) date(rev int64) {
	if rev == 0 {
		return
	}
	if r.First == 0 || rev < r.First {
		r.First = rev
	}
	r.Last = max(r.Last, rev)
}

// Sealed counts an encrypted value.
func (l *ledger) Sealed(at *Copy, env *envelope.Envelope) {
	dir := l.dir([]byte(at.Key))
	r := l.row(at.Storage, dir)
	r.date(at.Rev.Main)
	switch at.Place {
	case InTree:
		r.Reachable++
		if l.seen != nil {
			l.seen[l.write(at)] = true
		}
	case InWAL:
		r.Wal++
	default:
		l.outside(at, r)
		if at.Place == OnFreePage && at.Complete {
			r.whole++
		}
	}
	if at.Complete {
		l.sealedValue(env, at.Sum)
	}
	switch env.Provider {
	case envelope.AESGCM:
		l.count(at, dir)
	case envelope.KMSv2:
		if at.Complete {
			l.noteKMS(at.Storage, env)
		}
	}
}

// outside counts a value outside of the tree, each distinct one once.
func (l *ledger) outside(at *Copy, r *row) {
	if l.residue == nil {
		r.Residue++
		return
	}
	if w := l.write(at); l.residue[w] == nil {
		l.residue[w] = r
		r.Residue++
	}
}

// write is a hash that tells a value of a key from all others.
func (l *ledger) write(at *Copy) uint64 {
	return maphash.Comparable(l.seed, struct {
		key string
		sum uint64
	}{at.Key, at.Sum})
}

// Carve notes where a value lies that no record of a page holds, if it is encrypted: it is
// read once more to be proven.
func (l *ledger) Carve(value []byte, at Copy) {
	switch {
	case !envelope.IsEncrypted(value):
	case len(l.carved) == MaxCarved:
		l.CarvedSkipped++
	default:
		l.carved = append(l.carved, carvedValue{at.Key, at.Rev, at.Place, at.File, at.Off, int32(at.Size), at.Complete})
	}
}

// count notes the version of a value of aesgcm, which tells how often its key has been
// written since it was created.
func (l *ledger) count(at *Copy, dir dirID) {
	if at.Version <= 0 || at.Create <= 0 {
		return
	}
	// The index in keyspace.stored may be another in another file, the name is not.
	id := maphash.String(l.seed, at.Key) + uint64(at.Create)*0x9e3779b97f4a7c15 ^ maphash.String(l.seed, l.keys.Storages[at.Storage].Shortest)
	in, known := l.Written[id]
	if !known {
		in = Incarnation{at.Storage, dir, at.Create, at.Version, at.Version}
	}
	in.Low, in.High = min(in.Low, at.Version), max(in.High, at.Version)
	l.Written[id] = in
}

func (l *ledger) noteKMS(stored StorageID, env *envelope.Envelope) {
	k := l.Kms[stored]
	if k == nil {
		k = &KmsFacts{Deks: map[uint64]bool{}, Sources: map[envelope.DEKSourceType]bool{}, annotations: map[string]bool{}}
		l.Kms[stored] = k
	}
	dek := maphash.Bytes(l.seed, env.Object.DEKSource)
	if !k.Deks[dek] && len(k.Deks) == maxDEKs {
		k.More = true
	} else {
		k.Deks[dek] = true
	}
	if len(k.Sources) < 8 {
		k.Sources[env.Object.DEKSourceType] = true
	}
	for name := range env.Object.Annotations() {
		if len(k.annotations) == maxAnnotations {
			break
		}
		if !k.annotations[string(name)] {
			k.annotations[string(name)] = true
		}
	}
}

// maxAnnotations bounds the names of annotations that are kept for one KMS key.
const maxAnnotations = 64

// Settle takes out of the residue what the tree has too: the same bytes under the same
// key are that value once more.
func (l *ledger) Settle() {
	for w, r := range l.residue {
		if l.seen[w] {
			r.Residue--
		}
	}
	l.seen, l.residue = nil, nil
}

// Distinct is a lower bound on how many different values were stored in each way, by
// storedID: a value in the tree may be in the WAL, too. Residue does not
// count: what follows a prefix there may be the text of another object, whose page was used
// again, and no name is made of that.
func (l *ledger) Distinct() []int {
	type count struct{ reachable, wal int }
	counts := make([]count, len(l.keys.Storages))
	for id, r := range l.rows {
		counts[id.storage].reachable += r.Reachable
		counts[id.storage].wal += r.Wal
	}
	n := make([]int, len(counts))
	for i, c := range counts {
		n[i] = max(c.reachable, c.wal)
	}
	return n
}

// Whole says which ways of storing whole values have: records of the tree, of free pages
// and of the WAL. What looks like a value anywhere else may be none.
func (l *ledger) Whole() []bool {
	found := make([]bool, len(l.keys.Storages))
	for id, r := range l.rows {
		if r.Reachable+r.Wal+r.whole > 0 {
			found[id.storage] = true
		}
	}
	for _, e := range l.keys.Entries.All() {
		found[e.Storage] = found[e.Storage] || !e.Deleted
	}
	return found
}

// rowCounts is a row with the resource and the namespace of its keys.
type rowCounts struct {
	row
	Storage   StorageID // 0 of plaintext, whatever its encoding
	Resource  object.GroupResource
	Namespace string
}

// Resources is all rows by resource and namespace, in no order. identity tells which object a
// key stands for.
func (l *ledger) Resources(identity func(key string) object.Identity) []rowCounts {
	ids := make([]object.Identity, len(l.Samples))
	for i, key := range l.Samples {
		ids[i] = identity(key)
	}
	var all []rowCounts
	for id, r := range l.rows {
		all = append(all, rowCounts{*r, id.storage, ids[id.dir-1].GroupResource, ids[id.dir-1].Namespace})
	}
	for dir, r := range l.plaintext.All() {
		if r.Last > 0 {
			all = append(all, rowCounts{*r, 0, ids[dir].GroupResource, ids[dir].Namespace})
		}
	}
	return all
}

func (k *KmsFacts) Names() []report.Text {
	return report.Texts(slices.Sorted(maps.Keys(k.annotations)))
}
