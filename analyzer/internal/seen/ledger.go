package seen

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A Ledger counts all values of one evidence by how they were stored, in whatever region. It
// grows with the namespaces and the keys of providers; with the number of values only where
// `keys` asks for distinct ones, and where a provider has a limit of writes.
//
// The sweep fills it, and Settle ends it.
type Ledger struct {
	keys *Keyspace
	rows map[rowID]*Row // of encrypted values
	// plaintext is the rows of plaintext values, by dirID less one.
	plaintext mem.List[Row]
	dirs      map[string]dirID // by what stands before the last slash of a key
	// Samples has a key of each dir, by dirID less one. What kind of objects lie in the dir is
	// known after naming.
	Samples []string

	Written map[uint64]Incarnation  // writes with keys that have a limit, by a hash that is the same in all evidence of a run
	KMS     map[StorageID]*KMSFacts // of KMS v2, by how the values were stored

	// seen has hashes of the values that were counted in the tree, and residue of those outside of
	// it: a free page often holds a value of the tree once more. They are nil unless Interest asks
	// for distinct values, and after Settle.
	seen    map[uint64]bool
	residue map[uint64]*Row

	carved        []carvedValue
	CarvedSkipped int // values beyond MaxCarved
	seed          maphash.Seed
	sealed        func(env envelope.Envelope, sum uint64) // see Wanted
}

// A Row counts values of one dir that were stored in one way.
type Row struct {
	Reachable, WAL int   // in the tree, and in the WAL
	Residue        int   // elsewhere; after Settle those that the tree has not, if distinct values are asked for
	whole          int   // elsewhere, in whole records, whether the tree has them or not
	First, Last    int64 // lowest and highest main revision; 0 if none is known
}

// A rowID is how encrypted values were stored, and the dir that their keys lie in.
type rowID struct {
	storage StorageID
	dir     dirID
}

// A dirID is a dir that keys lie in; 0 is none.
type dirID int32

// An Incarnation is a key from its creation to its deletion, encrypted in one way, with the
// lowest and the highest version that was seen of it.
type Incarnation struct {
	Storage   StorageID
	Dir       dirID // its sample is Samples[Dir-1]
	Create    int64 // main revision
	Low, High int64
}

// KMSFacts are what KMS v2 values say of their data encryption keys.
type KMSFacts struct {
	DEKs        map[uint64]bool // hashes of the encrypted ones, at most maxDEKs
	More        bool            // there are more than Deks has
	Sources     map[envelope.DEKSourceType]bool
	annotations map[string]bool // names, at most maxAnnotations
}

// A carvedValue is an encrypted value that was found outside of a record of a page. It keeps
// what EachValue needs to read it again.
type carvedValue struct {
	key   string
	rev   mvcc.Revision
	place Place
	file  FileID
	off   int64
	size  int32
	whole bool
}

func newLedger(keys *Keyspace, interest *Interest) *Ledger {
	l := &Ledger{
		keys: keys, rows: map[rowID]*Row{}, dirs: map[string]dirID{},
		Written: map[uint64]Incarnation{}, KMS: map[StorageID]*KMSFacts{}, seed: interest.Seed, sealed: interest.sealed,
	}
	if interest.distinct {
		l.seen, l.residue = map[uint64]bool{}, map[uint64]*Row{}
	}
	return l
}

// AddPlain notes the revision of a plaintext value, 0 if it is not known: it tells since when the
// key that encrypts the resource now is in use.
func (l *Ledger) AddPlain(key []byte, rev int64) {
	if rev > 0 && len(key) > 0 {
		l.plainRow(l.dir(key)).date(rev)
	}
}

// AddPlainOf is Plain for a key that has an entry, which remembers the dir.
func (l *Ledger) AddPlainOf(e *Entry, key []byte, rev int64) {
	if e.dir == 0 {
		e.dir = l.dir(key)
	}
	if rev > 0 {
		l.plainRow(e.dir).date(rev)
	}
}

