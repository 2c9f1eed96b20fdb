// Package analyzer turns evidence into a report: which objects can be read from it, what is
// encrypted with which key, what was read and what was not.
//
// Read takes all sources through the same phases, one call each, in the order of its body:
//
//	sweep    reads the files: the newest revision of each key, and every copy of the keys that matter
//	keys     decides where the names of encryption keys end
//	naming   finds out which object each value belongs to, and each piece of one
//	keys     decrypts, with a configuration; and looks at nonces that two values share
//
// What was seen lies in seen.Evidence, which the phases share. A Reading then answers questions on
// it, each with a type of its own in package report: Scan, Values, History, Keys and Info. Answers
// hold positions, names and counts, and never a byte of a Secret's value.
package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/naming"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// An Interest says what must be kept of the evidence to answer the questions that follow, and
// what is known beside it. The zero value is an interest in the plaintext Secrets of a Kubernetes
// cluster.
type Interest struct {
	// Tool is named in the answers.
	Tool report.Tool
	// Resources are what the verdict is about; nil means Secrets, and all that
	// Encryption says to encrypt.
	Resources []resource.GroupResource
	// Prefixes are those of Kubernetes' keys, such as "/registry"; nil means
	// those that are found.
	Prefixes []string
	// Encryption is the EncryptionConfiguration that the evidence is held against, with
	// the keys to prove what is encrypted. Without one policy is not judged, and no
	// value is decrypted.
	Encryption *encryption.Config
	// Key is the key that History is about: all its copies are kept, and of other keys none. It
	// is empty for the other questions.
	Key report.Text
	// Keys is for the question of that name: values are told apart, to count each once.
	Keys bool
	// NotExamined is what the caller knows of and did not open, such as the WAL
	// beside a db.
	NotExamined []report.NotExamined
	// NotEvidence is what the user named and is no evidence, or is not there.
	NotEvidence []report.NotExamined
	// Witness is asked on each db; nil if there is none.
	Witness Witness
	// Progress, if not nil, is called from another goroutine as a file is read.
	Progress func(path report.Text, done, total int64)

	configured bool // the verdict is about what Encryption says to encrypt, too
	maxNonces  int  // compared at once; 0 means as many as there is room for
}

// A Witness has another program read a db that was examined, and whose SHA-256 is sum (empty
// where not every byte could be read). It returns nil for what is nothing to that program; its
// error ends the run.
type Witness func(ctx context.Context, s evidence.Source, sum string) (*report.SecondWitness, error)

// A Reading is evidence that was read, and can be asked about.
type Reading struct {
	interest Interest
	evs      []*seen.Evidence
	proofs   *keys.Proofs // nil without a configuration, and with Interest.Key
	nonces   *keys.Nonces
	taken    bool // Scan took the copies
}

// Read examines the sources. Damage and disk errors are in the answers; the error is
// that of the context, or says that no key of a source lies under Interest.Prefixes.
func Read(ctx context.Context, sources []evidence.Source, in Interest) (*Reading, error) {
	if in.Resources == nil {
		in.Resources, in.configured = []resource.GroupResource{seen.Secrets}, in.Encryption != nil
	}
	r := &Reading{interest: in, nonces: keys.NewNonces(cmp.Or(in.maxNonces, keys.MaxNonces))}
	sources = slices.Clone(sources)
	for i := range sources {
		sources[i].File = evidence.NewReader(sources[i])
	}
	var err error
	if r.evs, err = examine(ctx, sources, seen.NewInterest(r.want()), in.Progress); err != nil {
		return nil, err
	}
	keys.DecideNames(r.evs)
	for _, ev := range r.evs {
		if err := naming.Learn(ctx, ev, in.Prefixes); err != nil {
			return nil, fmt.Errorf("%s: %w", ev.Title(), err)
		}
		naming.Resolve(ev)
	}
	if err := naming.Attribute(ctx, r.evs); err != nil {
		return nil, err
	}
	for _, ev := range r.evs {
		naming.Settle(ev)
	}
	if in.Encryption != nil && in.Key == "" { // of one key the copies are proven when they are listed
		if r.proofs, err = keys.Prove(ctx, r.evs, in.Encryption); err != nil {
			return nil, err
		}
	}
	if err := r.nonces.Confirm(ctx, r.evs); err != nil {
		return nil, err
	}
	for _, ev := range r.evs {
		ev.Tree = nil // its marks take memory that grows with the file
	}
	return r, nil
}

// want is what must be kept of the evidence.
func (r *Reading) want() seen.Want {
	in := &r.interest
	return seen.Want{Key: string(in.Key), Resources: in.Resources, AnyPrefix: in.Prefixes == nil, Config: in.Encryption,
		Configured: in.configured, Distinct: in.Keys, Sealed: func(env envelope.Envelope, sum uint64) { r.nonces.Add(&env, sum) }}
}
