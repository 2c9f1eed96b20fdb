package analyzer

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// An exposer makes the exposures of some keys, and their findings, beside others that
// do so at the same time: what they share they only read.
type exposer struct {
	*builder
	keys       []*keyInScope // in order
	exposures  []Exposure
	findings   []Finding
	validities map[string]*Validity
	copies     []seen   // of the key at hand
	breaches   []breach // used again for each key
	data, now  []namedDatum
	messages   arena
	scratch    []byte
	err        error // that ends the run
}

// exposeAll reports all keys of which plaintext copies were seen, in parts.
func (b *builder) exposeAll(keys []*keyInScope) {
	parts := make([]exposer, runtime.GOMAXPROCS(0))
	exposures := make([]Exposure, len(keys))
	b.report.Exposures = exposures
	var done sync.WaitGroup
	findings := b.roomForFindings(len(keys))
	for i := range parts {
		lo, hi := i*len(keys)/len(parts), (i+1)*len(keys)/len(parts)
		parts[i] = exposer{builder: b, keys: keys[lo:hi], exposures: exposures[lo:lo:hi],
			findings: findings[findingsOf(lo):findingsOf(lo):findingsOf(hi)], validities: map[string]*Validity{}}
		done.Go(parts[i].exposeKeys)
	}
	done.Wait()
	b.joinFindings(parts)
	for _, part := range parts {
		b.err = cmp.Or(b.err, part.err)
	}
	if b.err != nil {
		b.report.Exposures = []Exposure{} // some are not filled in
	}
}

// findingsOf is how many findings there is room for that so many keys may have: most have
// two, of copies in the history and on free pages.
func findingsOf(keys int) int { return 2*keys + keys/8 }

// roomForFindings is room in the report's list for the findings of so many keys, behind
// those that it has.
func (b *builder) roomForFindings(keys int) []Finding {
	n := len(b.report.Findings)
	b.report.Findings = slices.Grow(b.report.Findings, findingsOf(keys))
	return b.report.Findings[n : n+findingsOf(keys)]
}

// joinFindings appends the findings of all parts to those of the report, in whose list they
// lie already unless there were more than there was room for: then they must not be moved
// over each other.
func (b *builder) joinFindings(parts []exposer) {
	for _, part := range parts {
		if len(part.findings) > findingsOf(len(part.keys)) {
			b.report.Findings = slices.Clip(b.report.Findings)
		}
	}
	for _, part := range parts {
		b.report.Findings = append(b.report.Findings, part.findings...)
	}
}

func (b *exposer) exposeKeys() {
	for _, k := range b.keys {
		b.expose(k)
	}
}

// expose reports a key of which plaintext copies were seen.
func (b *exposer) expose(k *keyInScope) {
	if b.ctx.Err() != nil {
		b.err = b.ctx.Err()
		return
	}
	status := k.exposed()
	slices.SortStableFunc(k.copies, func(x, y kept) int { return compareSeen(x.in(b.surveys), y.in(b.surveys)) })
	b.copies = b.copies[:0]
	for _, c := range k.copies {
		b.copies = append(b.copies, c.in(b.surveys))
	}
	x := Exposure{
		Resource: b.scope[k.id.GroupResource].Resource, Namespace: Text(k.id.Namespace), Name: Text(k.id.Name),
		Key: Text(k.key), Status: status, State: k.state, Current: k.current(), DataKeys: []Text{},
		Copies: Copies{kept: k.copies, surveys: b.surveys},
	}
	if k.id.GroupResource == secrets {
		b.describe(&x)
		x.Validity = b.validity(k, x.DataKeys)
	}
	b.addPlaintextFindings(&x)
	b.exposures = append(b.exposures, x)
}

// compareSeen orders copies by revision, then by where they lie.
func compareSeen(a, b seen) int {
	return cmp.Or(cmp.Compare(a.rev.Main, b.rev.Main), cmp.Compare(a.index, b.index),
		cmp.Compare(a.path(), b.path()), cmp.Compare(a.off, b.off))
}

func (c seen) path() Text { return c.in.source(c.file).Path }

// describe fills in the type and the names of the data of a Secret, out of the
// newest copy that tells them. A value that is no object, or a broken one, is
// readable all the same: what could be made out of it is told.
func (b *exposer) describe(x *Exposure) {
	for _, whole := range []bool{true, false} {
		for _, c := range slices.Backward(b.copies) {
			if c.complete != whole {
				continue
			}
			if f := c.in.contents.formOf(c.holds); f.kind != "" || len(f.dataKeys) > 0 {
				x.Type, x.DataKeys = f.kind, f.dataKeys
				return
			}
		}
	}
}

