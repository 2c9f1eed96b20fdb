// Package analyzer turns evidence into a report: which objects anybody can read in it, which
// key encrypts what, what the run read and what it did not.
//
// Read takes all sources through the same phases, one call each, in the order of its body:
//
//	sweep    reads the files: the newest revision of each key, and every copy of the keys that matter
//	keys     decides where the names of encryption keys end
//	naming   finds out which object each value belongs to, and each piece of one
//	keys     decrypts, with a configuration; and looks at nonces that two values share
//
// The phases share what they saw in seen.Evidence. A Reading then answers questions on it:
// Scan, Values, History, Keys and Info, each with a type of its own in package report. Answers
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

// An Interest says what Read must keep of the evidence to answer the questions that follow, and
// what the caller knows beside it. The zero value asks for the plaintext Secrets of a
// Kubernetes cluster.
type Interest struct {
	// Run is what the caller asked, for the answers: Tool, Paths, NoWAL and Configurations. The
	// questions fill in the rest.
	Run report.Run
	// Resources are what the verdict is about; nil means Secrets, and all that
	// Encryption says to encrypt.
	Resources []resource.GroupResource
	// Prefixes are those of Kubernetes' keys, such as "/registry"; nil means those that Read
	// finds.
	Prefixes []string
	// Encryption is the EncryptionConfiguration to hold the evidence against, with the keys
	// that prove what they encrypt. Without one, Read judges no policy and decrypts no value.
	Encryption *encryption.Config
	// Key is the key that History is about: Read keeps all its copies, and none of other keys.
	// It is empty for the other questions.
	Key report.Text
	// Keys is for the question of that name: Read tells values apart, to count each once.
	Keys bool
	// NotExamined is what the caller knows of and did not open, such as the WAL
	// beside a db.
	NotExamined []report.NotExamined
	// NotEvidence is what the user named that is no evidence, or is not there.
	NotEvidence []report.NotExamined
	// Witness reads each db, too, unless it is nil.
	Witness Witness
	// Read calls Progress, if not nil, from another goroutine while it reads a file.
	Progress func(path report.Text, done, total int64)

	configured bool // the verdict is about what Encryption says to encrypt, too
	maxNonces  int  // how many to compare at once; 0 means as many as fit
}

// A Witness has another program read a db that Read examined; sum is its SHA-256, empty if Read
// could not read every byte. It returns nil for a file that the program does not read; its
// error ends the run.
type Witness func(ctx context.Context, s evidence.Source, sum string) (*report.SecondWitness, error)

// A Reading is the evidence that Read has read, and answers questions on it.
type Reading struct {
	interest Interest
	evs      []*seen.Evidence
	proofs   *keys.Proofs // nil without a configuration, and with Interest.Key
	nonces   *keys.Nonces
	taken    bool // Scan took the copies
}

// Read examines the sources. Answers tell of damage and disk errors; the error is that of the
// context, or says that no key of a source lies under Interest.Prefixes.
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
	if r.evs, err = examine(ctx, sources, seen.NewInterest(r.want(sources)), in.Progress); err != nil {
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
	if in.Encryption != nil && in.Key == "" { // History proves the copies of one key
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

// want is what the sweep must keep of the evidence.
func (r *Reading) want(sources []evidence.Source) seen.Want {
	in := &r.interest
	dbs := 0
	for _, s := range sources {
		if s.HasTree() {
			dbs++
		}
	}
	return seen.Want{Key: string(in.Key), Resources: in.Resources, Config: in.Encryption,
		Configured: in.configured, Distinct: in.Keys, Compare: dbs > 1, Sealed: func(env envelope.Envelope, sum uint64) { r.nonces.Add(&env, sum) }}
}
