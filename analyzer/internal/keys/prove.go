package keys

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"runtime"
	"strings"
	"sync"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/object"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// Proofs is what came of decrypting all values of a run. That of a newest value is in its
// seen.Entry, too.
type Proofs struct {
	// Rows counts the values of each evidence by how they were stored. It has a map for every
	// evidence, and a Tally for the Storage of every encrypted value.
	Rows map[*seen.Evidence]map[seen.StorageID]*Tally
	// Failures are newest values first, then by key.
	Failures []*Failure
}

// A Tally counts values. Those that no key was tried on are in neither number.
type Tally struct {
	Proven int
	Failed int // no key opens them, or what is in them is not the object of the key
}

// A Failure is an encrypted value that its key does not open, or not as it should. Equal failures
// of the values of one object are one. A copy that has the bytes of the newest value is that value
// once more, wherever it lies, and never a failure of its own.
type Failure struct {
	In      *seen.Evidence
	Key     string       // etcd's, of the object
	Outcome seen.Outcome // Closed or NotObject
	Newest  bool         // the newest value of the object
	Values  int          // how many distinct values fail like that
	At      seen.Copy    // the one of the highest revision, without its key
	Refused bool         // of that one, see seen.Proof

	// What the search for the key that the value was encrypted for gave.
	MovedFrom string // the key whose path opens the value; empty if none was found
	GaveUp    string // why the search ended early, in words; empty if it did not
}

// A prover decrypts all encrypted values of a run. It reads them in the order of the files, and
// hands them in batches to as many goroutines as there are processors.
type prover struct {
	config *encryption.Config
	ctx    context.Context
	cancel context.CancelFunc
	spare  sync.Pool // of *batch
	seed   maphash.Seed

	mu       sync.Mutex // guards what follows, until the goroutines have ended
	err      error      // the first that ended the run: of a plugin or the context
	proofs   *Proofs
	failures map[failureID]*Failure
	older    map[uint64]bool // hashes of the older values that failed
}

// A failureID tells what failures are equal.
type failureID struct {
	in      *seen.Evidence
	key     string
	outcome seen.Outcome
	newest  bool
}