// rule is the one that a plaintext copy breaks, empty if none: a reachable record
// that was met once more is no residue.
func (c seen) rule() RuleID {
	if c.reread {
		return ""
	}
	switch c.region() {
	case RegionLive:
		return RulePlaintextLive
	case RegionHistory:
		return RulePlaintextHistory
	case RegionWAL:
		return RulePlaintextWAL
	case RegionFree:
		return RulePlaintextFree
	case RegionTail:
		if c.complete && c.rev.Main > 0 {
			return RulePlaintextFree
		}
	}
	return RulePlaintextFragment
}

// A breach is a rule that copies in one file break.
type breach struct {
	rule   RuleID
	path   Text
	copies int
	newest seen
}

// breach is the one for a rule and a file.
func (b *exposer) breach(rule RuleID, path Text) *breach {
	i := slices.IndexFunc(b.breaches, func(p breach) bool { return p.rule == rule && p.path == path })
	if i < 0 {
		i = len(b.breaches)
		b.breaches = append(b.breaches, breach{rule: rule, path: path})
	}
	return &b.breaches[i]
}

// addPlaintextFindings reports, for each rule and file, the copies of an exposure
// that break it, by the newest of them.
func (b *exposer) addPlaintextFindings(x *Exposure) {
	b.breaches = b.breaches[:0]
	for _, c := range b.copies {
		if rule := c.rule(); rule != "" {
			p := b.breach(rule, c.path())
			p.copies++
			p.newest = c
		}
		if x.Status == StatusPlaintext && x.Current.WALIndex != nil && uint64(c.index) == *x.Current.WALIndex {
			p := b.breach(RulePlaintextLive, c.path())
			p.copies, p.newest = 1, c
		}
	}
	for _, p := range b.breaches {
		b.findings = append(b.findings, Finding{
			Rule: p.rule, Severity: ruleByID(p.rule).Severity, Resource: x.Resource, Namespace: x.Namespace, Name: x.Name, Key: x.Key, Path: p.path,
			Message: b.message(x, &p),
		})
	}
}

// message says where the copies of a breach lie.
func (b *exposer) message(x *Exposure, p *breach) string {
	b.scratch = appendMessage(b.scratch[:0], x, p)
	return b.messages.add(b.scratch)
}

func appendMessage(b []byte, x *Exposure, p *breach) []byte {
	c := p.newest
	switch {
	case p.rule == RulePlaintextLive && c.place != inWAL && x.Status == StatusExposed:
		return append(c.appendWhere(append(b, "the newest value in this file, "...)), ", is not encrypted; later evidence has it encrypted or deleted"...)
	case p.rule == RulePlaintextLive:
		b = append(c.appendWhere(append(b, "the newest value, "...)), ", is not encrypted"...)
		if c.place == inWAL {
			b = append(b, "; it is in the WAL alone, the db does not have it yet"...)
		}
		return b
	case p.copies > 1:
		b = append(strconv.AppendInt(b, int64(p.copies), 10), " plaintext copies, the newest "...)
	default:
		b = append(b, "a plaintext copy "...)
	}
	b = c.appendWhere(b)
	switch p.rule {
	case RulePlaintextHistory:
		b = append(b, ", in an older revision"...)
	case RulePlaintextFree:
		b = append(b, ", on a page that is free"...)
	case RulePlaintextFragment:
		b = append(b, ", in bytes that are no record"...)
	}
	return b
}

// appendWhere says where a copy lies.
func (c seen) appendWhere(b []byte) []byte {
	if c.rev.Main > 0 {
		b = append(strconv.AppendInt(append(b, "of revision "...), c.rev.Main, 10), ", "...)
	}
	b = append(strconv.AppendInt(b, c.size, 10), " bytes at offset 0x"...)
	b = strconv.AppendInt(b, c.off, 16)
	if c.index > 0 {
		b = strconv.AppendUint(append(b, ", WAL index "...), uint64(c.index), 10)
	}
	return b
}

// readSighting reads the bytes of a sighting again.
func (s *survey) readSighting(at *sighting) ([]byte, error) {
	b := make([]byte, at.size)
	if err := s.source(at.file).readAt(b, at.off); err != nil {
		return nil, readError(at.page, at.off, err)
	}
	return b, nil
}
