package cluster

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// IsDeleted reports whether the key of e, which ev has, is deleted: e is its tombstone, or the key
// is gone from a later evidence.
func (c *Clusters) IsDeleted(ev *seen.Evidence, e *seen.Entry) bool {
	return e.Deleted || c.IsGone(ev, e)
}

// IsGone reports whether the latest evidence, if all of it could be read, no longer has the key of
// e, because it was deleted. Only a compaction takes the tombstone away. Without one behind e the
// latest evidence never had the key, and is of another etcd with the same member ID, such as the
// default one.
func (c *Clusters) IsGone(ev *seen.Evidence, e *seen.Entry) bool {
	latest := c.latest[c.etcds[ev]]
	if latest == nil || latest == ev || latest.DB.Revision < e.Rev.Main || !latest.LacksNoKey() || c.apart[c.etcds[ev]] {
		return false
	}
	return latest.Keys.Entry(e.Key) == nil && latest.DB.CompactRevision > e.Rev.Main
}

// StateOfCopy is the state of a key that no tree has, by a copy of it in ev: the key was deleted,
// unless the copy is of a transaction that the latest tree does not know of, or of the v2 store, or
// something of that tree is missing.
func (c *Clusters) StateOfCopy(ev *seen.Evidence, at *seen.Copy) report.State {
	latest := c.latest[c.etcds[ev]]
	if latest == nil {
		latest = ev
	}
	if at.Rev.Main > latest.DB.Revision || at.Void || at.Place.IsV2() || latest.File == nil || !latest.LacksNoKey() {
		return report.StateUnknown
	}
	return report.StateDeleted
}

// StateOf is the state of a key whose newest revision is in ev.
func (c *Clusters) StateOf(ev *seen.Evidence, e *seen.Entry) report.State {
	switch {
	case e.Unknown && !c.IsGone(ev, e):
		return report.StateUnknown
	case c.IsDeleted(ev, e):
		return report.StateDeleted
	case ev.File == nil || ev.IsBlind() && e.Index != 0:
		return report.StateUnknown // a WAL alone does not tell what was written after it
	}
	return report.StateLive
}

// StateAt is the state of a key of which ev has the copy at.
func (c *Clusters) StateAt(ev *seen.Evidence, key string, at *seen.Copy) report.State {
	if e := ev.Keys.Entry(key); e != nil {
		return c.StateOf(ev, e)
	}
	return c.StateOfCopy(ev, at)
}
