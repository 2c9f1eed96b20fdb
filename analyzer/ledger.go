package analyzer

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
)

// maxCarved bounds the encrypted values outside of records that are kept for proof,
// and maxDEKs the data encryption keys that are told apart for one KMS key.
const (
	maxCarved = 1 << 18
	maxDEKs   = 1 << 12
)

// A ledger counts all values of one survey by how they were stored, in whatever region.
// It grows with the namespaces and the keys of providers; with the number of values
// only where `keys` asks for distinct ones, and where aesgcm counts its writes.
type ledger struct {
	keys *keyspace
	rows map[rowID]*row
	// plaintext is the rows of plaintext values, by the ID of their dir less one.
	plaintext chunks[row]
	dirs      map[string]dirID // what stands before the last slash of a key
	// samples has a key of each dir, by its ID less one. Of what kind its objects are is known
	// when the whole file has been read.
	samples []string

	written map[uint64]incarnation // by the hash of what it is
	kms     map[storedID]*kmsFacts // by how the values were stored

	// seen and residue are hashes of the values that were counted in the tree and outside
	// of it, as a free page often holds a value of the tree once more. They are nil unless
	// distinct values are asked for.
	seen    map[uint64]bool
	residue map[uint64]*row

	carved        []carvedValue
	carvedSkipped int
	seed          maphash.Seed
	sealedValue   func(env *envelope.Envelope, sum uint64) // see watch.sealed
}

// A dirID is a dir that keys lie in; 0 is none.
type dirID int32

// A rowID is how encrypted values were stored, and the dir that their keys lie in.
type rowID struct {
	stored storedID
	dir    dirID
}

// A row counts values. Residue has those of which the tree has no copy, if the ledger
// knows.
type row struct {
	reachable, wal int
	residue        int
	whole          int   // of residue, those that are whole records, whether the tree has them or not
	first, last    int64 // main revisions; 0 if none is known
}

// An incarnation is a key from its creation to its deletion, encrypted in one way, with
// the lowest and the highest version that was seen of it.
type incarnation struct {
	stored    storedID
	dir       dirID
	create    int64
	low, high int64
}

// kmsFacts is what KMS v2 values say of their data encryption keys.
type kmsFacts struct {
	deks        map[uint64]bool
	more        bool // there are more than deks holds
	sources     map[envelope.DEKSourceType]bool
	annotations map[string]bool
}

// A carvedValue is an encrypted value that was found outside of a record of a page.
type carvedValue struct {
	key   string
	rev   mvcc.Revision
	place place
	file  fileID
	off   int64
	size  int32
	whole bool
}

func newLedger(keys *keyspace, w *watch) *ledger {
	l := &ledger{keys: keys, rows: map[rowID]*row{}, dirs: map[string]dirID{},
		written: map[uint64]incarnation{}, kms: map[storedID]*kmsFacts{}, seed: w.seed, sealedValue: w.sealed}
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
		l.samples = append(l.samples, string(key))
		l.plaintext.add(row{})
		i = dirID(len(l.samples))
		l.dirs[string(dir)] = i
	}
	return i
}

func (l *ledger) row(stored storedID, dir dirID) *row {
	id := rowID{stored, dir}
	r := l.rows[id]
	if r == nil {
		r = &row{}
		l.rows[id] = r
	}
	return r
}

// plainRow is the row of the plaintext values in a dir.
func (l *ledger) plainRow(dir dirID) *row { return l.plaintext.at(int(dir - 1)) }

// plain counts a plaintext value: its revision tells when the key that encrypts its
// resource now was not in use yet.
func (l *ledger) plain(key []byte, rev int64) {
	if rev > 0 && len(key) > 0 {
		l.plainRow(l.dir(key)).date(rev)
	}
}

// plainOf is plain for a key that has an entry, which knows its dir.
func (l *ledger) plainOf(e *entry, key []byte, rev int64) {
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
	if r.first == 0 || rev < r.first {
		r.first = rev
	}
	r.last = max(r.last, rev)
}

// sealed counts an encrypted value.
func (l *ledger) sealed(at *sighting, env *envelope.Envelope) {
	dir := l.dir([]byte(at.key))
	r := l.row(at.stored, dir)
	r.date(at.rev.Main)
	switch at.place {
	case inTree:
		r.reachable++
		if l.seen != nil {
			l.seen[l.write(at)] = true
		}
	case inWAL:
		r.wal++
	default:
		l.outside(at, r)
		if at.place == onFreePage && at.complete {
			r.whole++
		}
	}
	if at.complete {
		l.sealedValue(env, at.sum)
	}
	switch env.Provider {
	case envelope.AESGCM:
		l.count(at, dir)
	case envelope.KMSv2:
		if at.complete {
			l.noteKMS(at.stored, env)
		}
	}
}

