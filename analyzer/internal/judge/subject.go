package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// A Subject is a key in scope that has plaintext copies, with what all evidence together says of
// it.
type Subject struct {
	// Set by New.
	key     string
	id      resource.Identity
	cluster report.ClusterID
	state   report.State
	status  report.Status  // of the newest value; StatusBroken if there is none
	newest  *seen.Entry    // nil if the key is deleted, or no evidence has an entry of it
	in      *seen.Evidence // of newest; nil without it
	carried bool           // all copies so far lie in other objects, which do not tell whether there ever was the Secret
	copies  []seen.CopyID  // the plaintext ones: sorted by Compare, and dropped by Report

	// Set by Compare, of Secrets alone.
	form     *seen.Form       // the type and the names of the data, as the copies tell them; nil before Compare, and of others
	validity *report.Validity // nil if the object is no Secret
}

// addCopies gives the plaintext copies of one evidence to the subjects that they are of. number is
// the index of ev.
func (j *Judge) addCopies(ev *seen.Evidence, number int32) {
	var known []*Subject
	byEntry := make([]uint32, ev.Keys.Entries.Len()+1) // where it is in known, from 1, by EntryID; 0 if not there
	for i, at := range ev.Copies.All() {
		if !ev.IsPlaintext(at) {
			continue
		}
		var s *Subject
		if n := byEntry[at.Entry]; n != 0 {
			s = known[n-1]
		} else if s = j.subjectOf(ev, at); s == nil {
			continue
		} else if at.Entry != 0 {
			known = append(known, s)
			byEntry[at.Entry] = uint32(len(known))
		}
		if at.Reread {
			j.rereads[ev]++
		}
		if s.carried && !at.Embedded {
			s.carried, s.state = false, j.clusters.StateOfCopy(ev, at)
		}
		s.copies = append(s.copies, seen.CopyID{Evidence: number, Copy: seen.CopyNumber(i + 1)})
	}
}

// subjectOf is the subject that a plaintext copy is of, nil if its key is not in scope.
func (j *Judge) subjectOf(ev *seen.Evidence, at *seen.Copy) *Subject {
	key := j.clusters.KeyOf(ev, at.Key)
	s := j.subjects[key]
	if s == nil {
		id := ev.Identity(at.Key)
		if !j.inScope(id.GroupResource) {
			return nil
		}
		s = &Subject{key: at.Key, id: id, cluster: j.clusters.Of(ev, at.Key), state: report.StateUnknown, status: report.StatusBroken, carried: true}
		j.subjects[key] = s
	}
	return s
}

// exposed is the status of the object: a plaintext copy of it was seen. StatusPlaintext is said of a
// newest value, and nobody knows that of an object whose state is unknown.
func (s *Subject) exposed() report.Status {
	if s.state != report.StateLive || s.status != report.StatusPlaintext {
		return report.StatusExposed
	}
	return report.StatusPlaintext
}

// current is what a report tells of the newest value; nothing if there is none, or if nobody knows
// which it is.
func (s *Subject) current() report.Current {
	if s.newest == nil || s.state == report.StateUnknown {
		return report.Current{}
	}
	how := &s.in.Keys.Storages[s.newest.Storage]
	return report.Current{Provider: how.Reported(), KeyName: report.Text(how.KeyName), ModRevision: s.newest.Rev.Main,
		WALIndex: uint64(s.newest.Index)}
}

// isNewest reports whether a copy is the newest value.
func (s *Subject) isNewest(at seen.CopyIn) bool {
	e := s.newest
	return e != nil && at.In == s.in && at.File == e.File && at.Off == e.Off
}

// appendCopies appends the copies to list.
func (s *Subject) appendCopies(list []seen.CopyIn, evs []*seen.Evidence) []seen.CopyIn {
	for _, id := range s.copies {
		list = append(list, id.In(evs))
	}
	return list
}
