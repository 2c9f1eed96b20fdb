package keys

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
	"github.com/etcdsift/etcdsift/decode/object"
)

// ProveCopy decrypts one copy. A key opens whole values only.
func ProveCopy(ctx context.Context, config *encryption.Config, ev *seen.Evidence, at *seen.Copy) (report.Proof, error) {
	if !at.Complete {
		return report.Unproven, nil
	}
	value, err := ev.ReadSighting(at)
	if err != nil {
		return report.Unproven, nil // the disk tells (addUnread)
	}
	result, err := proveValue(ctx, config, ev, at.Key, value)
	return result.Reported(), err
}

// A Failure is an encrypted value that its key does not open, or not as it should.
type Failure struct {
	In      *seen.Evidence
	Key     string
	Outcome seen.Outcome
	Newest  bool // the newest of its key
	Refused bool // see proof
	At      seen.Copy
	Copies  int // equal failures of the key, of which at is the one with the highest revision
	From    string
	Given   string // why the search for another key's path ended early
}

// Proofs is what proving all values of a run gave.
type Proofs struct {
	Rows     map[*seen.Evidence]map[seen.StorageID]*tally // by how the values were stored
	Failures []*Failure
}

// A tally counts the values of one key of a provider.
type tally struct{ Proven, Failed int }

// A prover decrypts all encrypted values of a run. It reads them in the order of the
// files, and hands them in batches to as many goroutines as there are processors.
type prover struct {
	config *encryption.Config
	ctx    context.Context
	cancel context.CancelFunc
	spare  sync.Pool // of batches

	mu       sync.Mutex
	err      error // that ended it: of a plugin or the context
	proofs   *Proofs
	failures map[failureID]*Failure
}

type failureID struct {
	in      *seen.Evidence
	key     string
	outcome seen.Outcome
	newest  bool
}

