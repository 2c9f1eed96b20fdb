package analyzer

import (
	"bytes"
	"hash/maphash"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/wal"
)

// A watch says of which keys every copy is kept, beside the newest value of all.
// Which keys are in scope is known only when a file has been read, as that shows
// the prefixes; a watch may take more, and never less.
type watch struct {
	parts   [][]byte // a key that holds one of them may be in scope, such as "/secrets/"
	secrets bool     // so may any key of a value that says that it is a Secret
	all     bool     // any key may be in scope
	only    string   // if not empty, the one key of which all copies are wanted, encrypted ones too
	// contents says that what plaintext Secrets hold is taken down.
	contents bool
	seed     maphash.Seed
	distinct bool // see wanted
	sealed   func(env *envelope.Envelope, sum uint64)

	// names are those of keys that are known: one that holds a colon is found whole by
	// them. The configuration has the first of them, and nameKeys finds others.
	names []envelope.Name
	// configured is how many the configuration has.
	configured int
}

// A wanted says what a run is about, of which a watch says what must be kept for it.
type wanted struct {
	key       string // if not empty, the one key of which all copies are wanted
	resources []object.GroupResource
	anyPrefix bool // Kubernetes' keys may lie anywhere
	config    *encryption.Config
	// configured says that what config encrypts is wanted, too.
	configured bool
	// distinct says that values are told apart, to count each once.
	distinct bool
	// sealed is told of each encrypted value that is whole, and a hash of it.
	sealed func(env *envelope.Envelope, sum uint64)
}

func newWatch(o wanted) *watch {
	w := &watch{only: o.key, seed: maphash.MakeSeed(), distinct: o.distinct, sealed: o.sealed}
	for _, r := range o.resources {
		w.resource(r)
	}
	w.secrets = o.anyPrefix && slices.Contains(o.resources, secrets)
	if o.config != nil {
		w.names = o.config.Names()
	}
	w.configured = len(w.names)
	if o.configured {
		for _, e := range o.config.Entries() {
			if e.Encrypts() {
				w.all = w.all || e.Wildcard()
				w.resource(e.Resource)
			}
		}
	}
	w.contents = w.watchesSecrets()
	return w
}

// resource adds the keys of a resource.
func (w *watch) resource(r object.GroupResource) {
	for _, part := range object.LastSegments(r) {
		w.parts = append(w.parts, []byte("/"+part+"/"))
	}
}

// key reports whether copies of the key are kept whatever their values are.
func (w *watch) key(key []byte) bool {
	if w.only != "" {
		return string(key) == w.only
	}
	if w.all {
		return true
	}
	for _, part := range w.parts {
		if bytes.Contains(key, part) {
			return true
		}
	}
	return false
}

// value reports whether a copy of the value is kept. watched is what key says.
func (w *watch) value(value []byte, off int64, watched bool) bool {
	if w.only != "" {
		return watched
	}
	return !envelope.IsEncrypted(value) && (watched || w.secrets && isSecret(value, off))
}

// sum is the same for equal values in one run, and means nothing outside it.
func (w *watch) sum(value []byte) uint64 { return maphash.Bytes(w.seed, value) }

// maxPlainName bounds the name of a key that is taken for one outside of the tree.
const maxPlainName = 256

// isName reports whether the names in an envelope look like some, or are known.
func (w *watch) isName(env *envelope.Envelope) bool {
	known := slices.ContainsFunc(w.names, func(n envelope.Name) bool { return n.Provider == env.Provider && n.Name == string(env.KeyName) })
	return (known || isPlainName(env.KeyName)) && isPlainName(env.Object.KeyID)
}

