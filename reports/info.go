package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// infoEvidence is a piece of evidence as `info` shows it.
type infoEvidence struct {
	report.Evidence
	*report.Details
}

// InfoJSON writes the facts on the evidence as one object.
type InfoJSON struct{}

// Write is the writer of InfoFormats.
func (InfoJSON) Write(w io.Writer, r *report.Examined) error {
	doc := struct {
		SchemaVersion string          `json:"schemaVersion"`
		Tool          report.Tool     `json:"tool"`
		Run           report.Run      `json:"run"`
		Evidence      []infoEvidence  `json:"evidence"`
		Coverage      report.Coverage `json:"coverage"`
	}{r.SchemaVersion, r.Tool, r.Run, []infoEvidence{}, r.Coverage}
	for _, e := range r.Evidence {
		doc.Evidence = append(doc.Evidence, infoEvidence{e, e.Details})
	}
	return writeJSON(w, doc, "  ")
}

// InfoTable writes the facts on the evidence for people.
type InfoTable struct{}

// Write is the writer of InfoFormats.
func (InfoTable) Write(out io.Writer, r *report.Examined) error {
	w := &errWriter{w: out}
	for i, e := range r.Evidence {
		if i > 0 {
			w.printf("\n")
		}
		infoFacts(w, e)
		if e.Details != nil {
			infoMembers(w, e.Details.Etcd)
			infoBuckets(w, e.Details)
		}
	}
	coverage(w, r)
	return w.err
}

func infoFacts(w *errWriter, e report.Evidence) {
	g := grid{}
	row := func(name, format string, args ...any) { g.add(name, fmt.Sprintf(format, args...)) }
	row("path", "%s", visible(e.Path))
	row("kind", "%s", e.Kind)
	row("size", "%d bytes (%s)", e.Size, bytesSize(e.Size))
	row("sha256", "%s", orDash(e.SHA256))
	for _, around := range e.Around() {
		row("around it", "%s", around)
	}
	if e.What != "" {
		row("what", "%s", e.What)
	}
	if e.Live {
		row("live", "%s", visible(e.Lock))
	}
	if e.WAL != nil {
		walRows(row, e.WAL)
	}
	if e.Kind == report.KindWAL || e.Kind == report.KindOther {
		g.write(w)
		return
	}
	row("snapshot hash", "%s", e.SnapshotHash)
	if e.DBFacts != nil {
		dbRows(row, e)
	}
	g.write(w)
}

// dbRows are the facts on a db that opens.
func dbRows(row func(name, format string, args ...any), e report.Evidence) {
	row("pages", "%d of %d bytes, %d of them free", e.Pages, e.PageSize, e.FreePages)
	row("revision", "%d", e.Revision)
	row("compacted at", "%s", compaction(e))
	row("transaction", "%d", e.TxID)
	row("applied index", "%d", e.ConsistentIndex)
	row("etcd storage", "%s", orDash(visible(e.StorageVersion)))
	d := e.Details
	row("raft term", "%s", term(d.Etcd))
	row("etcd cluster", "%s", orDash(visible(d.Etcd.ClusterVersion)))
	row("byte order", "%s", d.ByteOrder)
	row("live keys", "%d", d.LiveKeys)
	if d.UnknownKeys > 0 {
		row("keys without a tree", "%d", d.UnknownKeys)
	}
	row("key prefixes", "%s", orDash(list(d.Prefixes)))
	row("leases", "%d", d.Etcd.Leases)
	row("auth", "%s", authLine(d.Etcd))
	for _, a := range d.Etcd.Alarms {
		row("alarm", "%s of member %v", a.Kind, a.Member)
	}
	for _, m := range d.Metas {
		row(fmt.Sprintf("meta %d", m.Page), "%s", metaLine(m))
	}
}

func walRows(row func(name, format string, args ...any), f *report.WALFacts) {
	row("member", "%s", orDash(f.NodeID))
	row("cluster", "%s", orDash(f.ClusterID))
	row("segment", "%d", f.Sequence)
	row("entries", "%d, index %d to %d", f.Entries, f.FirstIndex, f.LastIndex)
	row("committed", "%d", f.Commit)
	row("preallocated", "%d bytes", f.Preallocated)
	row("torn write", "%d bytes", f.Torn)
	row("gaps", "%d", f.Gaps)
}

// compaction is how far etcd has compacted, and is about to.
func compaction(e report.Evidence) string {
	s := fmt.Sprint(e.CompactRevision)
	if scheduled := e.Details.Etcd.ScheduledCompactRev; scheduled > e.CompactRevision {
		s += fmt.Sprintf(", scheduled at %d", scheduled)
	}
	return s
}

// term is the raft term, which etcd keeps in the db since 3.5.
func term(s report.Etcd) string {
	if s.Term == 0 {
		return "-"
	}
	return fmt.Sprint(s.Term)
}

func metaLine(m report.MetaDetails) string {
	s := fmt.Sprintf("transaction %d, root page %d, high water mark %d", m.TxID, m.Root, m.HighWater)
	if !m.Valid {
		s = "not valid"
	} else if m.Newest {
		s += ", the newest"
	}
	if m.UsedInstead {
		s += ", used as the tree of the newest is broken"
	}
	return s
}

func authLine(s report.Etcd) string {
	if !s.AuthEnabled && len(s.Users)+len(s.Roles) == 0 {
		return "off"
	}
	state := "off"
	if s.AuthEnabled {
		state = "on"
	}
	return fmt.Sprintf("%s; users: %s; roles: %s", state, orDash(list(s.Users)), orDash(list(s.Roles)))
}

func infoMembers(w *errWriter, s report.Etcd) {
	if len(s.Members) == 0 {
		return
	}
	g := grid{header: []string{"MEMBER", "NAME", "PEER URLS", "CLIENT URLS"}}
	for _, m := range s.Members {
		name := visible(m.Name)
		if m.IsLearner {
			name = strings.TrimSpace(name + " (learner)")
		}
		g.add(m.ID, orDash(name), orDash(list(m.PeerURLs)), orDash(list(m.ClientURLs)))
	}
	w.printf("\n")
	g.write(w)
}

func infoBuckets(w *errWriter, d *report.Details) {
	if len(d.Buckets) == 0 {
		return
	}
	g := grid{header: []string{"BUCKET", "KEYS", "PAGES"}, right: []int{1, 2}}
	for i, b := range d.Buckets {
		name := visible(b.Name)
		if i == 0 {
			name = "(root)"
		}
		g.add(name, fmt.Sprint(b.Keys), fmt.Sprint(b.Pages))
	}
	w.printf("\n")
	g.write(w)
}
