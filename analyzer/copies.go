package analyzer

import (
	"encoding/json"
	"iter"
	"slices"
)

// Copies are the places where plaintext values of one key were seen, by revision, then by
// where they lie. There can be many more of them than keys: each is made when it is asked
// for, out of what the run keeps of it anyway.
type Copies struct {
	list    []Copy // of a report that no run made
	kept    []kept
	surveys []*survey
}

// A kept is a sighting, by its number in a survey, and the number of that.
type kept struct {
	survey, sighting int32
}

// CopiesOf is the list as Copies.
func CopiesOf(list ...Copy) Copies { return Copies{list: list} }

// Len is how many there are.
func (c Copies) Len() int { return len(c.list) + len(c.kept) }

// At is copy i, from 0 up to Len. It panics for others, as a slice does.
func (c Copies) At(i int) Copy {
	if i < len(c.list) {
		return c.list[i]
	}
	return c.kept[i-len(c.list)].in(c.surveys).copy()
}

// All yields them in order.
func (c Copies) All() iter.Seq[Copy] {
	return func(yield func(Copy) bool) {
		for i := range c.Len() {
			if !yield(c.At(i)) {
				return
			}
		}
	}
}

// MarshalJSON writes a list of them.
func (c Copies) MarshalJSON() ([]byte, error) {
	return json.Marshal(slices.AppendSeq(make([]Copy, 0, c.Len()), c.All()))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Copies) UnmarshalJSON(b []byte) error {
	*c = Copies{}
	return json.Unmarshal(b, &c.list)
}

func (k kept) in(surveys []*survey) seen {
	s := surveys[k.survey]
	return seen{s.sightings.at(int(k.sighting)), s}
}

// copy is the copy as it is reported.
func (c seen) copy() Copy {
	out := Copy{
		Path: c.path(), Region: c.region(), Offset: c.off, Length: c.size,
		ModRevision: c.rev.Main, CreateRevision: c.create, Version: c.version, Complete: c.complete,
	}
	if c.page >= 0 {
		page := uint64(c.page)
		out.Page = &page
	}
	if c.index > 0 {
		out.WALIndex = (*uint64)(&c.index)
	}
	return out
}
