package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A Question is what a report is to answer. Its fields are those of analyzer.Options, set before
// New and never changed.
type Question struct {
	// Tool is named in the report.
	Tool report.Tool
	// Resources are what the verdict is about.
	Resources []object.GroupResource
	// Configured says that the verdict is about what Encryption says to encrypt, too.
	Configured bool
	// FailOn is the least severity that makes the exit status 1; with SeverityNone no finding does.
	FailOn report.Severity
	// AllowEmpty says that a run which finds nothing in scope does not end in ExitNotEvidence.
	AllowEmpty bool
	// Key asks for the History of one key; empty asks for none.
	Key report.Text
	// Encryption is the configuration to hold the evidence against; nil without one.
	Encryption *encryption.Config
	// Keys asks for Report.Keys.
	Keys bool
	// Retire asks for Report.Retire, and needs Keys. Each text is a key to drop, or a list of them.
	Retire []string
	// Label is how reports print a key; nil stands for PROVIDER:NAME (KMS KEY ID).
	Label func(provider report.Provider, name, kmsKeyID report.Text) string
	// NotExamined is what the caller knows of and did not open.
	NotExamined []report.NotExamined
	// NotEvidence is what the user named and is no evidence, or is not there.
	NotEvidence []report.NotExamined
}
