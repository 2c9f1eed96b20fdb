package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// MaxExtents bounds the unattributed extents that a report lists; those that look
// random come last.
const MaxExtents = 10_000

// addEvidence takes the facts on the files of a survey, and what is wrong with them.
func (b *Judge) addEvidence(ev *seen.Evidence) {
	c := &b.result.Coverage
	if ev.File != nil {
		b.result.Evidence = append(b.result.Evidence, reportedFacts(ev))
		c.Bytes += ev.Size
		c.BytesRead += ev.BytesRead
		c.Pages += ev.DB.Pages
		c.Records += ev.Records
		if ev.Facts.SnapshotHash == report.HashMismatch {
			b.find(report.Finding{Rule: report.RuleSnapshotHash, Message: hashMessage,
				At: []report.Location{{Path: ev.Path, Offset: ev.Size - evidence.SnapshotHashSize, Length: evidence.SnapshotHashSize}}})
		}
	}
	for _, seg := range ev.Segments {
		b.result.Evidence = append(b.result.Evidence, seg.Evidence)
		c.Bytes += seg.Size
		c.BytesRead += seg.BytesRead
		c.WALEntries += seg.Evidence.WAL.Entries
	}
	c.Damage = append(c.Damage, ev.Damage...)
	c.DamageMore += ev.DamageMore
	c.NotExamined = append(c.NotExamined, ev.NotExamined...)
	if n := ev.Ledger.CarvedSkipped; n > 0 && b.question.Encryption != nil {
		c.NotExamined = append(c.NotExamined, report.NotExamined{Path: ev.Path,
			What: fmt.Sprintf("%d encrypted values outside of records, over a limit of %d, were not proven", n, seen.MaxCarved)})
	}
	c.Residue.Add(ev.Counts)
	b.addDamageFindings(ev)
	b.addUnattributed(ev)
}

// reportedFacts is the facts on the file of the survey. What a file that is no db does not have is
// not among them.
func reportedFacts(ev *seen.Evidence) report.Evidence {
	e := ev.Facts
	if ev.Pages != nil {
		facts, details := ev.DB, ev.Details
		e.DBFacts, e.Details = &facts, &details
	}
	return e
}

// maxLocations bounds the places of a finding on a file; coverage lists more.
const maxLocations = 10

// addDamageFindings reports, for each file of s, where it is damaged first.
func (b *Judge) addDamageFindings(ev *seen.Evidence) {
	byPath := map[report.Text]*report.Finding{}
	whats := map[report.Text]string{} // of the first place
	for _, d := range ev.Damage {
		f := byPath[d.Path]
		if f == nil {
			f = &report.Finding{Rule: report.RuleDamage}
			byPath[d.Path], whats[d.Path] = f, d.What
		}
		addPlace(f, report.Location{Path: d.Path, Offset: d.Offset, Page: d.Page})
	}
	for path, f := range byPath {
		if path == ev.Damage[len(ev.Damage)-1].Path {
			f.AtMore += ev.DamageMore // the list ends in this file, or before it
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
func (b *Judge) addUnattributed(ev *seen.Evidence) {
	byPath := map[report.Text]*report.Finding{}
	bytes := map[report.Text]int64{}
	for _, p := range ev.Unattributed {
		path := ev.SourceOf(p.File).Path
		b.result.Coverage.Unattributed = append(b.result.Coverage.Unattributed,
			report.Extent{Path: path, Offset: p.Off, Length: int64(p.Size), LooksLike: report.Looks(p.Class.String())})
		if !p.Suspicious() {
			b.result.Coverage.Residue.Random += int64(p.Size)
			continue
		}
		if byPath[path] == nil {
			byPath[path] = &report.Finding{Rule: report.RuleUnattributed}
		}
		addPlace(byPath[path], report.Location{Path: path, Offset: p.Off, Length: int64(p.Size), Page: ev.PageAt(p.File, p.Off)})
		bytes[path] += int64(p.Size)
	}
	for path, f := range byPath {
		f.Message = unattributedMessage(f, bytes[path])
		b.find(*f)
	}
}

// capExtents keeps the first extents of the list, those before all that look like
// text, and counts the rest.
func capExtents(c *report.Coverage) {
	if more := len(c.Unattributed) - MaxExtents; more > 0 {
		slices.SortStableFunc(c.Unattributed, func(a, b report.Extent) int {
			return seen.CompareBool(a.LooksLike == report.LooksRandom, b.LooksLike == report.LooksRandom)
		})
		c.Unattributed, c.UnattributedMore = c.Unattributed[:MaxExtents:MaxExtents], more
	}
	slices.SortFunc(c.Unattributed, func(a, b report.Extent) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Offset, b.Offset))
	})
}
