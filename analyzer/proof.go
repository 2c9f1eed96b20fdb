package analyzer

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"

	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/object"
)

// A proof is what came of decrypting one value.
type proof struct {
	key     *encryption.Key // that opened it, nil if none did
	outcome outcome
	covered bool // the key is of the entry of the value's resource
	stale   bool // a KMS plugin would write it in another way
	refused bool // a KMS plugin did not decrypt its data encryption key
}

type outcome uint8

const (
	untried  outcome = iota
	unproven         // no key of the configuration has its name, or only a plugin could tell
	proven
	closed    // a key has its name, and does not open it
	notObject // a key opens it, and what is in it is not the object of its etcd key
)

// proved is what came of decrypting the value of e.
func (e *entry) proved() proof {
	if e.proof == nil {
		return proof{}
	}
	return *e.proof
}

// Proof is the outcome in a word; empty for what was never encrypted.
func (p proof) Proof() report.Proof {
	switch p.outcome {
	case proven:
		return report.Proven
	case closed, notObject:
		return report.Failed
	}
	return report.Unproven
}

// A failure is an encrypted value that its key does not open, or not as it should.
type failure struct {
	in      *survey
	key     string
	outcome outcome
	newest  bool // the newest of its key
	refused bool // see proof
	at      sighting
	copies  int // equal failures of the key, of which at is the one with the highest revision
	from    string
	given   string // why the search for another key's path ended early
}

// proofs is what proving all values of a run gave.
type proofs struct {
	rows     map[*survey]map[storedID]*tally // by how the values were stored
	failures []*failure
}

// A tally counts the values of one key of a provider.
type tally struct{ proven, failed int }

// A prover decrypts all encrypted values of a run. It reads them in the order of the
// files, and hands them in batches to as many goroutines as there are processors.
type prover struct {
	config *encryption.Config
	ctx    context.Context
	cancel context.CancelFunc
	spare  sync.Pool // of batches

	mu       sync.Mutex
	err      error // that ended it: of a plugin or the context
	proofs   *proofs
	failures map[failureID]*failure
}

type failureID struct {
	in      *survey
	key     string
	outcome outcome
	newest  bool
}

// prove decrypts the values of all surveys, and notes for each newest one what came of
// it. Its error is that of ctx, or an *encryption.KMSError.
func prove(ctx context.Context, surveys []*survey, config *encryption.Config) (*proofs, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &prover{config: config, ctx: ctx, cancel: cancel, failures: map[failureID]*failure{},
		proofs: &proofs{rows: map[*survey]map[storedID]*tally{}}}
	for _, s := range surveys {
		p.proofs.rows[s] = map[storedID]*tally{} // before the goroutines that look it up
	}
	jobs := make(chan *batch, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := range jobs {
				p.batch(b)
				p.spare.Put(b)
			}
		})
	}
	err := p.read(surveys, jobs)
	close(jobs)
	workers.Wait()
	if p.err != nil {
		return nil, p.err
	}
	if err != nil {
		return nil, err
	}
	for _, f := range p.failures {
		p.proofs.failures = append(p.proofs.failures, f)
	}
	return p.proofs, p.relocate(surveys)
}

// read sends the values of all surveys to jobs, copied, in batches.
func (p *prover) read(surveys []*survey, jobs chan<- *batch) error {
	for _, s := range surveys {
		b := p.newBatch(s)
		err := s.sealed(p.ctx, func(v *held) error {
			b.add(v)
			if !b.full() {
				return nil
			}
			full := b
			b = p.newBatch(s)
			select {
			case jobs <- full:
				return nil
			case <-p.ctx.Done():
				return p.ctx.Err()
			}
		})
		if err != nil {
			return err
		}
		jobs <- b
	}
	return nil
}

// A batch is some values of one survey, copied.
type batch struct {
	in    *survey
	bytes []byte
	jobs  []job
}

// A job is a value of a batch.
type job struct {
	at         sighting // without its key
	entry      *entry   // of which it is the newest value; else nil
	key        int      // where the etcd key starts in bytes
	start, end int      // of the value, which follows it
}

// batchSize is how many bytes of values go into a batch, unless one is longer.
const batchSize = 256 << 10

func (p *prover) newBatch(s *survey) *batch {
	b, ok := p.spare.Get().(*batch)
	if !ok {
		b = &batch{bytes: make([]byte, 0, batchSize+batchSize/8)}
	}
	b.in, b.bytes, b.jobs = s, b.bytes[:0], b.jobs[:0]
	return b
}

func (b *batch) full() bool { return len(b.bytes) >= batchSize }

func (b *batch) add(v *held) {
	j := job{entry: v.entry(), key: len(b.bytes), at: sighting{
		rev: v.rev, place: v.place, file: v.file, off: v.off, size: int64(len(v.value)), index: v.index, complete: v.whole}}
	j.at.stored, _ = v.in.keys.parse(v.value, v.off)
	b.bytes = append(b.bytes, v.key...)
	j.start = len(b.bytes)
	b.bytes = append(b.bytes, v.value...)
	j.end = len(b.bytes)
	b.jobs = append(b.jobs, j)
}

