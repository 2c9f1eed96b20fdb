package report

// Status is the answer on one object, or on all of the evidence.
type Status string

// The statuses of an object are the first four. The others, with StatusPlaintext and
// StatusExposed, are those of a verdict: see Reasons.
const (
	StatusPlaintext Status = "plaintext" // the newest value is not encrypted
	StatusExposed   Status = "exposed"   // it is, or the object is deleted, but a plaintext copy was seen
	StatusEncrypted Status = "encrypted" // no plaintext copy in anything that the run read
	StatusBroken    Status = "broken"    // an envelope that nobody knows, or bytes that break their format
	// With a configuration: a newest value is not as it says.
	StatusPolicy Status = "policy"
	// The evidence is not what etcd and the API servers wrote.
	StatusUntrusted Status = "untrusted"
	// Something that was asked for could not be read.
	StatusIncomplete Status = "incomplete"
	// Any other finding of severity medium or above, or a broken value in scope.
	StatusFindings Status = "findings"
	// Bytes that belong to nothing known look like text.
	StatusUnattributed Status = "unattributed"
	// Nothing in the whole run is in scope.
	StatusEmpty Status = "empty"
	// None of the above: the run read everything, and found something in scope, all of it encrypted.
	StatusClean Status = "clean"
)

// Statuses lists all of them: those of a verdict, and the other ones of an object.
func Statuses() []Status { return append(Reasons(), StatusEncrypted, StatusBroken) }

// Reasons lists what the status of a verdict can be, the worst first. All but StatusClean may
// hold at once.
func Reasons() []Status {
	return []Status{StatusPlaintext, StatusExposed, StatusPolicy, StatusUntrusted, StatusIncomplete, StatusFindings,
		StatusUnattributed, StatusEmpty, StatusClean}
}

// A Verdict is the answer in one line. Status is the first of Reasons: the worst. StatusClean
// never stands beside another.
type Verdict struct {
	Status Status `json:"status"`
	// Complete says that everything was read that the user asked for.
	Complete   bool      `json:"complete"`
	ExitStatus int       `json:"exitStatus"`
	Reasons    []Reason  `json:"reasons"`
	LeftOut    []LeftOut `json:"leftOut"`
}

// A Reason is a status that holds. Count is of objects, or of places where there are no objects;
// for StatusClean it is of the objects in scope.
type Reason struct {
	Status Status `json:"status"`
	Count  int    `json:"count"`
}

// Count is the count of a reason, 0 if it does not hold.
func (v *Verdict) Count(s Status) int {
	for _, r := range v.Reasons {
		if r.Status == s {
			return r.Count
		}
	}
	return 0
}

// LeftOut is what a flag leaves out of the question.
type LeftOut string

// What flags leave out.
const (
	LeftOutWAL    LeftOut = "wal"    // --no-wal
	LeftOutPrefix LeftOut = "prefix" // --prefix: keys that lie under no such prefix
)

// AllLeftOut lists all of them.
func AllLeftOut() []LeftOut { return []LeftOut{LeftOutWAL, LeftOutPrefix} }

func (l LeftOut) String() string { return string(l) }

// UnmarshalText reads one of AllLeftOut.
func (l *LeftOut) UnmarshalText(text []byte) error { return setWord(l, text, AllLeftOut()) }

// The exit statuses of the program. ExitUsage is for wrong usage, and for a failure to write
// the report; the others come from a report.
const (
	ExitClean       = 0 // the run read every byte, and nothing reached FailOn
	ExitFindings    = 1
	ExitUsage       = 2
	ExitNotEvidence = 3 // a PATH is no evidence, or no PATH has anything in scope
	ExitIncomplete  = 4 // damage, no permission or an I/O error left something unread
	ExitChanged     = 5 // the evidence changed during the run
)
