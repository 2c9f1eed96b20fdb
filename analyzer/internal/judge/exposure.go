package judge

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// An exposer makes the exposures of some keys, and their findings, beside others that
// do so at the same time: what they share they only read.
type exposer struct {
	*Judge
	keys      []*Subject // in order
	exposures []report.Exposure
	findings  []report.Finding
	copies    []seen.CopyIn // of the key at hand
	breaches  []breach      // used again for each key
	messages  mem.Strings
	locations []report.Location // with room for those of further findings
	scratch   []byte
}

// inParts calls do for the keys in parts, one after the other a processor, and waits for all.
// first and end are the numbers of the keys of a part.
func inParts(keys []*Subject, do func(part, first, end int)) {
	var done sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		done.Go(func() { do(i, i*len(keys)/n, (i+1)*len(keys)/n) })
	}
	done.Wait()
}

// exposeAll reports all keys of which plaintext copies were seen, in parts.
func (b *Judge) exposeAll(keys []*Subject) {
	parts := make([]exposer, runtime.GOMAXPROCS(0))
	exposures := make([]report.Exposure, len(keys))
	b.result.Exposures = exposures
	findings := b.roomForFindings(len(keys))
	inParts(keys, func(part, lo, hi int) {
		parts[part] = exposer{Judge: b, keys: keys[lo:hi], exposures: exposures[lo:lo:hi],
			findings: findings[findingsOf(lo):findingsOf(lo):findingsOf(hi)]}
		for _, k := range keys[lo:hi] {
			parts[part].expose(k)
		}
	})
	b.joinFindings(parts)
	copies := make([]*mem.List[report.Copy], len(b.surveys))
	for i, ev := range b.surveys {
		copies[i] = takeCopies(ev)
	}
	for i, k := range keys {
		list := make([]*report.Copy, len(k.copies))
		for j, c := range k.copies {
			list[j] = copies[c.Evidence].At(int(c.Copy))
		}
		exposures[i].Copies = list
		k.copies = nil
	}
}

// findingsOf is how many findings there is room for that so many keys may have: most have
// two, of copies in the history and on free pages.
func findingsOf(keys int) int { return 2*keys + keys/8 }

// roomForFindings is room in the report's list for the findings of so many keys, behind
// those that it has.
func (b *Judge) roomForFindings(keys int) []report.Finding {
	n := len(b.result.Findings)
	b.result.Findings = slices.Grow(b.result.Findings, findingsOf(keys))
	return b.result.Findings[n : n+findingsOf(keys)]
}

// joinFindings appends the findings of all parts to those of the report, in whose list they
// lie already unless there were more than there was room for: then they must not be moved
// over each other.
func (b *Judge) joinFindings(parts []exposer) {
	for _, part := range parts {
		if len(part.findings) > findingsOf(len(part.keys)) {
			b.result.Findings = slices.Clip(b.result.Findings)
		}
	}
	for _, part := range parts {
		b.result.Findings = append(b.result.Findings, part.findings...)
	}
}

// expose reports a key of which plaintext copies were seen. Its copies come later.
func (b *exposer) expose(k *Subject) {
	b.copies = k.seen(b.copies[:0], b.surveys)
	x := report.Exposure{
		Resource: b.scope[k.id.GroupResource].Resource, Namespace: report.Text(k.id.Namespace), Name: report.Text(k.id.Name),
		Key: report.Text(k.key), Status: k.exposed(), State: k.state, Type: k.form.Kind, DataKeys: k.form.DataKeys, Current: k.current(),
		Validity: k.validity,
	}
	if x.DataKeys == nil {
		x.DataKeys = []report.Text{}
	}
	b.addPlaintextFindings(&x)
	b.exposures = append(b.exposures, x)
}

// seen appends the copies of a key.
func (k *Subject) seen(list []seen.CopyIn, evs []*seen.Evidence) []seen.CopyIn {
	for _, c := range k.copies {
		list = append(list, c.In(evs))
	}
	return list
}

// compareSeen orders copies by revision, then by where they lie.
func compareSeen(a, b seen.CopyIn) int {
	return cmp.Or(cmp.Compare(a.Rev.Main, b.Rev.Main), cmp.Compare(a.Index, b.Index),
		cmp.Compare(a.Path(), b.Path()), cmp.Compare(a.Off, b.Off))
}

// ruleOf is the one that a plaintext copy breaks, empty if none: a reachable record
// that was met once more is no residue.
func ruleOf(c seen.CopyIn) report.RuleID {
	if c.Reread {
		return ""
	}
	switch c.Region() {
	case report.RegionLive:
		return report.RulePlaintextLive
	case report.RegionHistory:
		return report.RulePlaintextHistory
	case report.RegionWAL:
		return report.RulePlaintextWAL
	case report.RegionFree:
		return report.RulePlaintextFree
	case report.RegionTail:
		if c.Complete && c.Rev.Main > 0 {
			return report.RulePlaintextFree
		}
	}
	return report.RulePlaintextFragment
}

// A breach is a rule that copies in one file break.
type breach struct {
	rule   report.RuleID
	path   report.Text
	copies int
	newest seen.CopyIn
}

// breach is the one for a rule and a file.
func (b *exposer) breach(rule report.RuleID, path report.Text) *breach {
	i := slices.IndexFunc(b.breaches, func(p breach) bool { return p.rule == rule && p.path == path })
	if i < 0 {
		i = len(b.breaches)
		b.breaches = append(b.breaches, breach{rule: rule, path: path})
	}
	return &b.breaches[i]
}

// addPlaintextFindings reports, for each rule and file, the copies of an exposure
// that break it, by the newest of them.
func (b *exposer) addPlaintextFindings(x *report.Exposure) {
	b.breaches = b.breaches[:0]
	for _, c := range b.copies {
		if rule := ruleOf(c); rule != "" {
			p := b.breach(rule, c.Path())
			p.copies++
			p.newest = c
		}
		if x.Status == report.StatusPlaintext && x.Current.WALIndex != 0 && uint64(c.Index) == x.Current.WALIndex {
			p := b.breach(report.RulePlaintextLive, c.Path())
			p.copies, p.newest = 1, c
		}
	}
	for _, p := range b.breaches {
		f := report.Finding{
			Rule: p.rule, Severity: report.RuleByID(p.rule).Severity, Resource: x.Resource, Namespace: x.Namespace, Name: x.Name, Key: x.Key,
			At: b.locate(p.newest), AtMore: p.copies - 1,
		}
		b.scratch = appendPlaintext(b.scratch[:0], &f, p.newest.Place == seen.InWAL, x.Status == report.StatusExposed)
		f.Message = b.messages.Add(b.scratch)
		b.findings = append(b.findings, f)
	}
}

// locationChunk is how many locations share one piece of memory: nearly each finding has one.
const locationChunk = 512

// locate is the place of a copy, as a list.
func (b *exposer) locate(c seen.CopyIn) []report.Location {
	if len(b.locations) == cap(b.locations) {
		b.locations = make([]report.Location, 0, locationChunk)
	}
	n := len(b.locations)
	b.locations = append(b.locations, c.Location())
	return b.locations[n : n+1 : n+1]
}