// Prove decrypts the values of all surveys, and notes for each newest one what came of
// it. Its error is that of ctx, or an *encryption.KMSError.
func Prove(ctx context.Context, evs []*seen.Evidence, config *encryption.Config) (*Proofs, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &prover{config: config, ctx: ctx, cancel: cancel, failures: map[failureID]*Failure{},
		proofs: &Proofs{Rows: map[*seen.Evidence]map[seen.StorageID]*tally{}}}
	for _, ev := range evs {
		p.proofs.Rows[ev] = map[seen.StorageID]*tally{} // before the goroutines that look it up
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
	err := p.read(evs, jobs)
	close(jobs)
	workers.Wait()
	if p.err != nil {
		return nil, p.err
	}
	if err != nil {
		return nil, err
	}
	for _, f := range p.failures {
		p.proofs.Failures = append(p.proofs.Failures, f)
	}
	return p.proofs, p.relocate(evs)
}

// read sends the values of all surveys to jobs, copied, in batches.
func (p *prover) read(evs []*seen.Evidence, jobs chan<- *batch) error {
	for _, ev := range evs {
		b := p.newBatch(ev)
		err := ev.EachSealed(p.ctx, func(v *seen.Value) error {
			b.add(v)
			if !b.full() {
				return nil
			}
			full := b
			b = p.newBatch(ev)
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
	in    *seen.Evidence
	bytes []byte
	jobs  []job
}

// A job is a value of a batch.
type job struct {
	at         seen.Copy   // without its key
	entry      *seen.Entry // of which it is the newest value; else nil
	key        int         // where the etcd key starts in bytes
	start, end int         // of the value, which follows it
}

// batchSize is how many bytes of values go into a batch, unless one is longer.
const batchSize = 256 << 10

func (p *prover) newBatch(ev *seen.Evidence) *batch {
	b, ok := p.spare.Get().(*batch)
	if !ok {
		b = &batch{bytes: make([]byte, 0, batchSize+batchSize/8)}
	}
	b.in, b.bytes, b.jobs = ev, b.bytes[:0], b.jobs[:0]
	return b
}

func (b *batch) full() bool { return len(b.bytes) >= batchSize }

func (b *batch) add(v *seen.Value) {
	j := job{entry: v.Entry(), key: len(b.bytes), at: seen.Copy{
		Rev: v.Rev, Place: v.Place, File: v.File, Off: v.Off, Size: int64(len(v.Value)), Index: v.Index, Complete: v.Whole}}
	j.at.Storage, _ = v.In.Keys.Parse(v.Value, v.Off)
	b.bytes = append(b.bytes, v.Key...)
	j.start = len(b.bytes)
	b.bytes = append(b.bytes, v.Value...)
	j.end = len(b.bytes)
	b.jobs = append(b.jobs, j)
}

// batch decrypts the values of b.
func (p *prover) batch(b *batch) {
	results := make([]seen.Proof, len(b.jobs))
	for i := range b.jobs {
		j := &b.jobs[i]
		if !j.at.Complete {
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
func (p *prover) note(b *batch, j *job, result seen.Proof) {
	if j.entry != nil {
		j.entry.Proof = &result // of this job alone
	}
	rows := p.proofs.Rows[b.in]
	if rows[j.at.Storage] == nil {
		rows[j.at.Storage] = &tally{}
	}
	switch result.Outcome {
	case seen.Proven:
		rows[j.at.Storage].Proven++
		return
	case seen.Closed, seen.NotObject:
		rows[j.at.Storage].Failed++
	default:
		return
	}
	id := failureID{b.in, string(b.bytes[j.key:j.start]), result.Outcome, j.entry != nil}
	f := p.failures[id]
	if f == nil {
		f = &Failure{In: b.in, Key: id.key, Outcome: id.outcome, Newest: id.newest, Refused: result.Refused, At: j.at}
		p.failures[id] = f
	}
	// Goroutines end in any order; the report must not.
	if cmp.Or(f.At.Rev.Compare(j.at.Rev), cmp.Compare(j.at.File, f.At.File), cmp.Compare(j.at.Off, f.At.Off)) < 0 {
		f.At, f.Refused = j.at, result.Refused
	}
	f.Copies++
}

// value decrypts one value with the keys that its resource has, or where none of them
// has the name, with any other that does. Its error ends the run.
func (p *prover) value(ev *seen.Evidence, key, value []byte) (seen.Proof, error) {
	return proveValue(p.ctx, p.config, ev, string(key), value)
}

func proveValue(ctx context.Context, config *encryption.Config, ev *seen.Evidence, key string, value []byte) (seen.Proof, error) {
	id := ev.Identity(key)
	keys := ConfiguredFor(config, id).Match(value)
	result := seen.Proof{Outcome: seen.Unproven, Covered: len(keys) > 0}
	if !result.Covered {
		keys = config.Match(value)
	}
	for _, k := range keys {
		opened, err := k.Open(ctx, value, []byte(key))
		switch {
		case errors.Is(err, encryption.ErrNoKMS):
		case errors.Is(err, encryption.ErrClosed):
			result.Outcome = max(result.Outcome, seen.Closed)
			result.Refused = result.Refused || errors.Is(err, encryption.ErrRefused)
		case err != nil:
			return seen.Proof{}, err
		default:
			found, is := isObjectOf(id, key, opened.Plain)
			clear(opened.Plain)
			if !found && opened.Unsure {
				result.Outcome = max(result.Outcome, seen.Closed)
				continue
			}
			result.Key, result.Stale, result.Outcome = k, opened.Stale, seen.NotObject
			if is {
				result.Outcome = seen.Proven
			}
			return result, nil
		}
	}
	if !result.Covered && result.Outcome == seen.Closed {
		result.Outcome = seen.Unproven // a key of another resource, which happens to have the name
	}
	return result, nil
}

// ConfiguredFor is the entries of the resource of an object; none for a key that names none.
func ConfiguredFor(config *encryption.Config, id object.Identity) encryption.Entries {
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
