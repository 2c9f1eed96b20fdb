package report

// A KeysReport is the answer of `keys`: which encryption keys the values need, and whether some of
// them may be dropped. Its verdict tells whether all was read; findings on plaintext copies are
// what `scan` is for.
type KeysReport struct {
	Examined
	Keys      []KeyUse        `json:"keys"`
	Retire    []Retirement    `json:"retire,omitempty"` // one for each key that was asked for
	Findings  []Finding       `json:"findings"`
	Inventory []ResourceCount `json:"inventory"`
}

// A KeyUse is a key of a provider, or a KMS key ID of one, and the values that need it.
// Newest, History, Residue and WAL count values: newest ones of live keys; others in the
// newest trees; distinct ones outside of them, of which the trees have no copy; and
// puts in WAL segments, whether the db has them or not. Several files count each.
type KeyUse struct {
	Provider Provider `json:"provider"`
	KeyName  Text     `json:"keyName"`
	KMSKeyID Text     `json:"kmsKeyID"`
	// NameMayGoOn says that KeyName is the shortest name that the key can have: what stands
	// behind its colon may be more of it, or not.
	NameMayGoOn bool `json:"nameMayGoOn,omitempty"`
	Newest      int  `json:"newest"`
	History     int  `json:"history"`
	Residue     int  `json:"residue"`
	WAL         int  `json:"wal"`
	// Resources counts the newest values of each; Namespaces all of them by namespace.
	Resources  map[string]int `json:"resources"`
	Namespaces []NamespaceUse `json:"namespaces"`
	// The lowest and highest revision of any of the values; 0 if none is known.
	FirstRevision int64 `json:"firstRevision,omitempty"`
	LastRevision  int64 `json:"lastRevision,omitempty"`
	// Proof is of the newest values; of the others where there are none. Without a
	// configuration it is unproven.
	Proof Proof `json:"proof"`
	// Opened and NotOpened count the newest values that a key of that name in the
	// configuration opens, and those that none does: another key has that name, too.
	Opened    int `json:"opened,omitempty"`
	NotOpened int `json:"notOpened,omitempty"`
	// Config is what the configuration does with the key.
	Config ConfigUse `json:"config,omitempty"`
	// Of KMS v2: how many data encryption keys (or seeds) there are, of which types, and
	// the names of the annotations.
	DEKs        int    `json:"deks,omitempty"`
	MoreDEKs    bool   `json:"moreDEKs,omitempty"` // there are more than were counted
	DEKTypes    []Text `json:"dekSourceTypes,omitempty"`
	Annotations []Text `json:"annotations,omitempty"`
}

// A NamespaceUse is the values of one resource in one namespace that need a key.
type NamespaceUse struct {
	Resource  Text `json:"resource"`
	Namespace Text `json:"namespace"`
	Newest    int  `json:"newest"`
	History   int  `json:"history"`
	Residue   int  `json:"residue"`
	WAL       int  `json:"wal"`
}

// A Retirement says whether a key may be dropped. Like "clean", that is a claim on all of
// the evidence: a key that was not seen was not checked.
type Retirement struct {
	Key     Text `json:"key"` // as it was asked for
	Printed bool `json:"-"`   // that is how Options.Label prints it, escapes and all
	// Safe says that Answer is RetireSafe.
	Safe       bool   `json:"safe"`
	Stragglers []Text `json:"stragglers"` // etcd keys whose newest value needs it
	// What else needs it: not to run the cluster, but to read old revisions and backups.
	History int `json:"history"`
	Residue int `json:"residue"`
	WAL     int `json:"wal"`
	// Unreadable counts newest values of which nobody can tell which key they need.
	Unreadable int `json:"unreadable"`
	// Complete is false where there may be newest values that were not seen: something was
	// not read, or of a WAL there is no db.
	Complete bool `json:"complete"`
	// Seen says that some value, or a configuration, names the key at all. DidYouMean is a
	// key that one does, where this one is not seen and is spelt much like it.
	Seen       bool         `json:"seen"`
	Answer     RetireAnswer `json:"answer"`
	DidYouMean Text         `json:"didYouMean,omitempty"`
	// Opened and NotOpened count the stragglers that a key of that name in the configuration
	// opens, and those that none does: another key has that name, too.
	Opened    int `json:"opened,omitempty"`
	NotOpened int `json:"notOpened,omitempty"`
	// Writes says that the configuration encrypts with it: what is written from now on
	// needs it.
	Writes bool `json:"writes,omitempty"`
}

// RetireAnswer is the answer to whether a key may be dropped.
type RetireAnswer string

// The answers, the first that holds. RetireSafe is none of the others.
const (
	RetireNeeded  RetireAnswer = "needed"  // a newest value needs it
	RetireUnknown RetireAnswer = "unknown" // there may be newest values that were not seen, or that nobody can read
	RetireEmpty   RetireAnswer = "empty"   // no value is encrypted: the evidence tells nothing of any key
	RetireUnseen  RetireAnswer = "unseen"  // neither a value nor a configuration names it: it may be misspelt
	RetireSafe    RetireAnswer = "safe"
)
