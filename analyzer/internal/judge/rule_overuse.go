package judge

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// overuseRules are the rules that the writes with a key break.
var overuseRules = []report.Rule{
	{
		ID: report.RuleKeyOveruse, Severity: report.SeverityMedium, Reason: report.StatusFindings,
		Means:   "an aesgcm key has been written with more often than it is made for (low where it may have been another key before)",
		Matters: "Its nonces are random and short: Kubernetes' documentation asks for a new key every 200,000 writes.",
		Mend:    "Put a new key first, rewrite every object, and rotate by schedule; or use KMS v2.",
	},
}

// A writeCount is how many values were written with a key: for certain, and if it was in use from
// the time on when the objects that it encrypts were created.
type writeCount struct{ certain, likely int64 }

// addOveruse reports the keys that more values were written with than their provider is made for.
// The version of a value counts the writes since its object was created. All of them were made with
// the key that the value names if the era of that key had begun by then, and all others had ended.
// Otherwise the versions that were seen are certain, and those between them if no other key was in
// use meanwhile; the versions before them are likely, unless an era that began earlier had not
// ended when the object was created.
func (j *Judge) addOveruse(evs []*seen.Evidence) {
	var es *eras // made when there is an incarnation at all
	counts := map[seen.KeyID]writeCount{}
	for e, life := range j.incarnations(evs) {
		if es == nil {
			es = j.eras(evs)
		}
		n := counts[e.use]
		certain := life.High - life.Low + 1
		if es.shared[e] {
			certain = min(certain, 2) // some of those between may be of another key
		}
		switch {
		case es.first[e] <= life.Create && es.others(e) <= life.Create:
			n.certain += life.High
			n.likely += life.High
		case life.Create > es.before[e]:
			n.certain += certain
			n.likely += life.High
		default:
			n.certain += certain
			n.likely += certain
		}
		counts[e.use] = n
	}
	for use, n := range counts {
		limit := use.Provider.WriteLimit()
		if n.likely <= limit {
			continue
		}
		f := report.Finding{Rule: report.RuleKeyOveruse, Detail: howOften(use, n, limit)}
		if n.certain <= limit {
			f.Severity = report.SeverityLow
		}
		j.addFinding(f)
	}
}

// An era is the time in which values of one resource were stored in one way.
type era struct {
	use seen.KeyID // zero for plaintext
	resourceIn
}

// A resourceIn is a resource in a cluster. One key after the other encrypts it.
type resourceIn struct {
	resource resource.GroupResource
	cluster  int
}

// eras are all eras. One lasts from the first to the last revision that was seen of its values.
type eras struct {
	first, last map[era]int64         // revisions; 0 if none is known
	before      map[era]int64         // the last revision of the eras that began earlier
	shared      map[era]bool          // another era overlaps with it
	latest      map[resourceIn][2]era // the two eras that ended last; the same twice if there is one
}

// eras finds the eras of all evidence in its ledgers.
func (j *Judge) eras(evs []*seen.Evidence) *eras {
	es := &eras{first: map[era]int64{}, last: map[era]int64{}, before: map[era]int64{}, shared: map[era]bool{},
		latest: map[resourceIn][2]era{}}
	byResource := map[resourceIn][]era{}
	for _, ev := range evs {
		for _, r := range ev.Ledger.Resources(ev.Identity) {
			e := era{resourceIn: resourceIn{r.Resource, j.clusters.Etcd(ev)}}
			if r.Storage != 0 {
				e.use = ev.Keys.Storages[r.Storage].KeyID()
			}
			if _, known := es.last[e]; !known {
				byResource[e.resourceIn] = append(byResource[e.resourceIn], e)
			}
			if r.First > 0 && (es.first[e] == 0 || r.First < es.first[e]) {
				es.first[e] = r.First
			}
			es.last[e] = max(es.last[e], r.Last)
		}
	}
	for r, list := range byResource {
		slices.SortFunc(list, func(x, y era) int { return cmp.Compare(es.last[y], es.last[x]) })
		es.latest[r] = [2]era{list[0], list[min(1, len(list)-1)]}
		slices.SortFunc(list, func(x, y era) int { return cmp.Compare(es.first[x], es.first[y]) })
		last, next := int64(0), 0 // last is of the eras before next
		for i, e := range list {
			for ; es.first[list[next]] < es.first[e]; next++ {
				last = max(last, es.last[list[next]])
			}
			es.before[e] = last
			es.shared[e] = last > es.first[e] || i+1 < len(list) && es.first[list[i+1]] < es.last[e]
		}
	}
	return es
}

// others is the last revision of all other eras of the same resource; 0 if there are none.
func (es *eras) others(e era) int64 {
	latest := es.latest[e.resourceIn]
	if latest[0] != e {
		return es.last[latest[0]]
	}
	if latest[1] != e {
		return es.last[latest[1]]
	}
	return 0
}

// incarnations yields the incarnations of the objects that keys with a limit encrypted, each once
// even if several files of a cluster have it.
func (j *Judge) incarnations(evs []*seen.Evidence) iter.Seq2[era, seen.Incarnation] {
	type id struct {
		era
		hash uint64
	}
	return func(yield func(era, seen.Incarnation) bool) {
		joined := map[id]seen.Incarnation{} // if there are several files
		for _, ev := range evs {
			resources := make([]resource.GroupResource, len(ev.Ledger.Samples))
			for i, key := range ev.Ledger.Samples {
				resources[i] = ev.Identity(key).GroupResource
			}
			for hash, life := range ev.Ledger.Written {
				e := era{ev.Keys.Storages[life.Storage].KeyID(), resourceIn{resources[life.Dir-1], j.clusters.Etcd(ev)}}
				if len(evs) > 1 {
					if have, ok := joined[id{e, hash}]; ok {
						life.Low, life.High = min(have.Low, life.Low), max(have.High, life.High)
					}
					joined[id{e, hash}] = life
				} else if !yield(e, life) {
					return
				}
			}
		}
		for i, life := range joined {
			if !yield(i.era, life) {
				return
			}
		}
	}
}

// howOften says how often a key has been written with, whether that is certain, and the limit.
func howOften(use seen.KeyID, n writeCount, limit int64) string {
	key := seen.KeyLabel(use.Provider, use.KeyName)
	if n.certain > limit {
		return fmt.Sprintf("at least %d values were written with %s, by the versions of those that are left; its limit is %d", n.certain, key, limit)
	}
	return fmt.Sprintf("%d values were written with %s if no other key has encrypted the same objects since they were created, by their versions; its limit is %d", n.likely, key, limit)
}
