package wal

import (
	"fmt"
	"io"
	"iter"

	"github.com/etcdsift/etcdsift/decode"
)

// A Chain reads the segments of one log in the order of their names, and checks
// that each goes on where the one before ended. The zero Chain is ready. The first
// segment may have any number: etcd deletes old ones.
type Chain struct {
	started  bool
	name     Name
	named    bool
	crc      *uint32 // that the last segment ended with
	metadata *Metadata
	last     Index // of the last entry or snapshot; 0 before the first
	snapshot Index // of the last snapshot in this segment that was ahead of the entries; 0 without one
}

// Read is the function Read for the next segment, in a file of the given base name. Beyond
// what that function reports, these are damage:
//
//	ErrMissing   segments between the last one and this, or entries
//	ErrOrder     a segment that comes before the last, or one whose name does not
//	             fit the entries in it: it was renamed
//	ErrValue     a segment of another member or cluster
//	ErrUnknown   a name that is not that of a segment
func (c *Chain) Read(r io.ReaderAt, size int64, base string, tap func(off int64, b []byte)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l := link{Chain: c, yield: yield}
		before := l.begin(base)
		entries := false
		for r, err := range Read(r, size, before, tap) {
			if err == nil {
				l.check(&r, &entries)
			}
			if l.stopped || !yield(r, err) {
				return
			}
		}
	}
}

// A link is the segment that is being read.
type link struct {
	*Chain
	yield   func(Record, error) bool
	stopped bool
}

func (l *link) damage(off int64, cause error, format string, args ...any) {
	err := &decode.FormatError{Off: off, What: fmt.Sprintf(format, args...), Err: cause}
	if !l.stopped && !l.yield(Record{}, err) {
		l.stopped = true
	}
}

// begin compares the name with that of the last segment. It returns the CRC that the segment
// must go on from, nil if nobody knows it.
func (l *link) begin(base string) *uint32 {
	name, ok := ParseName(base)
	before := l.crc
	switch {
	case !ok:
		l.damage(0, decode.ErrUnknown, "name %q of a WAL segment", base)
		before = nil
	case !l.started || !l.named:
		before = nil
	case name.Seq <= l.name.Seq:
		l.damage(0, decode.ErrOrder, "WAL segment %d behind segment %d", name.Seq, l.name.Seq)
		before = nil
	case name.Seq > l.name.Seq+1:
		l.damage(0, decode.ErrMissing, "%d WAL segments before segment %d", name.Seq-l.name.Seq-1, name.Seq)
		before = nil
	}
	l.started, l.name, l.named, l.snapshot = true, name, ok, 0
	return before
}

// check compares a record with those before it.
func (l *link) check(r *Record, entries *bool) {
	switch {
	case r.IsRefused():
	case r.Kind == KindMetadata:
		if l.metadata == nil {
			m := r.Metadata
			l.metadata = &m
		} else if *l.metadata != r.Metadata {
			l.damage(r.Off, decode.ErrValue, "metadata: WAL segment of member %v of cluster %v, where those before are of member %v of cluster %v",
				r.Metadata.NodeID, r.Metadata.ClusterID, l.metadata.NodeID, l.metadata.ClusterID)
		}
	case r.Kind == KindSnapshot:
		if r.Snapshot.Index > l.last {
			l.last = r.Snapshot.Index // what comes next need not be in this log
			l.snapshot = l.last
		}
	case r.Kind == KindEntry:
		if !r.Damaged {
			l.entry(r, !*entries)
			*entries = true
		}
	case r.Kind == KindGap:
		l.last = 0
	}
	if r.Kind <= KindSnapshot {
		crc := r.CRC
		l.crc = &crc
	}
}

// entry checks the index of an entry. One that is not above the last replaces the entry of
// its index and all behind it: a new leader had another one.
func (l *link) entry(r *Record, first bool) {
	e := &r.Entry
	follows := l.last > 0 && e.Index <= l.last+1
	// A member that joins gets a snapshot first, so its log may begin anywhere.
	joined := follows && l.snapshot == l.last
	switch {
	case l.last > 0 && e.Index > l.last+1:
		l.damage(r.Off, decode.ErrMissing, "entries %d to %d, before entry %d", l.last+1, e.Index-1, e.Index)
	case first && l.named && e.Index != max(1, l.name.Index) && !joined && !(follows && l.name.Index == l.last+1):
		l.damage(r.Off, decode.ErrOrder, "entry %d, the first in a WAL segment whose name says %d, as if it had been renamed",
			e.Index, l.name.Index)
	}
	l.last = e.Index
}
