package analyzer

import (
	"cmp"
	"fmt"
	"slices"
)

// maxExtents bounds the unattributed extents that a report lists; those that look
// random come last.
const maxExtents = 10_000

// addEvidence takes the facts on the files of a survey, and what is wrong with
// them, when all has been read of them.
func (b *builder) addEvidence(s *survey) {
	c := &b.report.Coverage
	if s.File != nil {
		s.addUnread(&s.Source)
		b.addWitness(s)
		s.evidence.settle(&s.Source)
		b.report.Evidence = append(b.report.Evidence, s.evidence)
		c.Bytes += s.Size
		c.BytesRead += s.bytesRead
		c.Pages += s.evidence.Pages
		c.Records += s.records
		if s.evidence.SnapshotHash == HashMismatch {
			b.find(Finding{Rule: RuleSnapshotHash, Path: s.Path,
				Message: "the SHA-256 at the end of the snapshot is not that of the bytes before it: they changed after etcd wrote them, or the file was cut"})
		}
	}
	for _, seg := range s.segments {
		s.addUnread(&seg.Source)
		seg.evidence.settle(&seg.Source)
		b.report.Evidence = append(b.report.Evidence, seg.evidence)
		c.Bytes += seg.Size
		c.BytesRead += seg.bytesRead
		c.WALEntries += seg.evidence.WAL.Entries
	}
	c.Damage = append(c.Damage, s.damage...)
	c.DamageMore += s.damageMore
	c.NotExamined = append(c.NotExamined, s.notExamined...)
	if n := s.ledger.carvedSkipped; n > 0 && b.options.Encryption != nil {
		c.NotExamined = append(c.NotExamined, NotExamined{Path: s.Path,
			What: fmt.Sprintf("%d encrypted values outside of records, over a limit of %d, were not proven", n, maxCarved)})
	}
	c.Residue.add(s.counts)
	b.addDamageFindings(s)
	b.addUnattributed(s)
}

// settle notes what became of the file while it was read.
func (e *Evidence) settle(s *Source) {
	if s.Changed != nil {
		e.Changed = cmp.Or(s.Changed(), e.Changed)
	}
	if s.Lock != nil {
		e.Lock = s.Lock()
		e.Live = e.Lock != ""
	}
}

func (r *ResidueCounts) add(o ResidueCounts) {
	r.Bytes += o.Bytes
	r.Records += o.Records
	r.Rereads += o.Rereads
	r.Fragments += o.Fragments
	r.Random += o.Random
	r.Other += o.Other
}

// addDamageFindings reports, for each file of s, where it is damaged first.
func (b *builder) addDamageFindings(s *survey) {
	byPath := map[Text][]Damage{}
	for _, d := range s.damage {
		byPath[d.Path] = append(byPath[d.Path], d)
	}
	for path, damage := range byPath {
		n := len(damage)
		if path == s.damage[len(s.damage)-1].Path {
			n += s.damageMore // the list ends in this file, or before it
		}
		where := "at"
		if n > 1 {
			where = fmt.Sprintf("in %d places, the first at", n)
		}
		b.find(Finding{Rule: RuleDamage, Path: path,
			Message: fmt.Sprintf("something breaks its format or could not be read, %s offset %#x: %s", where, damage[0].Offset, damage[0].What)})
	}
}

// addUnattributed lists what belongs to nothing known. What looks random is most
// likely old ciphertext, and no finding.
func (b *builder) addUnattributed(s *survey) {
	type count struct {
		extents int
		bytes   int64
		first   int64
	}
	counts := map[Text]*count{}
	for _, p := range s.unattributed {
		path := s.source(p.file).Path
		b.report.Coverage.Unattributed = append(b.report.Coverage.Unattributed,
			Extent{Path: path, Offset: p.off, Length: int64(p.size), LooksLike: p.class.String()})
		if !p.suspicious() {
			b.report.Coverage.Residue.Random += int64(p.size)
			continue
		}
		n := counts[path]
		if n == nil {
			n = &count{first: p.off}
			counts[path] = n
		}
		n.extents++
		n.bytes += int64(p.size)
	}
	for path, n := range counts {
		where := fmt.Sprintf("at offset %#x", n.first)
		if n.extents > 1 {
			where = fmt.Sprintf("in %d places, the first at offset %#x,", n.extents, n.first)
		}
		b.find(Finding{Rule: RuleUnattributed, Path: path, Message: fmt.Sprintf(
			"%d bytes %s belong to no known object and are not random enough to be ciphertext", n.bytes, where)})
	}
}

// capExtents keeps the first extents of the list, those before all that look like
// text, and counts the rest.
func (c *Coverage) capExtents() {
	if more := len(c.Unattributed) - maxExtents; more > 0 {
		slices.SortStableFunc(c.Unattributed, func(a, b Extent) int {
			return compareBool(a.LooksLike == looksRandom, b.LooksLike == looksRandom)
		})
		c.Unattributed, c.UnattributedMore = c.Unattributed[:maxExtents:maxExtents], more
	}
	slices.SortFunc(c.Unattributed, func(a, b Extent) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Offset, b.Offset))
	})
}
