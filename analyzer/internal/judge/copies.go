package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// takeCopies makes the copies that a report lists of the sightings of a survey, under the same
// numbers, and drops the sightings as it goes: there can be many more of them than of anything
// else, and there is not room for both.
func takeCopies(ev *seen.Evidence) *mem.List[report.Copy] {
	list := &mem.List[report.Copy]{}
	for _, at := range ev.Copies.Drain() {
		list.Add(seen.CopyIn{Copy: at, In: ev}.Reported())
	}
	return list
}
