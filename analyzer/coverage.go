package analyzer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// maxExtents bounds the unattributed extents that a report lists; those that look
// random come last.
const maxExtents = 10_000

// closeEvidence takes down what became of the files of a survey, when all has been read of
// them: what they did not give, what a second witness reads in them, and whether they changed.
// Its error is that of Options.Witness.
func closeEvidence(ctx context.Context, s *survey, o Options) error {
	if s.File != nil {
		s.addUnread(&s.Source)
		if err := askWitness(ctx, s, o); err != nil {
			return err
		}
		settleFile(&s.evidence, &s.Source)
	}
	for _, seg := range s.segments {
		s.addUnread(&seg.Source)
		settleFile(&seg.evidence, &seg.Source)
	}
	return nil
}

// addEvidence takes the facts on the files of a survey, and what is wrong with them.
func (b *builder) addEvidence(s *survey) {
	c := &b.report.Coverage
	if s.File != nil {
		b.report.Evidence = append(b.report.Evidence, s.reported())
		c.Bytes += s.Size
		c.BytesRead += s.bytesRead
		c.Pages += s.db.Pages
		c.Records += s.records
		if s.evidence.SnapshotHash == report.HashMismatch {
			b.find(report.Finding{Rule: report.RuleSnapshotHash, Message: hashMessage,
				At: []report.Location{{Path: s.Path, Offset: s.Size - snapshotHashSize, Length: snapshotHashSize}}})
		}
	}
	for _, seg := range s.segments {
		b.report.Evidence = append(b.report.Evidence, seg.evidence)
		c.Bytes += seg.Size
		c.BytesRead += seg.bytesRead
		c.WALEntries += seg.evidence.WAL.Entries
	}
	c.Damage = append(c.Damage, s.damage...)
	c.DamageMore += s.damageMore
	c.NotExamined = append(c.NotExamined, s.notExamined...)
	if n := s.ledger.carvedSkipped; n > 0 && b.question.Encryption != nil {
		c.NotExamined = append(c.NotExamined, report.NotExamined{Path: s.Path,
			What: fmt.Sprintf("%d encrypted values outside of records, over a limit of %d, were not proven", n, maxCarved)})
	}
	c.Residue.Add(s.counts)
	b.addDamageFindings(s)
	b.addUnattributed(s)
}

// settleFile notes what became of the file while it was read.
func settleFile(e *report.Evidence, s *Source) {
	if s.Changed != nil {
		e.Changed = cmp.Or(s.Changed(), e.Changed)
	}
	if s.Lock != nil {
		e.Lock = s.Lock()
		e.Live = e.Lock != ""
	}
}

// reported is the facts on the file of the survey. What a file that is no db does not have is
// not among them.
func (s *survey) reported() report.Evidence {
	e := s.evidence
	if s.file != nil {
		facts, details := s.db, s.details
		e.DBFacts, e.Details = &facts, &details
	}
	return e
}

// maxLocations bounds the places of a finding on a file; coverage lists more.
const maxLocations = 10

// addDamageFindings reports, for each file of s, where it is damaged first.
func (b *builder) addDamageFindings(s *survey) {
	byPath := map[report.Text]*report.Finding{}
	whats := map[report.Text]string{} // of the first place
	for _, d := range s.damage {
		f := byPath[d.Path]
		if f == nil {
			f = &report.Finding{Rule: report.RuleDamage}
			byPath[d.Path], whats[d.Path] = f, d.What
		}
		addPlace(f, report.Location{Path: d.Path, Offset: d.Offset, Page: d.Page})
	}
	for path, f := range byPath {
		if path == s.damage[len(s.damage)-1].Path {
			f.AtMore += s.damageMore // the list ends in this file, or before it
		}
		f.Message = damageMessage(f, whats[path])
		b.find(*f)
	}
}

// addPlace adds one of many places.
func addPlace(f *report.Finding, at report.Location) {
	if len(f.At) == maxLocations {
		f.AtMore++
		return
	}
	f.At = append(f.At, at)
}

// addUnattributed lists what belongs to nothing known. What looks random is most
// likely old ciphertext, and no finding.
func (b *builder) addUnattributed(s *survey) {
	byPath := map[report.Text]*report.Finding{}
	bytes := map[report.Text]int64{}
	for _, p := range s.unattributed {
		path := s.source(p.file).Path
		b.report.Coverage.Unattributed = append(b.report.Coverage.Unattributed,
			report.Extent{Path: path, Offset: p.off, Length: int64(p.size), LooksLike: report.Looks(p.class.String())})
		if !p.suspicious() {
			b.report.Coverage.Residue.Random += int64(p.size)
			continue
		}
		if byPath[path] == nil {
			byPath[path] = &report.Finding{Rule: report.RuleUnattributed}
		}
		addPlace(byPath[path], report.Location{Path: path, Offset: p.off, Length: int64(p.size), Page: s.pageAt(p.file, p.off)})
		bytes[path] += int64(p.size)
	}
	for path, f := range byPath {
		f.Message = unattributedMessage(f, bytes[path])
		b.find(*f)
	}
}

// pageAt is the page of an offset in a file, none in a WAL segment.
func (s *survey) pageAt(file fileID, off int64) report.Page {
	return report.PageAt(off, s.pageSizeOf(s.source(file)))
}

// capExtents keeps the first extents of the list, those before all that look like
// text, and counts the rest.
func capExtents(c *report.Coverage) {
	if more := len(c.Unattributed) - maxExtents; more > 0 {
		slices.SortStableFunc(c.Unattributed, func(a, b report.Extent) int {
			return compareBool(a.LooksLike == report.LooksRandom, b.LooksLike == report.LooksRandom)
		})
		c.Unattributed, c.UnattributedMore = c.Unattributed[:maxExtents:maxExtents], more
	}
	slices.SortFunc(c.Unattributed, func(a, b report.Extent) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Offset, b.Offset))
	})
}
