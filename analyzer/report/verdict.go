package report

// Status is the answer on one key, or on all of the evidence.
type Status string

// The statuses of a key are the first four; a verdict is StatusPlaintext,
// StatusExposed, StatusIncomplete, StatusUnattributed, StatusEmpty or StatusClean.
const (
	StatusPlaintext  Status = "plaintext"  // the newest revision is not encrypted
	StatusExposed    Status = "exposed"    // it is, but a plaintext copy was seen
	StatusEncrypted  Status = "encrypted"  // no plaintext copy in anything read
	StatusUnreadable Status = "unreadable" // an unknown or broken envelope
	StatusIncomplete Status = "incomplete" // nothing readable was seen, but not everything was looked at
	StatusClean      Status = "clean"      // nothing readable in any byte of the evidence
	StatusEmpty      Status = "empty"      // every byte was read, and nothing is there that the verdict could be about
	// StatusUnattributed stands between the two: every byte was read, nothing readable
	// is known to be an object's in scope, and some bytes that belong to nothing known
	// look like text.
	StatusUnattributed Status = "unattributed"
)

// A Verdict is the answer in one line. Status is never StatusClean unless
// Complete is true.
type Verdict struct {
	Status     Status `json:"status"`
	Complete   bool   `json:"complete"`
	ExitStatus int    `json:"exitStatus"`
}

// The exit statuses of the program. ExitUsage is for wrong usage, and for a report
// that could not be written; the others come from a report.
const (
	ExitClean       = 0 // every byte was read, and nothing reached FailOn
	ExitFindings    = 1
	ExitUsage       = 2
	ExitNotEvidence = 3 // a PATH is no evidence, or nothing in scope was found in any
	ExitIncomplete  = 4 // damage, no permission or an I/O error left something unread
	ExitChanged     = 5 // the evidence changed while it was read
)