// AddSealed counts an encrypted value. Its key is empty if nothing tells it.
func (l *Ledger) AddSealed(at *Copy, env *envelope.Envelope) {
	dir := l.dir([]byte(at.Key))
	r := l.row(at.Storage, dir)
	r.date(at.Rev.Main)
	switch at.Place {
	case InTree:
		r.Reachable++
		if l.seen != nil {
			l.seen[l.write(at)] = true
		}
	case InWAL, InV2Request:
		r.WAL++
	default:
		l.outside(at, r)
		if at.Place == OnFreePage && at.Complete {
			r.whole++
		}
	}
	if at.Complete {
		l.sealed(*env, at.Sum)
	}
	if env.Provider.WriteLimit() > 0 {
		l.count(at, dir)
	}
	if env.Provider.HasObject() && at.Complete {
		l.noteKMS(at.Storage, env)
	}
}

// outside counts a value outside of the tree, each distinct one once.
func (l *Ledger) outside(at *Copy, r *Row) {
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
func (l *Ledger) write(at *Copy) uint64 {
	return maphash.Comparable(l.seed, struct {
		key string
		sum uint64
	}{at.Key, at.Sum})
}

// count notes the version of a value whose key has a limit: it tells how many writes that key
// has encrypted since the object was created.
func (l *Ledger) count(at *Copy, dir dirID) {
	if at.Version <= 0 || at.Create <= 0 {
		return
	}
	// The provider and the name, because a StorageID means nothing in another evidence.
	how := &l.keys.Storages[at.Storage]
	id := maphash.Comparable(l.seed, struct {
		key      string
		create   int64
		provider envelope.Provider
		name     string
	}{at.Key, at.Create, how.Provider, how.Shortest})
	in, known := l.Written[id]
	if !known {
		in = Incarnation{Storage: at.Storage, Dir: dir, Create: at.Create, Low: at.Version, High: at.Version}
	}
	in.Low, in.High = min(in.Low, at.Version), max(in.High, at.Version)
	l.Written[id] = in
}

// These bound what is kept of the values of one KMS key: the data encryption keys that are told
// apart, their types, and the names of annotations.
const (
	maxDEKs        = 1 << 12
	maxSources     = 8
	maxAnnotations = 64
)

func (l *Ledger) noteKMS(id StorageID, env *envelope.Envelope) {
	k := l.KMS[id]
	if k == nil {
		k = &KMSFacts{DEKs: map[uint64]bool{}, Sources: map[envelope.DEKSourceType]bool{}, annotations: map[string]bool{}}
		l.KMS[id] = k
	}
	dek := maphash.Bytes(l.seed, env.Object.DEKSource)
	if !k.DEKs[dek] && len(k.DEKs) == maxDEKs {
		k.More = true
	} else {
		k.DEKs[dek] = true
	}
	if len(k.Sources) < maxSources {
		k.Sources[env.Object.DEKSourceType] = true
	}
	for name := range env.Object.Annotations() {
		if len(k.annotations) == maxAnnotations {
			break
		}
		if !k.annotations[string(name)] { // unlike setting it, this does not allocate
			k.annotations[string(name)] = true
		}
	}
}

// Names are the names of the annotations, sorted.
func (k *KMSFacts) Names() []report.Text {
	return report.Texts(slices.Sorted(maps.Keys(k.annotations)))
}

// MaxCarved bounds the encrypted values outside of records that EachValue yields.
const MaxCarved = 1 << 18

// AddCarved remembers where a value lies that no record of a page holds and of which no copy is
// kept, so that EachValue finds it again. It leaves plaintext alone unless plain is set.
func (l *Ledger) AddCarved(value []byte, at Copy, plain bool) {
	switch {
	case !plain && !envelope.IsEncrypted(value):
	case len(l.carved) == MaxCarved:
		l.CarvedSkipped++
	default:
		l.carved = append(l.carved, carvedValue{
			key: at.Key, rev: at.Rev, place: at.Place, file: at.File, off: at.Off, size: int32(at.Size), whole: at.Complete,
		})
	}
}

// Settle takes out of the residue what the tree has too: the same bytes under the same key are
// that value once more. Nothing is counted after it.
func (l *Ledger) Settle() {
	for w, r := range l.residue {
		if l.seen[w] {
			r.Residue--
		}
	}
	l.seen, l.residue = nil, nil
}

// Distinct is a lower bound on how many different values were stored in each way, by StorageID: a
// value in the tree may be in the WAL, too. Residue does not count: what follows a prefix there
// may be the text of another object, whose page was used again, and no name is made of that.
func (l *Ledger) Distinct() []int {
	type count struct{ reachable, wal int }
	counts := make([]count, len(l.keys.Storages))
	for id, r := range l.rows {
		counts[id.storage].reachable += r.Reachable
		counts[id.storage].wal += r.WAL
	}
	n := make([]int, len(counts))
	for i, c := range counts {
		n[i] = max(c.reachable, c.wal)
	}
	return n
}

// Whole reports, by StorageID, in which ways whole values were stored: those of records of the
// tree, of free pages and of the WAL. What looks like a value anywhere else may be something else.
func (l *Ledger) Whole() []bool {
	found := make([]bool, len(l.keys.Storages))
	for id, r := range l.rows {
		if r.Reachable+r.WAL+r.whole > 0 {
			found[id.storage] = true
		}
	}
	for _, e := range l.keys.Entries.All() {
		found[e.Storage] = found[e.Storage] || !e.Deleted
	}
	return found
}

// A ResourceRow is a Row with what it counts.
type ResourceRow struct {
	Row
	Storage   StorageID              // 0 of plaintext, whatever its encoding
	Resource  resource.GroupResource // zero if the keys are of no object
	Namespace string
}

// Resources is all rows, in no order, several for one resource and namespace. identity is the
// object that a key stands for. Rows of plaintext have First and Last alone.
func (l *Ledger) Resources(identity func(key string) resource.Identity) []ResourceRow {
	ids := make([]resource.Identity, len(l.Samples))
	for i, key := range l.Samples {
		ids[i] = identity(key)
	}
	var all []ResourceRow
	for id, r := range l.rows {
		all = append(all, ResourceRow{*r, id.storage, ids[id.dir-1].GroupResource, ids[id.dir-1].Namespace})
	}
	for dir, r := range l.plaintext.All() {
		if r.Last > 0 {
			all = append(all, ResourceRow{*r, 0, ids[dir].GroupResource, ids[dir].Namespace})
		}
	}
	return all
}

// dir is the dir of a key. It does not allocate if it is known.
func (l *Ledger) dir(key []byte) dirID {
	dir := key[:max(0, bytes.LastIndexByte(key, '/'))]
	id, ok := l.dirs[string(dir)]
	if !ok {
		l.Samples = append(l.Samples, string(key))
		l.plaintext.Add(Row{})
		id = dirID(len(l.Samples))
		l.dirs[string(dir)] = id
	}
	return id
}

// SampleOf is the key that stands for all of its dir in Resources, key itself if nothing of that dir
// was counted.
func (l *Ledger) SampleOf(key string) string {
	if id := l.dirs[key[:max(0, strings.LastIndexByte(key, '/'))]]; id != 0 {
		return l.Samples[id-1]
	}
	return key
}

// row is the row of encrypted values in a dir.
func (l *Ledger) row(storage StorageID, dir dirID) *Row {
	id := rowID{storage, dir}
	r := l.rows[id]
	if r == nil {
		r = &Row{}
		l.rows[id] = r
	}
	return r
}

// plainRow is the row of the plaintext values in a dir.
func (l *Ledger) plainRow(dir dirID) *Row { return l.plaintext.At(int(dir - 1)) }

func (r *Row) date(rev int64) {
	if rev == 0 {
		return
	}
	if r.First == 0 || rev < r.First {
		r.First = rev
	}
	r.Last = max(r.Last, rev)
}
