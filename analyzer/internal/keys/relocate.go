package keys

import (
	"cmp"
	"errors"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
)

// Bounds of the search for the paths of moved values: if all of n values are moved, it takes up to
// n*n trials.
const (
	maxTrials     = 2_000_000
	maxTrialBytes = 4 << 30
)

// relocate looks for the etcd keys that moved values were encrypted for: a value that its key does
// not open may open with the path of another object of its resource. It sorts the failures, and
// sets From and Given of each. Its error ends the run.
func (p *prover) relocate(evs []*seen.Evidence) error {
	slices.SortFunc(p.proofs.Failures, func(x, y *Failure) int {
		return cmp.Or(seen.CompareBool(y.Newest, x.Newest), cmp.Compare(x.Key, y.Key), cmp.Compare(x.Outcome, y.Outcome),
			cmp.Compare(x.In.SourceOf(x.At.File).Path, y.In.SourceOf(y.At.File).Path))
	})
	paths := newCandidates(evs, p.proofs.Failures)
	trials, bytes := 0, int64(0)
	for _, f := range p.proofs.Failures {
		if f.Outcome != seen.Closed || f.Refused || !f.In.Keys.Storages[f.At.Storage].Provider.IsBound() {
			continue
		}
		value, err := f.In.ReadCopy(&f.At)
		if err != nil {
			continue // the file keeps the error for AddUnread
		}
		keys := p.config.Match(value)
		for _, path := range paths.of(f) {
			if trials++; trials > maxTrials || bytes > maxTrialBytes {
				f.GaveUp = "the search for the key that it was encrypted for ended at a limit"
				break
			}
			bytes += int64(len(value))
			if ok, err := p.opens(keys, value, path); err != nil {
				return err
			} else if ok {
				f.MovedFrom = path
				break
			}
		}
	}
	return nil
}

// opens reports whether one of the keys opens the value with that path.
func (p *prover) opens(keys []*encryption.Key, value []byte, path string) (bool, error) {
	for _, k := range keys {
		opened, err := k.Open(p.ctx, value, []byte(path))
		switch {
		case err == nil:
			clear(opened.Plain)
			return true, nil
		case !errors.Is(err, encryption.ErrClosed) && !errors.Is(err, encryption.ErrNoKMS):
			return false, err
		}
	}
	return false, p.ctx.Err()
}

// candidates are the etcd keys that moved values may have been encrypted for, by resource. Those
// whose own values failed come first, because values are often swapped.
type candidates map[string][]string

// newCandidates takes all keys of the resources whose values failed.
func newCandidates(evs []*seen.Evidence, failures []*Failure) candidates {
	c := candidates{}
	known := map[string]bool{}
	add := func(ev *seen.Evidence, key string) {
		if !known[key] {
			known[key] = true
			resource := ev.Identity(key).GroupResource.String()
			c[resource] = append(c[resource], key)
		}
	}
	wanted := map[string]bool{}
	for _, f := range failures {
		if f.Outcome == seen.Closed {
			add(f.In, f.Key)
			wanted[f.In.Identity(f.Key).GroupResource.String()] = true
		}
	}
	if len(wanted) == 0 {
		return c
	}
	for _, ev := range evs {
		for _, e := range ev.Keys.Entries.All() {
			if wanted[ev.Identity(e.Key).GroupResource.String()] {
				add(ev, e.Key)
			}
		}
	}
	return c
}

// of lists the paths to try for a failure.
func (c candidates) of(f *Failure) []string {
	return c[f.In.Identity(f.Key).GroupResource.String()]
}
