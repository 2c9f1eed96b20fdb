package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A Question is what is asked of the evidence, set before New and never changed.
type Question struct {
	// Run is what the user asked, for the report. FailOn of it is the least severity that makes
	// the exit status 1; with SeverityNone no finding does.
	Run report.Run
	// Resources are what the verdict is about.
	Resources []resource.GroupResource
	// Configured says that the verdict is about what Encryption says to encrypt, too.
	Configured bool
	// AllowEmpty says that a run which finds nothing in scope does not end in ExitNotEvidence.
	AllowEmpty bool
	// Key is the key of which History tells; empty for all other answers.
	Key report.Text
	// Encryption is the configuration to hold the evidence against; nil without one.
	Encryption *encryption.Config
	// Keys asks for the answer of Keys, and needs an Interest in distinct values.
	Keys bool
	// Retire is the keys that the user wants to drop, for Keys. Each text is a key, or a list of them.
	Retire []string
	// Label is how reports print a key; nil stands for PROVIDER:NAME (KMS KEY ID).
	Label func(provider report.Provider, name, kmsKeyID report.Text) string
	// NotExamined is what the caller knows of and did not open.
	NotExamined []report.NotExamined
	// NotEvidence is what the user named and is no evidence, or is not there.
	NotEvidence []report.NotExamined
}