// Prove decrypts the encrypted values of all evidence, and sets Proof of each entry whose newest
// value is one. For values that their key does not open it looks for the path that they were
// encrypted for. It comes after naming, which tells the resources of keys. Its error is that of
// ctx, or an *encryption.KMSError.
func Prove(ctx context.Context, evs []*seen.Evidence, config *encryption.Config) (*Proofs, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &prover{config: config, ctx: ctx, cancel: cancel, failures: map[failureID]*Failure{}, older: map[uint64]bool{}, seed: maphash.MakeSeed(),
		proofs: &Proofs{Rows: map[*seen.Evidence]map[seen.StorageID]*Tally{}}}
	for _, ev := range evs {
		p.proofs.Rows[ev] = map[seen.StorageID]*Tally{} // before the goroutines that look it up
	}
	jobs := make(chan *batch, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for b := range jobs {
				p.decrypt(b)
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

// read sends copies of all encrypted values to jobs, in batches.
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

// A batch is some values of one evidence.
type batch struct {
	in    *seen.Evidence
	bytes []byte // of the keys and the values, each value behind its key
	jobs  []job
}

// A job is a value of a batch.
type job struct {
	at              seen.Copy   // without its key
	entry           *seen.Entry // that it is the newest value of; nil if of none
	key, start, end int         // where in bytes the key starts, and where the value starts and ends

	// decrypt sets these of a value that failed and is not in the place of a newest one.
	again bool   // it has the bytes of the newest value of its key
	sum   uint64 // a hash of key and value
}

// batchSize is from how many bytes on a batch is full.
const batchSize = 256 << 10

// newBatch returns an empty batch, in the memory of one that is done if there is any.
func (p *prover) newBatch(ev *seen.Evidence) *batch {
	b, ok := p.spare.Get().(*batch)
	if !ok {
		b = &batch{bytes: make([]byte, 0, batchSize+batchSize/8)}
	}
	b.in, b.bytes, b.jobs = ev, b.bytes[:0], b.jobs[:0]
	return b
}

func (b *batch) full() bool { return len(b.bytes) >= batchSize }

// add copies a value into the batch.
func (b *batch) add(v *seen.Value) {
	j := job{entry: v.Entry(), key: len(b.bytes), at: seen.Copy{
		Rev: v.Rev, Place: v.Place, File: v.File, Off: v.Off, Size: int64(len(v.Value)), Index: v.Index, Complete: v.Whole,
	}}
	j.at.Storage, _ = v.In.Keys.ParseStorage(v.Value, v.Off)
	b.bytes = append(b.bytes, v.Key...)
	j.start = len(b.bytes)
	b.bytes = append(b.bytes, v.Value...)
	j.end = len(b.bytes)
	b.jobs = append(b.jobs, j)
}

// decrypt decrypts the values of a batch. An error ends the run.
func (p *prover) decrypt(b *batch) {
	results := make([]seen.Proof, len(b.jobs))
	for i := range b.jobs {
		j := &b.jobs[i]
		if !j.at.Complete {
			continue // a key opens whole values only
		}
		var err error
		results[i], err = proveValue(p.ctx, p.config, b.in, string(b.bytes[j.key:j.start]), b.bytes[j.start:j.end])
		if err != nil {
			p.stop(err)
			return
		}
		if results[i].Failed() && j.entry == nil {
			key, value := b.bytes[j.key:j.start], b.bytes[j.start:j.end]
			j.again = isNewestAgain(b.in, key, value)
			j.sum = maphash.Comparable(p.seed, [2]uint64{maphash.Bytes(p.seed, key), maphash.Bytes(p.seed, value)})
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range b.jobs {
		p.note(b, &b.jobs[i], results[i])
	}
}

// isNewestAgain reports whether the newest value of a key has these bytes: a free page often has a
// value of the tree once more, and so has the WAL. No API server encrypts to the same bytes twice.
func isNewestAgain(ev *seen.Evidence, key, value []byte) bool {
	id := ev.Keys.Find(key)
	if id == 0 {
		return false
	}
	e := ev.Keys.At(id)
	if e.Deleted || int64(e.Size) != int64(len(value)) {
		return false
	}
	newest, err := ev.ReadValue(e)
	return err == nil && bytes.Equal(newest, value) // the file keeps an error for AddUnread
}

// stop ends the run with an error, unless it has one.
func (p *prover) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.cancel()
}

// note takes what came of one value. p.mu is locked.
func (p *prover) note(b *batch, j *job, result seen.Proof) {
	if j.entry != nil {
		j.entry.Proof = &result
	}
	rows := p.proofs.Rows[b.in]
	if rows[j.at.Storage] == nil {
		rows[j.at.Storage] = &Tally{}
	}
	switch {
	case result.Outcome == seen.Proven:
		rows[j.at.Storage].Proven++
		return
	case !result.Failed():
		return
	}
	rows[j.at.Storage].Failed++
	if j.again {
		return
	}
	id := failureID{b.in, string(b.bytes[j.key:j.start]), result.Outcome, j.entry != nil}
	f := p.failures[id]
	if f == nil {
		f = &Failure{In: b.in, Key: id.key, Outcome: id.outcome, Newest: id.newest, Refused: result.Refused, At: j.at}
		p.failures[id] = f
	}
	// The batches end in any order, and equal evidence must give equal reports.
	if cmp.Or(f.At.Rev.Compare(j.at.Rev), cmp.Compare(j.at.File, f.At.File), cmp.Compare(j.at.Off, f.At.Off)) < 0 {
		f.At, f.Refused = j.at, result.Refused
	}
	if j.entry == nil && p.older[j.sum] {
		return
	}
	f.Values++
	if j.entry == nil {
		p.older[j.sum] = true
	}
}

// ProveCopy decrypts one copy, which is encrypted. One that is not whole, or cannot be read again,
// stays unproven. Its error is that of ctx, or an *encryption.KMSError.
func ProveCopy(ctx context.Context, config *encryption.Config, ev *seen.Evidence, at *seen.Copy) (report.Proof, error) {
	if !at.Complete {
		return report.Unproven, nil
	}
	value, err := ev.ReadCopy(at)
	if err != nil {
		return report.Unproven, nil // the file keeps the error for AddUnread
	}
	result, err := proveValue(ctx, config, ev, at.Key, value)
	return result.Reported(), err
}

// proveValue decrypts one whole value of a key with the keys that its resource has in the
// configuration, or if none of them has the name, with any other that does. Its error is that of
// ctx, or an *encryption.KMSError.
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
		result.Outcome = seen.Unproven // a key of another resource may have the name by chance
	}
	return result, nil
}

// ConfiguredFor is the entries that the configuration has for the resource of an object. There are
// none for a key that names no object, or without a configuration.
func ConfiguredFor(config *encryption.Config, id resource.Identity) encryption.Entries {
	if config == nil || id.Resource == "" {
		return nil
	}
	return config.For(id.GroupResource)
}

// isObjectOf reports whether plain is a Kubernetes object at all, and whether it is that of its
// etcd key, by namespace and name. What API servers keep of themselves has no name.
func isObjectOf(id resource.Identity, key string, plain []byte) (found, is bool) {
	m, err := object.ParseName(plain, 0)
	if err != nil || m.Kind == "" {
		return false, false
	}
	if m.Name == "" {
		return true, resource.IsInternal(id.GroupResource)
	}
	end := "/" + m.Name
	if m.Namespace != "" {
		end = "/" + m.Namespace + end
	}
	return true, strings.HasSuffix(strings.TrimSuffix(key, "/"), end) && (m.Namespace != "" || id.Namespace == "")
}
