// Package analyzer turns evidence into a report: which objects can be read from it, what is
// encrypted with which key, what was read and what was not.
//
// Run takes all sources through the same phases, one call each, in the order of its body:
//
//	sweep    reads the files: the newest revision of each key, and every copy of the keys that matter
//	keys     decides where the names of encryption keys end
//	naming   finds out which object each value belongs to, and each piece of one
//	keys     decrypts, with a configuration; and looks at nonces that two values share
//	judge    weighs all of it
//
// What was seen lies in seen.Evidence, which the phases share; what is said of it is a
// report.Report, which holds positions, names and counts, and never a byte of a Secret's value.
package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/judge"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/naming"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// Options say what a run is about. The zero value asks for the plaintext Secrets
// of a Kubernetes cluster.
type Options struct {
	// Tool is named in the report.
	Tool report.Tool
	// Resources are what the verdict is about; nil means Secrets, and all that
	// Encryption says to encrypt.
	Resources []object.GroupResource
	// Prefixes are those of Kubernetes' keys, such as "/registry"; nil means
	// those that are found.
	Prefixes []string
	// FailOn is the least severity that makes the exit status 1; SeverityNone
	// means that no finding does.
	FailOn report.Severity
	// AllowEmpty says that evidence with nothing in scope is as good as any: without it
	// the exit status is ExitNotEvidence.
	AllowEmpty bool
	// Key, if not empty, is the key of which the report has all copies, in History.
	// Its exposures, findings and verdict mean nothing then.
	Key report.Text
	// Encryption is the EncryptionConfiguration that the evidence is held against, with
	// the keys to prove what is encrypted. Without one policy is not judged, and no
	// value is decrypted.
	Encryption *encryption.Config
	// Keys asks for Report.Keys. Retire is the keys that the user wants to drop: each text
	// is PROVIDER:NAME, or as Label prints a key, or a list of such with commas.
	Keys   bool
	Retire []string
	// Label is how reports print a key; nil stands for PROVIDER:NAME (KMS KEY ID).
	Label func(provider report.Provider, name, kmsKeyID report.Text) string
	// NotExamined is what the caller knows of and did not open, such as the WAL
	// beside a db.
	NotExamined []report.NotExamined
	// NotEvidence is what the user named and is no evidence, or is not there.
	NotEvidence []report.NotExamined
	// Values, if not nil, is called for the newest value of each live key, in
	// the order of the sources, then of the keys. An error from it ends the run.
	Values func(report.Value) error
	// Witness, if not nil, has another program read a db that was examined, of which the
	// SHA-256 is sum (empty where not every byte could be read). It returns nil for what
	// is nothing to that program; its error ends the run.
	Witness func(ctx context.Context, s evidence.Source, sum string) (*report.SecondWitness, error)
	// Progress, if not nil, is called from another goroutine as a file is read.
	Progress func(path report.Text, done, total int64)

	configured bool // the verdict is about what Encryption says to encrypt, too
	maxNonces  int  // compared at once; 0 means as many as there is room for
}

// Run examines the sources. Damage and disk errors are in the Report; the error is
// that of the context or of Options.Values, or says that no key of a source lies
// under Options.Prefixes.
func Run(ctx context.Context, sources []evidence.Source, o Options) (*report.Report, error) {
	if o.Resources == nil {
		o.Resources, o.configured = []object.GroupResource{seen.Secrets}, o.Encryption != nil
	}
	n := keys.NewNonces(cmp.Or(o.maxNonces, keys.MaxNonces))
	sources = slices.Clone(sources)
	for i := range sources {
		sources[i].File = evidence.NewReader(sources[i])
	}
	evs, err := examine(ctx, sources, seen.NewInterest(o.wanted(n)), o.Progress)
	if err != nil {
		return nil, err
	}
	keys.DecideNames(evs)
	for _, ev := range evs {
		if err := naming.Learn(ctx, ev, o.Prefixes); err != nil {
			return nil, fmt.Errorf("%s: %w", ev.Title(), err)
		}
		naming.Resolve(ev)
	}
	if err := naming.Attribute(ctx, evs); err != nil {
		return nil, err
	}
	for _, ev := range evs {
		naming.Settle(ev)
	}
	var p *keys.Proofs
	if o.Encryption != nil && o.Key == "" { // of one key the copies are proven when they are listed
		if p, err = keys.Prove(ctx, evs, o.Encryption); err != nil {
			return nil, err
		}
	}
	if err := n.Confirm(ctx, evs); err != nil {
		return nil, err
	}
	if err := listValues(evs, o); err != nil {
		return nil, err
	}
	for _, ev := range evs {
		ev.Tree = nil // its marks take memory that grows with the file
	}
	j := judge.New(evs, o.question(), p, n)
	if err := j.Compare(ctx); err != nil {
		return nil, err
	}
	if err := j.ProveCopies(ctx); err != nil {
		return nil, err
	}
	for _, ev := range evs {
		if err := closeEvidence(ctx, ev, o); err != nil {
			return nil, err
		}
	}
	return j.Report(), nil
}

// wanted is what must be kept of the evidence to answer.
func (o *Options) wanted(n *keys.Nonces) seen.Want {
	return seen.Want{Key: string(o.Key), Resources: o.Resources, AnyPrefix: o.Prefixes == nil, Config: o.Encryption,
		Configured: o.configured, Distinct: o.Keys, Sealed: func(env envelope.Envelope, sum uint64) { n.Add(&env, sum) }}
}

// question is what is asked of the evidence when all of it has been read.
func (o *Options) question() judge.Question {
	return judge.Question{
		Tool: o.Tool, Resources: o.Resources, Configured: o.configured, FailOn: o.FailOn, AllowEmpty: o.AllowEmpty, Key: o.Key,
		Encryption: o.Encryption, Keys: o.Keys, Retire: o.Retire, Label: o.Label, NotExamined: o.NotExamined, NotEvidence: o.NotEvidence,
	}
}

// CheckRetire checks a text for Options.Retire, as far as that can be done before it is known
// which keys there are. The error is for the user.
func CheckRetire(arg string) error { return judge.CheckKeyName(arg) }

// listValues calls Options.Values for the newest value of each live key.
func listValues(evs []*seen.Evidence, o Options) error {
	if o.Values == nil {
		return nil
	}
	holding := 0 // pieces of evidence with values
	for _, ev := range evs {
		if ev.HasValues() {
			holding++
		}
	}
	for _, ev := range evs {
		if !ev.HasValues() {
			continue
		}
		if err := judge.ListValues(ev, o.Encryption, o.Values, holding > 1); err != nil {
			return err
		}
	}
	return nil
}