// outside counts a value outside of the tree, each distinct one once.
func (l *ledger) outside(at *sighting, r *row) {
	if l.residue == nil {
		r.residue++
		return
	}
	if w := l.write(at); l.residue[w] == nil {
		l.residue[w] = r
		r.residue++
	}
}

// write is a hash that tells a value of a key from all others.
func (l *ledger) write(at *sighting) uint64 {
	return maphash.Comparable(l.seed, struct {
		key string
		sum uint64
	}{at.key, at.sum})
}

// carve notes where a value lies that no record of a page holds, if it is encrypted: it is
// read once more to be proven.
func (l *ledger) carve(value []byte, at sighting) {
	switch {
	case !envelope.IsEncrypted(value):
	case len(l.carved) == maxCarved:
		l.carvedSkipped++
	default:
		l.carved = append(l.carved, carvedValue{at.key, at.rev, at.place, at.file, at.off, int32(at.size), at.complete})
	}
}

// count notes the version of a value of aesgcm, which tells how often its key has been
// written since it was created.
func (l *ledger) count(at *sighting, dir dirID) {
	if at.version <= 0 || at.create <= 0 {
		return
	}
	// The index in keyspace.stored may be another in another file, the name is not.
	id := maphash.String(l.seed, at.key) + uint64(at.create)*0x9e3779b97f4a7c15 ^ maphash.String(l.seed, l.keys.stored[at.stored].shortest)
	in, known := l.written[id]
	if !known {
		in = incarnation{at.stored, dir, at.create, at.version, at.version}
	}
	in.low, in.high = min(in.low, at.version), max(in.high, at.version)
	l.written[id] = in
}

func (l *ledger) noteKMS(stored storedID, env *envelope.Envelope) {
	k := l.kms[stored]
	if k == nil {
		k = &kmsFacts{deks: map[uint64]bool{}, sources: map[envelope.DEKSourceType]bool{}, annotations: map[string]bool{}}
		l.kms[stored] = k
	}
	dek := maphash.Bytes(l.seed, env.Object.DEKSource)
	if !k.deks[dek] && len(k.deks) == maxDEKs {
		k.more = true
	} else {
		k.deks[dek] = true
	}
	if len(k.sources) < 8 {
		k.sources[env.Object.DEKSourceType] = true
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

// settle takes out of the residue what the tree has too: the same bytes under the same
// key are that value once more.
func (l *ledger) settle() {
	for w, r := range l.residue {
		if l.seen[w] {
			r.residue--
		}
	}
	l.seen, l.residue = nil, nil
}

// distinct is a lower bound on how many different values were stored in each way, by
// storedID: a value in the tree may be in the WAL, too. Residue does not
// count: what follows a prefix there may be the text of another object, whose page was used
// again, and no name is made of that.
func (l *ledger) distinct() []int {
	type count struct{ reachable, wal int }
	counts := make([]count, len(l.keys.stored))
	for id, r := range l.rows {
		counts[id.stored].reachable += r.reachable
		counts[id.stored].wal += r.wal
	}
	n := make([]int, len(counts))
	for i, c := range counts {
		n[i] = max(c.reachable, c.wal)
	}
	return n
}

// whole says which ways of storing whole values have: records of the tree, of free pages
// and of the WAL. What looks like a value anywhere else may be none.
func (l *ledger) whole() []bool {
	found := make([]bool, len(l.keys.stored))
	for id, r := range l.rows {
		if r.reachable+r.wal+r.whole > 0 {
			found[id.stored] = true
		}
	}
	for _, e := range l.keys.entries.all() {
		found[e.stored] = found[e.stored] || !e.deleted
	}
	return found
}

// rowCounts is a row with the resource and the namespace of its keys.
type rowCounts struct {
	row
	stored    storedID // 0 of plaintext, whatever its encoding
	resource  object.GroupResource
	namespace string
}

// resources is all rows by resource and namespace, in no order. identity tells which object a
// key stands for.
func (l *ledger) resources(identity func(key string) object.Identity) []rowCounts {
	ids := make([]object.Identity, len(l.samples))
	for i, key := range l.samples {
		ids[i] = identity(key)
	}
	var all []rowCounts
	for id, r := range l.rows {
		all = append(all, rowCounts{*r, id.stored, ids[id.dir-1].GroupResource, ids[id.dir-1].Namespace})
	}
	for dir, r := range l.plaintext.all() {
		if r.last > 0 {
			all = append(all, rowCounts{*r, 0, ids[dir].GroupResource, ids[dir].Namespace})
		}
	}
	return all
}

func (k *kmsFacts) names() []report.Text {
	return report.Texts(slices.Sorted(maps.Keys(k.annotations)))
}
