package judge

import (
	"cmp"
	"iter"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// maxWrites is how many values may be written with one aesgcm key.
//
// Source: the table of providers in Kubernetes' documentation, "Encrypting Confidential
// Data at Rest": "Must be rotated every 200,000 writes".
const maxWrites = 200_000

// addHygiene reports what the bytes alone say of the keys.
func (b *Judge) addHygiene(evs []*seen.Evidence) {
	if b.question.Key != "" {
		return
	}
	b.addNonceFindings(b.nonces)
	b.addOveruse(evs)
	for _, u := range b.sortedUses() {
		if u.Newest > 0 {
			b.addWeak(u)
		}
	}
}

// addWeak reports a provider that Kubernetes advises against, where newest values use it.
func (b *Judge) addWeak(u *keyUse) {
	f := report.Finding{Rule: report.RuleWeakProvider}
	switch u.id.Provider {
	case envelope.AESCBC:
		f.Severity = report.SeverityLow
	case envelope.KMSv1:
		f.Severity = report.SeverityMedium
	default:
		return
	}
	f.Message = weakMessage(u)
	b.find(f)
}

// A period is the values of one resource that were stored in one way.
type period struct {
	use seen.UseID // of plaintext values the zero useID
	field
}

// A field is a resource in a cluster: what one key after the other encrypts.
type field struct {
	resource object.GroupResource
	cluster  int
}

// periods knows when the values of each resource were stored in which way: from the
// first to the last revision that was seen of them.
type periods struct {
	first, last map[period]int64
	before      map[period]int64    // the last revision of periods that began earlier
	shared      map[period]bool     // another period overlaps with it
	latest      map[field][2]period // the two periods that ended last
}

func (b *Judge) periods(evs []*seen.Evidence) *periods {
	ps := &periods{first: map[period]int64{}, last: map[period]int64{}, before: map[period]int64{}, shared: map[period]bool{}, latest: map[field][2]period{}}
	fields := map[field][]period{}
	for _, ev := range evs {
		for _, r := range ev.Ledger.Resources(ev.Identity) {
			p := period{field: field{r.Resource, b.holders.cluster[ev]}}
			if r.Storage != 0 {
				p.use = ev.Keys.Storages[r.Storage].Use()
			}
			if _, known := ps.last[p]; !known {
				fields[p.field] = append(fields[p.field], p)
			}
			if r.First > 0 && (ps.first[p] == 0 || r.First < ps.first[p]) {
				ps.first[p] = r.First
			}
			ps.last[p] = max(ps.last[p], r.Last)
		}
	}
	for f, list := range fields {
		slices.SortFunc(list, func(x, y period) int { return cmp.Compare(ps.last[y], ps.last[x]) })
		ps.latest[f] = [2]period{list[0], list[min(1, len(list)-1)]}
		slices.SortFunc(list, func(x, y period) int { return cmp.Compare(ps.first[x], ps.first[y]) })
		last, next := int64(0), 0 // of the periods before next
		for i, p := range list {
			for ; ps.first[list[next]] < ps.first[p]; next++ {
				last = max(last, ps.last[list[next]])
			}
			ps.before[p] = last
			ps.shared[p] = last > ps.first[p] || i+1 < len(list) && ps.first[list[i+1]] < ps.last[p]
		}
	}
	return ps
}

// others is the last revision of any other period of the same resource.
func (ps *periods) others(p period) int64 {
	latest := ps.latest[p.field]
	if latest[0] != p {
		return ps.last[latest[0]]
	}
	if latest[1] != p {
		return ps.last[latest[1]]
	}
	return 0
}

// A count is how often a key was written with: certainly, and if it was in use since the
// objects that it encrypts were created.
type count struct{ certain, likely int64 }

// addOveruse reports the aesgcm keys that have been written with too often. The version
// of a value counts the writes since its key was created. They were certainly made with
// the key that the value names if that was in use by then, and no other one after it. Else
// those versions are certain that were seen, with all between them if no other key was in
// use meanwhile; and the others are likely, unless something else was in use before.
func (b *Judge) addOveruse(evs []*seen.Evidence) {
	var ps *periods
	counts := map[seen.UseID]count{}
	for p, n := range b.spans(evs) {
		if ps == nil {
			ps = b.periods(evs)
		}
		c := counts[p.use]
		seen := n.High - n.Low + 1
		if ps.shared[p] {
			seen = min(seen, 2) // some of those between may be of another key
		}
		switch {
		case ps.first[p] <= n.Create && ps.others(p) <= n.Create:
			c.certain += n.High
			c.likely += n.High
		case n.Create > ps.before[p]:
			c.certain += seen
			c.likely += n.High
		default:
			c.certain += seen
			c.likely += seen
		}
		counts[p.use] = c
	}
	for use, c := range counts {
		f := report.Finding{Rule: report.RuleKeyOveruse, Message: overuseMessage(use, c)}
		if c.certain <= maxWrites {
			f.Severity = report.SeverityLow
		}
		if c.likely > maxWrites {
			b.find(f)
		}
	}
}

// spans yields the incarnations of the objects that aesgcm keys encrypted, each once:
// several files of a cluster may tell of the same.
func (b *Judge) spans(evs []*seen.Evidence) iter.Seq2[period, seen.Incarnation] {
	type spanID struct {
		period
		hash uint64
	}
	return func(yield func(period, seen.Incarnation) bool) {
		joined := map[spanID]seen.Incarnation{} // where there are several files
		for _, ev := range evs {
			resources := make([]object.GroupResource, len(ev.Ledger.Samples))
			for i, key := range ev.Ledger.Samples {
				resources[i] = ev.Identity(key).GroupResource
			}
			for hash, n := range ev.Ledger.Written {
				p := period{ev.Keys.Storages[n.Storage].Use(), field{resources[n.Dir-1], b.holders.cluster[ev]}}
				if len(evs) > 1 {
					if have, ok := joined[spanID{p, hash}]; ok {
						n.Low, n.High = min(have.Low, n.Low), max(have.High, n.High)
					}
					joined[spanID{p, hash}] = n
				} else if !yield(p, n) {
					return
				}
			}
		}
		for id, n := range joined {
			if !yield(id.period, n) {
				return
			}
		}
	}
}
