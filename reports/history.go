package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// HistoryJSON writes all copies of one key as one object.
type HistoryJSON struct{}

// Write is the writer of HistoryFormats.
func (HistoryJSON) Write(w io.Writer, r *report.HistoryReport) error {
	return writeJSON(w, struct {
		SchemaVersion string      `json:"schemaVersion"`
		Tool          report.Tool `json:"tool"`
		Run           report.Run  `json:"run"`
		*report.History
		LastPlaintext *report.Occurrence `json:"lastPlaintext"`
		Evidence      []report.Evidence  `json:"evidence"`
		Coverage      report.Coverage    `json:"coverage"`
	}{r.SchemaVersion, r.Tool, r.Run, &r.History, r.LastPlaintext(), r.Evidence, r.Coverage}, "  ")
}

// HistoryTable writes all copies of one key for people: the answer first.
type HistoryTable struct{}

// Write is the writer of HistoryFormats.
func (HistoryTable) Write(out io.Writer, r *report.HistoryReport) error {
	w := &errWriter{w: out}
	h := &r.History
	w.paragraph("", historyAnswer(h)+missing(&r.Examined))
	if len(h.Copies) > 0 {
		historyRows(w, h)
	}
	if len(h.AlsoIn) > 0 {
		w.printf("\n")
		w.paragraph("", fmt.Sprintf("A piece among these copies is also in %s.", list(h.AlsoIn)))
	}
	coverage(w, &r.Examined)
	return w.err
}

// historyAnswer names the last plaintext write of the key, and where it lies.
func historyAnswer(h *report.History) string {
	key := visible(h.Key)
	if len(h.Copies) == 0 {
		s := fmt.Sprintf("No copy of %s was seen anywhere in this evidence.", key)
		if len(h.Similar) > 0 {
			s += " Did you mean " + list(h.Similar) + "?"
		}
		return s
	}
	last := h.LastPlaintext()
	if last == nil {
		return fmt.Sprintf("%s (%s): no plaintext copy among the %d that were seen.", key, h.State, len(h.Copies))
	}
	copies, files := 0, map[report.Text]bool{}
	for _, c := range h.Copies {
		if c.Plaintext() {
			copies++
			files[c.Path] = true
		}
	}
	return fmt.Sprintf("%s (%s): last written in plaintext %s. %d plaintext %s in %d %s.", key, h.State, when(last),
		copies, plural(copies, "copy lies", "copies lie"), len(files), plural(len(files), "file", "files"))
}

func when(o *report.Occurrence) string {
	switch {
	case o.ModRevision > 0:
		return fmt.Sprintf("at revision %d", o.ModRevision)
	case o.WALIndex > 0:
		return fmt.Sprintf("at WAL index %d", o.WALIndex)
	}
	return "at a revision that is not known"
}

func historyRows(w *errWriter, h *report.History) {
	g := grid{
		header: []string{"COPY", "REVISION", "INDEX", "STORED AS", "REGION", "WHERE (OFFSET, LENGTH, FILE)"},
		right:  []int{0, 1, 2},
		open:   true,
	}
	for i, c := range h.Copies {
		revision, index := "-", "-"
		if c.ModRevision > 0 {
			revision = fmt.Sprint(c.ModRevision)
		}
		if c.WALIndex > 0 {
			index = fmt.Sprint(c.WALIndex)
		}
		g.add(fmt.Sprint(i+1), revision, index, storedAs(c), strings.Join(append([]string{c.Region.String()}, remarks(c)...), ", "),
			fmt.Sprintf("%#x %d %s", c.Offset, c.Length, visible(c.Path)))
	}
	w.printf("\n")
	g.write(w)
}

func storedAs(c report.Occurrence) string {
	switch {
	case c.Deletion:
		return "(deleted)"
	case c.Plaintext():
		return "plaintext"
	case c.KMSKeyID != "":
		return fmt.Sprintf("%s:%s (%s)", c.Provider, visible(c.KeyName), visible(c.KMSKeyID))
	}
	return c.Provider.String() + ":" + visible(c.KeyName)
}

// remarks is what is special about a copy.
func remarks(c report.Occurrence) []string {
	var s []string
	if !c.Complete && !c.Deletion {
		s = append(s, "in part")
	}
	if c.Reread {
		s = append(s, "again")
	}
	if c.Carrier != "" {
		s = append(s, "embedded in "+visible(c.Carrier))
	}
	if c.Proof != "" {
		s = append(s, string(c.Proof))
	}
	if c.Region == report.RegionWAL {
		switch {
		case c.Refused:
			s = append(s, "never took effect")
		case !c.Applied && !c.Committed:
			s = append(s, "not in the db, nor known to be committed")
		case !c.Applied:
			s = append(s, "not in the db")
		}
	}
	return s
}
