// Package analyzer turns decoded records into a Report: which objects are
// readable from the evidence, what is encrypted with which key, what was read and
// what was not.
//
// Run takes all Sources through the same steps. It sweeps each db once, keeps the
// newest revision of every key, and every copy of those that may be in scope, in
// whatever region; reads the WAL, and applies what the db beside it does not have
// yet; learns from the values how this etcd names its objects; compares pieces that
// belong to no record with the values of all files; and then classifies each key. A
// Report holds positions, names and counts, and never a byte of a Secret's value.
package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A Source is a file of evidence that the caller opened read-only.
type Source struct {
	Path report.Text // as the report is to name it
	Name string      // the file's own name: that of a WAL segment has its place in the log
	File io.ReaderAt
	Size int64 // in bytes
	// Kind is KindDB, also for a snapshot, KindWAL, or KindOther for what is only
	// searched for objects; "" means KindDB.
	Kind report.Kind
	// Member is the same for the db and the WAL segments of one member of an etcd.
	// A source without one stands alone.
	Member string
	// What says what the file is, if it is not one that an etcd works with.
	What string
	// Changed is asked after the file has been read: what it says, if anything, is
	// how the file changed meanwhile. nil means that it can not change.
	Changed func() string
	// Lock is asked then, too: what it says, if anything, is who holds a write lock on the
	// file, so that it may change at any moment. nil means that nobody can.
	Lock func() string
}

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
	Witness func(ctx context.Context, s Source, sum string) (*report.SecondWitness, error)
	// Progress, if not nil, is called from another goroutine as a file is read.
	Progress func(path report.Text, done, total int64)

	configured bool // the verdict is about what Encryption says to encrypt, too
	maxNonces  int  // compared at once; 0 means as many as there is room for
}

// A progress is told how far the reading of a file is, in bytes; nil is told nothing.
type progress func(path report.Text, done, total int64)

func (p progress) tell(path report.Text, done, total int64) {
	if p != nil {
		p(path, done, total)
	}
}

// Run examines the sources. Damage and disk errors are in the Report; the error is
// that of the context or of Options.Values, or says that no key of a source lies
// under Options.Prefixes.
func Run(ctx context.Context, sources []Source, o Options) (*report.Report, error) {
	if o.Resources == nil {
		o.Resources, o.configured = []object.GroupResource{secrets}, o.Encryption != nil
	}
	n := newNonces(cmp.Or(o.maxNonces, maxNonces))
	sources = slices.Clone(sources)
	for i := range sources {
		sources[i].File = newDisk(sources[i])
	}
	surveys, err := examine(ctx, sources, newWatch(o.wanted(n)), o.Progress)
	if err != nil {
		return nil, err
	}
	nameKeys(surveys)
	for _, s := range surveys {
		if err := s.identify(ctx, o.Prefixes); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
		s.resolve()
	}
	if err := attribute(ctx, surveys); err != nil {
		return nil, err
	}
	for _, s := range surveys {
		s.settle()
	}
	var p *proofs
	if o.Encryption != nil && o.Key == "" { // of one key the copies are proven when they are listed
		if p, err = prove(ctx, surveys, o.Encryption); err != nil {
			return nil, err
		}
	}
	if err := n.confirm(ctx, surveys); err != nil {
		return nil, err
	}
	if err := listValues(surveys, o); err != nil {
		return nil, err
	}
	for _, s := range surveys {
		s.tree = nil // its marks take memory that grows with the file
	}
	b := newBuilder(surveys, o.question(), p, n)
	if err := b.compareAll(ctx, b.exposed); err != nil {
		return nil, err
	}
	if err := b.proveCopies(ctx); err != nil {
		return nil, err
	}
	for _, s := range surveys {
		if err := closeEvidence(ctx, s, o); err != nil {
			return nil, err
		}
	}
	return b.build(), nil
}

// wanted is what must be kept of the evidence to answer.
func (o *Options) wanted(n *nonces) wanted {
	return wanted{key: string(o.Key), resources: o.Resources, anyPrefix: o.Prefixes == nil, config: o.Encryption,
		configured: o.configured, distinct: o.Keys, sealed: n.add}
}

// question is what is asked of the evidence when all of it has been read.
func (o *Options) question() question {
	return question{
		Tool: o.Tool, Resources: o.Resources, Configured: o.configured, FailOn: o.FailOn, AllowEmpty: o.AllowEmpty, Key: o.Key,
		Encryption: o.Encryption, Keys: o.Keys, Retire: o.Retire, Label: o.Label, NotExamined: o.NotExamined, NotEvidence: o.NotEvidence,
	}
}

// CheckRetire checks a text for Options.Retire, as far as that can be done before it is known
// which keys there are. The error is for the user.
func CheckRetire(arg string) error { return checkRetire(arg) }

// listValues calls Options.Values for the newest value of each live key.
func listValues(surveys []*survey, o Options) error {
	if o.Values == nil {
		return nil
	}
	holding := 0 // surveys with values
	for _, s := range surveys {
		if s.hasValues() {
			holding++
		}
	}
	for _, s := range surveys {
		if !s.hasValues() {
			continue
		}
		if err := s.values(o.Encryption, o.Values, holding > 1); err != nil {
			return err
		}
	}
	return nil
}

// examine reads all sources, and tells progress how far it is. The db and the WAL of one
// member are one survey.
func examine(ctx context.Context, sources []Source, w *watch, progress progress) ([]*survey, error) {
	var surveys []*survey
	logs := map[string][]Source{} // by member
	var members []string          // of logs, in the order of the sources
	for i, source := range sources {
		if source.Kind == report.KindWAL {
			member := cmp.Or(source.Member, fmt.Sprintf("source %d", i))
			if logs[member] == nil {
				members = append(members, member)
			}
			logs[member] = append(logs[member], source)
			continue
		}
		s := newSurvey(source, w)
		surveys = append(surveys, s)
		var err error
		if source.Kind == report.KindOther {
			err = s.search(ctx, progress)
		} else {
			err = s.examine(ctx, progress)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	for _, member := range members {
		s := holderOf(member, logs[member], surveys)
		if s == nil {
			s = newSurvey(Source{Path: logs[member][0].Path}, w)
			surveys = append(surveys, s)
		}
		if err := s.readLog(ctx, logs[member], progress); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	return surveys, nil
}
