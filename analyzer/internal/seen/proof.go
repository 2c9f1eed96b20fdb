package seen

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
)

// StatusOf is the status of a key of which s has the newest value, as far as anybody
// knows.
func (ev *Evidence) StatusOf(e *Entry) report.Status {
	status := ev.Keys.status(e)
	if e.Unknown && status == report.StatusPlaintext {
		return report.StatusExposed // by what was seen of it: nobody knows its newest value
	}
	return status
}

// A Proof is what came of decrypting one value.
type Proof struct {
	Key     *encryption.Key // that opened it, nil if none did
	Outcome Outcome
	Covered bool // the key is of the entry of the value's resource
	Stale   bool // a KMS plugin would write it in another way
	Refused bool // a KMS plugin did not decrypt its data encryption key
}

type Outcome uint8

const (
	untried  Outcome = iota
	Unproven         // no key of the configuration has its name, or only a plugin could tell
	Proven
	Closed    // a key has its name, and does not open it
	NotObject // a key opens it, and what is in it is not the object of its etcd key
)

// Proved is what came of decrypting the value of e.
func (e *Entry) Proved() Proof {
	if e.Proof == nil {
		return Proof{}
	}
	return *e.Proof
}

// Reported is the outcome in a word; empty for what was never encrypted.
func (p Proof) Reported() report.Proof {
	switch p.Outcome {
	case Proven:
		return report.Proven
	case Closed, NotObject:
		return report.Failed
	}
	return report.Unproven
}
