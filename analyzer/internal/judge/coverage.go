package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// MaxExtents bounds the unattributed extents that a report lists. Those that look random are left
// out first.
const MaxExtents = 10_000

// addCoverage reports what was read of all evidence, what was not, and what is wrong with it.
func (j *Judge) addCoverage(evs []*seen.Evidence) {
	for _, ev := range evs {
		j.addEvidence(ev)
	}
	c := &j.result.Coverage
	capExtents(c)
	c.NotExamined = append(c.NotExamined, j.question.NotExamined...)
	c.NotExamined = append(c.NotExamined, j.question.NotEvidence...)
}

// everyKey ends what is said of a broken freelist where nothing else is wrong.
const everyKey = "; every key could be read"

// addEvidence reports the facts on the files of one evidence, and what is wrong with them.
func (j *Judge) addEvidence(ev *seen.Evidence) {
	c := &j.result.Coverage
	if ev.File != nil {
		j.result.Evidence = append(j.result.Evidence, reportedFacts(ev))
		c.Bytes += ev.Whole()
		c.BytesRead += ev.BytesRead
		c.Pages += ev.DB.Pages
		c.Records += ev.TreeRecords
		j.addHashFinding(ev)
	}
	for _, seg := range ev.Segments {
		j.result.Evidence = append(j.result.Evidence, seg.Facts)
		c.Bytes += seg.Whole()
		c.BytesRead += seg.BytesRead
		c.WALEntries += seg.Facts.WAL.Entries
	}
	if ev.LacksNoKey() {
		for i := range ev.Damage {
			ev.Damage[i].What = strings.TrimSuffix(ev.Damage[i].What, everyKey) + everyKey
		}
	}
	c.Damage = append(c.Damage, ev.Damage...)
	c.DamageMore += ev.DamageMore
	c.NotExamined = append(c.NotExamined, ev.NotExamined...)
	if n := ev.Ledger.CarvedSkipped; n > 0 && j.question.Encryption != nil {
		c.NotExamined = append(c.NotExamined, report.NotExamined{Path: ev.Path,
			What: fmt.Sprintf("%d encrypted values outside of records, over a limit of %d, were not proven", n, seen.MaxCarved), Unread: true})
	}
	residue := ev.Residue
	residue.Rereads = j.rereads[ev]
	c.Residue.Add(residue)
	j.addDamageFindings(ev)
	j.addUnattributed(ev)
}

// reportedFacts is the facts on the first file of an evidence. Those of a db are there only if the
// file is one.
func reportedFacts(ev *seen.Evidence) report.Evidence {
	e := ev.Facts
	if ev.Pages != nil {
		facts, details := ev.DB, ev.Details
		e.DBFacts, e.Details = &facts, &details
	}
	return e
}

// capExtents keeps MaxExtents of the unattributed extents, those that do not look random before
// all others, and counts the rest. It leaves them in the order of the files.
func capExtents(c *report.Coverage) {
	if more := len(c.Unattributed) - MaxExtents; more > 0 {
		slices.SortStableFunc(c.Unattributed, func(x, y report.Extent) int {
			return seen.CompareBool(x.LooksLike == report.LooksRandom, y.LooksLike == report.LooksRandom)
		})
		c.Unattributed, c.UnattributedMore = c.Unattributed[:MaxExtents:MaxExtents], more
	}
	slices.SortFunc(c.Unattributed, func(x, y report.Extent) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Offset, y.Offset))
	})
}
