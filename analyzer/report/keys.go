package report

// A KeysReport is the answer of `keys`: which encryption keys the values need, and whether the
// user may drop some. Its verdict tells whether the run read everything; `scan` has the
// findings on plaintext copies.
type KeysReport struct {
	Examined
	Keys      []KeyUse        `json:"keys"`
	Retire    []Retirement    `json:"retire,omitempty"` // one for each key that the user asked for
	Findings  []Finding       `json:"findings"`
	Inventory []ResourceCount `json:"inventory"`
}

// A KeyUse is a key of a provider, or a KMS key ID of one, and the values that need it. Four
// fields count values. Newest: the newest values of live keys. History: others in the newest
// trees. Residue: distinct ones that lie only outside of these trees. WAL: puts in WAL
// segments, whether the db has them or not. A value in several files counts in each.
type KeyUse struct {
	Provider Provider `json:"provider"`
	KeyName  Text     `json:"keyName"`
	KMSKeyID Text     `json:"kmsKeyID"`
	// NameMayGoOn says that KeyName is the shortest name that the key can have: the bytes
	// behind its colon may belong to the name.
	NameMayGoOn bool `json:"nameMayGoOn,omitempty"`
	Newest      int  `json:"newest"`
	History     int  `json:"history"`
	Residue     int  `json:"residue"`
	WAL         int  `json:"wal"`
	// Resources counts the newest values of each; Namespaces all of them by namespace.
	Resources  map[string]int `json:"resources"`
	Namespaces []NamespaceUse `json:"namespaces"`
	// The lowest and highest known revision of the values; 0 if no revision is known.
	FirstRevision int64 `json:"firstRevision,omitempty"`
	LastRevision  int64 `json:"lastRevision,omitempty"`
	// Proof is of the newest values, or of the others if there are no newest ones. Without a
	// configuration it is unproven.
	Proof Proof `json:"proof"`
	// Opened and NotOpened count the newest values that a key of that name in the configuration
	// opens, and those that no such key opens: another key has that name, too.
	Opened    int `json:"opened,omitempty"`
	NotOpened int `json:"notOpened,omitempty"`
	// Config is what the configuration does with the key.
	Config ConfigUse `json:"config,omitempty"`
	// Of KMS v2: how many data encryption keys (or seeds) there are, of which types, and
	// the names of the annotations.
	DEKs        int    `json:"deks,omitempty"`
	MoreDEKs    bool   `json:"moreDEKs,omitempty"` // there are more than DEKs counts
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

// A Retirement says whether the user may drop a key. Like "clean", that is a claim on all of
// the evidence: nothing checks a key that does not occur in it.
type Retirement struct {
	Key     Text `json:"key"` // as the user spelt it
	Printed bool `json:"-"`   // Key is as KeysOptions.Label prints it, escapes and all
	// Safe says that Answer is RetireSafe.
	Safe       bool   `json:"safe"`
	Stragglers []Text `json:"stragglers"` // etcd keys whose newest value needs it
	// What else needs it: not to run the cluster, but to read old revisions and backups.
	History int `json:"history"`
	Residue int `json:"residue"`
	WAL     int `json:"wal"`
	// Unreadable counts newest values that do not tell which key they need.
	Unreadable int `json:"unreadable"`
	// Complete is false if the run may have missed newest values: it did not read something, or
	// it has a WAL without its db.
	Complete bool `json:"complete"`
	// Seen says that some value, or a configuration, names the key at all. If not, DidYouMean
	// is a key of similar spelling that they do name.
	Seen       bool         `json:"seen"`
	Answer     RetireAnswer `json:"answer"`
	DidYouMean Text         `json:"didYouMean,omitempty"`
	// Opened and NotOpened count the stragglers that a key of that name in the configuration
	// opens, and those that no such key opens: another key has that name, too.
	Opened    int `json:"opened,omitempty"`
	NotOpened int `json:"notOpened,omitempty"`
	// Writes says that the configuration encrypts with it: every later write needs it.
	Writes bool `json:"writes,omitempty"`
}

// RetireAnswer says whether the user may drop a key.
type RetireAnswer string

// The answers: the first that holds counts, and RetireSafe if no other does.
const (
	RetireNeeded  RetireAnswer = "needed"  // a newest value needs it
	RetireUnknown RetireAnswer = "unknown" // the run may miss newest values, or nobody can read some
	RetireEmpty   RetireAnswer = "empty"   // no value is encrypted: the evidence tells nothing of any key
	RetireUnseen  RetireAnswer = "unseen"  // neither a value nor a configuration names it: it may be misspelt
	RetireSafe    RetireAnswer = "safe"
)

// RetireAnswers lists all of them, in that order.
func RetireAnswers() []RetireAnswer {
	return []RetireAnswer{RetireNeeded, RetireUnknown, RetireEmpty, RetireUnseen, RetireSafe}
}
