package report

// Status is the answer on one key, or on all of the evidence.
type Status string

// The statuses of a key are the first four; a verdict is StatusPlaintext,
// StatusExposed, StatusIncomplete, StatusUnattributed, StatusEmpty or StatusClean.
const (
	StatusPlaintext  Status = "plaintext"  // the newest revision is not encrypted
	StatusExposed    Status = "exposed"    // it is, but there is a plaintext copy
	StatusEncrypted  Status = "encrypted"  // no plaintext copy in anything that the run read
	StatusUnreadable Status = "unreadable" // an unknown or broken envelope
	StatusIncomplete Status = "incomplete" // nothing readable seen, but not all examined
	StatusClean      Status = "clean"      // nothing readable in any byte of the evidence
	StatusEmpty      Status = "empty"      // the run read every byte, and nothing in it is in scope
	// StatusUnattributed stands between StatusIncomplete and StatusClean: the run read every
	// byte, found nothing readable that is known to be of an object in scope, and some bytes
	// that belong to nothing known look like text.
	StatusUnattributed Status = "unattributed"
)

// A Verdict is the answer in one line. Status is never StatusClean unless
// Complete is true.
type Verdict struct {
	Status     Status `json:"status"`
	Complete   bool   `json:"complete"`
	ExitStatus int    `json:"exitStatus"`
}

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
