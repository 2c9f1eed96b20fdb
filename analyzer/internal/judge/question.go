package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A Question is what a report is to answer. Its fields are those of analyzer.Options.
type Question struct {
	Tool      report.Tool
	Resources []object.GroupResource
	// Configured says that the verdict is about what Encryption says to encrypt, too.
	Configured  bool
	FailOn      report.Severity
	AllowEmpty  bool
	Key         report.Text
	Encryption  *encryption.Config
	Keys        bool
	Retire      []string
	Label       func(provider report.Provider, name, kmsKeyID report.Text) string
	NotExamined []report.NotExamined
	NotEvidence []report.NotExamined
}
