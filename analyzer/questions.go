package analyzer

import (
	"context"
	"errors"

	"github.com/etcdsift/etcdsift/analyzer/internal/judge"
	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// ScanOptions say what the verdict of Scan is.
type ScanOptions struct {
	// FailOn is the least severity that makes the exit status 1; SeverityNone
	// means that no finding does.
	FailOn report.Severity
	// AllowEmpty accepts evidence with nothing in scope: without it the exit status is
	// ExitNotEvidence.
	AllowEmpty bool
}

// KeysOptions are the keys that the user wants to drop.
type KeysOptions struct {
	// Retire is PROVIDER:NAME, or a key as Label prints it, or a list of such with commas.
	Retire []string
	// Label is how reports print a key; nil stands for PROVIDER:NAME (KMS KEY ID).
	Label func(provider report.Provider, name, kmsKeyID report.Text) string
}

// Rules lists every rule that a finding may have, the gravest first.
func Rules() []report.Rule { return judge.Rules() }

// CheckRetire checks a text for KeysOptions.Retire, as far as it can without the keys in the
// evidence. The error is for the user.
func CheckRetire(arg string) error { return keys.CheckSpelling(arg) }

// Errors of questions that the reading cannot answer. An answer would be wrong.
var (
	errTaken  = errors.New("analyzer: Scan has taken the copies of this reading, and must be the last question")
	errNoKeys = errors.New("analyzer: the question Keys needs an Interest in Keys")
	errNoKey  = errors.New("analyzer: the question History needs an Interest in a Key")
)

// ask makes a judge for a question and has prepare read what the question still needs. What became
// of the files is noted before the judge is made, because a key that is not in a damaged db may be
// missing there for that; and where prepare meets more damage, the judge is made anew. The error is that of ctx, of Interest.Witness, or an
// *encryption.KMSError.
func (r *Reading) ask(ctx context.Context, q judge.Question, prepare func(*judge.Judge) error) (*judge.Judge, error) {
	if r.taken {
		return nil, errTaken
	}
	in := &r.interest
	q.Run = r.run(q.Run.FailOn)
	q.Resources, q.Configured, q.Encryption, q.Key = in.Resources, in.configured, in.Encryption, in.Key
	q.NotExamined, q.NotEvidence = in.NotExamined, in.NotEvidence
	if err := r.close(ctx); err != nil {
		return nil, err
	}
	for round := 1; ; round++ {
		damage := r.damage()
		j := judge.New(r.evs, q, r.proofs, r.nonces)
		if prepare == nil {
			return j, nil
		}
		if err := prepare(j); err != nil {
			return nil, err
		}
		if err := r.close(ctx); err != nil {
			return nil, err
		}
		if r.damage() == damage || round == maxRounds {
			return j, nil
		}
		// The judge has taken what it did not find for deleted, and the disk has not given all.
	}
}

// maxRounds bounds how often a question is judged anew because of what its own reads have shown: a
// disk may fail in another place each time.
const maxRounds = 3

// close notes what became of the files of all evidence. Its error is that of Interest.Witness.
func (r *Reading) close(ctx context.Context) error {
	for _, ev := range r.evs {
		if err := closeEvidence(ctx, ev, r.interest.Witness); err != nil {
			return err
		}
	}
	return nil
}

// damage counts the places of damage of all evidence.
func (r *Reading) damage() (n int) {
	for _, ev := range r.evs {
		n += len(ev.Damage) + ev.DamageMore
	}
	return n
}

// run is what was asked, with that FailOn.
func (r *Reading) run(failOn report.Severity) report.Run {
	run := r.interest.Run
	run.FailOn = failOn
	run.Paths = append([]report.Text{}, run.Paths...)
	run.Configurations = append([]report.Configuration{}, run.Configurations...)
	run.Scope, run.Prefixes = []report.Text{}, []report.Text{}
	for _, resource := range r.interest.Resources {
		run.Scope = append(run.Scope, report.Text(resource.String()))
	}
	for _, prefix := range r.interest.Prefixes {
		run.Prefixes = append(run.Prefixes, report.Text(prefix))
	}
	return run
}

// Scan tells which objects anybody can read in the evidence, and what else is wrong. It takes
// the copies out of the reading, so it must be the last question. See ask for its error.
func (r *Reading) Scan(ctx context.Context, o ScanOptions) (*report.Report, error) {
	j, err := r.ask(ctx, judge.Question{Run: report.Run{FailOn: o.FailOn}, AllowEmpty: o.AllowEmpty}, func(j *judge.Judge) error { return j.Compare(ctx) })
	if err != nil {
		return nil, err
	}
	r.taken = true
	return j.Scan(), nil
}

// Values calls each for the newest value of each live key, in the order of the sources, then of
// the keys, and tells what Read has read. The error is that of each, or see ask.
func (r *Reading) Values(ctx context.Context, each func(report.Value) error) (*report.Examined, error) {
	if r.taken {
		return nil, errTaken
	}
	if err := judge.ListValues(r.evs, r.interest.Encryption, each); err != nil {
		return nil, err
	}
	return r.Info(ctx)
}

// History tells of every copy of Interest.Key. See ask for its error.
func (r *Reading) History(ctx context.Context) (*report.HistoryReport, error) {
	if r.interest.Key == "" {
		return nil, errNoKey
	}
	j, err := r.ask(ctx, judge.Question{AllowEmpty: true}, func(j *judge.Judge) error { return j.ProveCopies(ctx) })
	if err != nil {
		return nil, err
	}
	return j.History(), nil
}

// Keys tells which encryption keys the values need, and whether the user may drop some. It
// needs Interest.Keys. See ask for its error.
func (r *Reading) Keys(ctx context.Context, o KeysOptions) (*report.KeysReport, error) {
	if !r.interest.Keys {
		return nil, errNoKeys
	}
	j, err := r.ask(ctx, judge.Question{AllowEmpty: true, Keys: true, Retire: o.Retire, Label: o.Label}, nil)
	if err != nil {
		return nil, err
	}
	return j.Keys(), nil
}

// Info tells what the evidence is, and what Read has read of it. See ask for its error.
func (r *Reading) Info(ctx context.Context) (*report.Examined, error) {
	j, err := r.ask(ctx, judge.Question{AllowEmpty: true}, nil)
	if err != nil {
		return nil, err
	}
	return j.Examined(), nil
}
