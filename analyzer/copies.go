package analyzer

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// takeCopies makes the copies that a report lists of the sightings of a survey, under the same
// numbers, and drops the sightings as it goes: there can be many more of them than of anything
// else, and there is not room for both.
func (s *survey) takeCopies() *chunks[report.Copy] {
	list := &chunks[report.Copy]{}
	for _, at := range s.sightings.drain() {
		list.add(seen{at, s}.copy())
	}
	return list
}

// A kept is a sighting, by its number in a survey, and the number of that.
type kept struct {
	survey, sighting int32
}

func (k kept) in(surveys []*survey) seen {
	s := surveys[k.survey]
	return seen{s.sightings.at(int(k.sighting)), s}
}

// copy is the copy as it is reported.
func (c seen) copy() report.Copy {
	return report.Copy{
		Path: c.path(), Region: c.region(), Offset: c.off, Length: c.size, Page: c.page,
		ModRevision: c.rev.Main, CreateRevision: c.create, Version: c.version, WALIndex: uint64(c.index), Complete: c.complete,
	}
}