// batch decrypts the values of b.
func (p *prover) batch(b *batch) {
	results := make([]proof, len(b.jobs))
	for i := range b.jobs {
		j := &b.jobs[i]
		if !j.at.complete {
			continue // a key opens whole values only
		}
		var err error
		results[i], err = p.value(b.in, b.bytes[j.key:j.start], b.bytes[j.start:j.end])
		if err != nil {
			p.stop(err)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range b.jobs {
		p.note(b, &b.jobs[i], results[i])
	}
}

func (p *prover) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.cancel()
}

// note keeps what came of one value.
func (p *prover) note(b *batch, j *job, result proof) {
	if j.entry != nil {
		j.entry.proof = &result // of this job alone
	}
	rows := p.proofs.rows[b.in]
	if rows[j.at.stored] == nil {
		rows[j.at.stored] = &tally{}
	}
	switch result.outcome {
	case proven:
		rows[j.at.stored].proven++
		return
	case closed, notObject:
		rows[j.at.stored].failed++
	default:
		return
	}
	id := failureID{b.in, string(b.bytes[j.key:j.start]), result.outcome, j.entry != nil}
	f := p.failures[id]
	if f == nil {
		f = &failure{in: b.in, key: id.key, outcome: id.outcome, newest: id.newest, refused: result.refused, at: j.at}
		p.failures[id] = f
	}
	// Goroutines end in any order; the report must not.
	if cmp.Or(f.at.rev.Compare(j.at.rev), cmp.Compare(j.at.file, f.at.file), cmp.Compare(j.at.off, f.at.off)) < 0 {
		f.at, f.refused = j.at, result.refused
	}
	f.copies++
}

// value decrypts one value with the keys that its resource has, or where none of them
// has the name, with any other that does. Its error ends the run.
func (p *prover) value(s *survey, key, value []byte) (proof, error) {
	return proveValue(p.ctx, p.config, s, string(key), value)
}

func proveValue(ctx context.Context, config *encryption.Config, s *survey, key string, value []byte) (proof, error) {
	id := s.identity(key)
	keys := configuredFor(config, id).Match(value)
	result := proof{outcome: unproven, covered: len(keys) > 0}
	if !result.covered {
		keys = config.Match(value)
	}
	for _, k := range keys {
		opened, err := k.Open(ctx, value, []byte(key))
		switch {
		case errors.Is(err, encryption.ErrNoKMS):
		case errors.Is(err, encryption.ErrClosed):
			result.outcome = max(result.outcome, closed)
			result.refused = result.refused || errors.Is(err, encryption.ErrRefused)
		case err != nil:
			return proof{}, err
		default:
			found, is := isObjectOf(id, key, opened.Plain)
			clear(opened.Plain)
			if !found && opened.Unsure {
				result.outcome = max(result.outcome, closed)
				continue
			}
			result.key, result.stale, result.outcome = k, opened.Stale, notObject
			if is {
				result.outcome = proven
			}
			return result, nil
		}
	}
	if !result.covered && result.outcome == closed {
		result.outcome = unproven // a key of another resource, which happens to have the name
	}
	return result, nil
}

// Decrypt opens a value of the etcd key of an object with the keys that a configuration
// has for its resource, else with any of the same name. The caller clears what it gets.
// The error is for the user, and holds no byte of the value.
func Decrypt(ctx context.Context, config *encryption.Config, r object.GroupResource, key report.Text, value []byte) ([]byte, error) {
	keys := configuredFor(config, object.Identity{GroupResource: r}).Match(value)
	if len(keys) == 0 {
		keys = config.Match(value)
	}
	last := errors.New("the configuration has no key of that name")
	for _, k := range keys {
		opened, err := k.Open(ctx, value, []byte(key))
		if err == nil && !opened.Unsure {
			return opened.Plain, nil
		}
		if err == nil {
			if _, err = object.ParseName(opened.Plain, 0); err == nil {
				return opened.Plain, nil
			}
			clear(opened.Plain)
			err = encryption.ErrClosed
		}
		last = err
	}
	return nil, last
}

// configuredFor is the entries of the resource of an object; none for a key that names none.
func configuredFor(config *encryption.Config, id object.Identity) encryption.Entries {
	if config == nil || id.Resource == "" {
		return nil
	}
	return config.For(id.GroupResource)
}

// isObjectOf reports whether plain is a Kubernetes object at all, and whether it is that
// of its etcd key, by namespace and name. What API servers keep of themselves has no name.
func isObjectOf(id object.Identity, key string, plain []byte) (found, is bool) {
	m, err := object.ParseName(plain, 0)
	if err != nil || m.Kind == "" {
		return false, false
	}
	if m.Name == "" {
		return true, object.Nameless(id.GroupResource)
	}
	end := "/" + m.Name
	if m.Namespace != "" {
		end = "/" + m.Namespace + end
	}
	return true, strings.HasSuffix(strings.TrimSuffix(key, "/"), end) && (m.Namespace != "" || id.Namespace == "")
}