func isPlainName(b []byte) bool {
	return len(b) <= maxPlainName && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// sumEdge is how many bytes at each end of a ciphertext are looked at to tell it from
// others.
const sumEdge = 128

// sealedSum is sum for encrypted values, from both ends of the ciphertext: there are the
// nonce and the tag, and the last block of AES-CBC, which depends on all before it.
func (w *watch) sealedSum(env *envelope.Envelope) uint64 {
	b := env.Payload
	if len(env.Object.EncryptedData) > 0 {
		b = env.Object.EncryptedData
	}
	if len(b) <= 2*sumEdge {
		return maphash.Bytes(w.seed, b)
	}
	var h maphash.Hash
	h.SetSeed(w.seed)
	_, _ = h.Write(b[:sumEdge])
	_, _ = h.Write(b[len(b)-sumEdge:])
	return h.Sum64() + uint64(len(b))
}

var secretType = object.TypeMeta{APIVersion: "v1", Kind: "Secret"}

// isSecret reports whether a value says of itself that it is a Secret. Nearly all
// values are told by the first bytes.
func isSecret(value []byte, off int64) bool {
	if len(value) == 0 {
		return false
	}
	head := value
	if value[0] == 'k' { // runtime.Unknown: the type stands at the front
		head = value[:min(len(value), 64)]
	}
	if !bytes.Contains(head, []byte("Secret")) {
		return false
	}
	t, _ := object.ParseType(value, off)
	return t == secretType
}

// A sighting is one place where a stored value of a watched key was seen, or its
// deletion.
type sighting struct {
	key  string
	off  int64 // of the value, or of the bytes of it that were found
	size int64
	page report.Page

	rev     mvcc.Revision // 0 where it is not known
	create  int64
	version int64
	index   wal.Index // of the raft entry; 0 outside the WAL
	term    wal.Term

	stored   storedID
	file     fileID
	entry    entryID // of its key; 0 if it had none when it was seen
	holds    int32   // of a plaintext Secret: its number in survey.contents, 0 if it has none
	place    place
	deletion bool
	object   bool // the bytes start as the value does
	complete bool // and they are all of it
	orphan   bool // a piece, of which the key is known by its bytes alone
	reread   bool // a reachable record has the same key and revision
	applied  bool // of a raft entry: the db has seen it
	replaced bool // of a raft entry: another entry took its index, so it never counted
	sum      uint64
}

// sight keeps a copy of a value of r that is watched, or r itself, which stands at
// at.off, if it is a deletion that is. err says what is wrong with the record. A key of
// which nothing is kept takes no memory.
func (s *survey) sight(r *mvcc.Record, watched bool, at sighting, err error) {
	at.rev, at.create, at.version = r.Revision, r.CreateRevision, r.Version
	at.size, at.object, at.complete = int64(len(r.Value)), true, err == nil
	if at.deletion = r.Tombstone && err == nil; at.deletion {
		if s.watch.only != "" && watched {
			at.key = s.keyName(r.Key)
			s.keep(at)
		}
		return
	}
	at.off = r.ValueOff
	if !envelope.IsEncrypted(r.Value) && !s.watch.value(r.Value, at.off, watched) {
		if at.entry != 0 {
			s.ledger.plainOf(s.keys.at(at.entry), r.Key, r.Revision.Main)
		} else {
			s.ledger.plain(r.Key, r.Revision.Main)
		}
		return
	}
	if at.entry == 0 {
		at.key = s.keyName(r.Key)
	}
	s.sightValue(r.Value, watched, at)
}

// keyName is the key as a string, in the memory of the entry where it has one.
func (s *survey) keyName(key []byte) string {
	if id := s.keys.find(key); id != 0 {
		return s.keys.at(id).key
	}
	return string(key)
}

// sightValue keeps a copy of value, which stands at at.off, if it is watched.
func (s *survey) sightValue(value []byte, watched bool, at sighting) {
	if envelope.IsEncrypted(value) {
		s.sightSealed(value, watched, at)
		return
	}
	s.ledger.plain([]byte(at.key), at.rev.Main)
	if !s.watch.value(value, at.off, watched) {
		return
	}
	env, err := s.keys.open(value, at.off)
	at.stored = s.keys.intern(env)
	at.complete = at.complete && (err == nil || env.Provider == envelope.Identity)
	at.sum = s.watch.sum(value)
	if s.watch.holdsSecret(at.key, value, at.off) {
		at.holds = s.contents.add(value, at.off)
	}
	s.keep(at)
}

// sightSealed takes a copy of an encrypted value into the ledger, and keeps it if it is
// watched.
func (s *survey) sightSealed(value []byte, watched bool, at sighting) {
	env, err := s.keys.open(value, at.off)
	if at.place != inTree && at.place != inWAL && !s.watch.isName(&env) {
		// The bytes behind the prefix may be anything's, such as another object's.
		env, err = envelope.Envelope{}, decode.ErrValue
	}
	at.stored = s.keys.intern(env)
	at.complete = at.complete && err == nil
	at.sum = s.watch.sealedSum(&env)
	s.ledger.sealed(&at, &env)
	if s.watch.value(value, at.off, watched) {
		s.keep(at)
	}
}

// keep notes a sighting. Equal keys share their memory.
func (s *survey) keep(at sighting) {
	if at.entry != 0 {
		s.sightings.add(at)
		return
	}
	if id := s.keys.find([]byte(at.key)); id != 0 {
		at.key, at.entry = s.keys.at(id).key, id
	} else if key, ok := s.unheld[at.key]; ok {
		at.key = key
	} else {
		s.unheld[at.key] = at.key
	}
	s.sightings.add(at)
}

// plaintext reports whether the value was stored as it was.
func (s *survey) plaintext(at *sighting) bool {
	return !at.deletion && s.keys.stored[at.stored].provider == envelope.Identity && (at.size > 0 || at.complete)
}

// dateLog gives raft entries the revisions of the records that they became.
func (s *survey) dateLog() {
	byKey := map[string][]int{}
	for i, at := range s.sightings.all() {
		if at.place != inWAL {
			byKey[at.key] = append(byKey[at.key], i)
		}
	}
	for _, at := range s.sightings.all() {
		if at.place == inWAL && at.applied && !at.deletion {
			s.date(at, byKey[at.key])
		}
	}
}

// settle finds which residue is a reachable record once more: copy-on-write leaves old copies
// of live values all the time.
func (s *survey) settle() {
	if len(s.segments) > 0 {
		s.dateLog()
	}
	type write struct {
		key string
		rev mvcc.Revision
	}
	reachable := map[write]bool{} // of the writes that residue has
	for _, at := range s.sightings.all() {
		if at.isResidue() {
			reachable[write{at.key, at.rev}] = false
		}
	}
	for _, at := range s.sightings.all() {
		if _, ok := reachable[write{at.key, at.rev}]; ok && at.place == inTree {
			reachable[write{at.key, at.rev}] = true
		}
	}
	for _, at := range s.sightings.all() {
		if at.isResidue() {
			e := s.entryOf(at) // whose newest value may be in the WAL alone
			at.reread = at.reread || reachable[write{at.key, at.rev}] || e != nil && !e.deleted && !e.unknown && e.rev == at.rev
		}
	}
}

// isResidue reports whether a copy lies outside of the tree, and its revision is known.
func (at *sighting) isResidue() bool {
	return at.place != inTree && at.place != inWAL && at.rev.Main != 0
}

// entryOf is the entry of the key of a copy, nil if there is none.
func (s *survey) entryOf(at *sighting) *entry {
	if at.entry != 0 {
		return s.keys.at(at.entry)
	}
	return s.keys.entry(at.key)
}
