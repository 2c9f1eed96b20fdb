package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// A Proof is what came of decrypting one value. The zero Proof says that nobody tried.
type Proof struct {
	Key     *encryption.Key // that opened the value; nil if none did
	Outcome Outcome
	Covered bool // the configuration has a key of that name for the resource of the value
	Stale   bool // a KMS plugin would write the value in another way now
	Refused bool // a KMS plugin did not decrypt the data encryption key
}

// An Outcome is how an attempt to decrypt a value ended; 0 says that there was none.
type Outcome uint8

const (
	_         Outcome = iota
	Unproven          // no key of the configuration has the name, or only a plugin could tell
	Proven            // a key opens the value, and in it is the object of its etcd key
	Closed            // a key has the name, and does not open the value
	NotObject         // a key opens the value, and in it is not the object of its etcd key
)

// Failed reports whether a key has the name in the value, and the value is not what it should be.
func (p Proof) Failed() bool { return p.Outcome == Closed || p.Outcome == NotObject }

// Reported is what the report says of the outcome.
func (p Proof) Reported() report.Proof {
	switch {
	case p.Outcome == Proven:
		return report.Proven
	case p.Failed():
		return report.Failed
	}
	return report.Unproven
}
