package judge

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"github.com/etcdsift/etcdsift/analyzer/internal/mem"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// exposeAll reports all subjects, as exposures and their findings. It takes the copies out of the
// evidence, and of the subjects.
func (j *Judge) exposeAll(subjects []*Subject) {
	parts := make([]exposer, runtime.GOMAXPROCS(0))
	exposures := make([]report.Exposure, len(subjects))
	j.result.Exposures = exposures
	findings := j.roomForFindings(len(subjects))
	inParts(subjects, func(part, first, end int) {
		parts[part] = exposer{evs: j.evs, scope: j.scope, subjects: subjects[first:end], exposures: exposures[first:first:end],
			findings: findings[findingsOf(first):findingsOf(first):findingsOf(end)]}
		for _, s := range subjects[first:end] {
			parts[part].expose(s)
		}
	})
	j.joinFindings(parts)
	copies := make([]*mem.List[report.Copy], len(j.evs))
	for i, ev := range j.evs {
		copies[i] = takeCopies(ev)
	}
	n := 0
	for _, s := range subjects {
		n += len(s.copies)
	}
	list := make([]*report.Copy, 0, n) // of all exposures, one after the other
	for i, s := range subjects {
		first := len(list)
		for _, id := range s.copies {
			list = append(list, copies[id.Evidence].At(int(id.Copy-1)))
		}
		exposures[i].Copies = list[first:len(list):len(list)]
		s.copies = nil
	}
}

// inParts calls do for as many parts of the subjects as there are processors, at the same time, and
// waits for all. A part is subjects[first:end].
func inParts(subjects []*Subject, do func(part, first, end int)) {
	var done sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		done.Go(func() { do(i, i*len(subjects)/n, (i+1)*len(subjects)/n) })
	}
	done.Wait()
}

// takeCopies makes the copies that a report lists out of those of an evidence, under the same
// numbers. It drops the latter on the way: there may be many more of them than of anything else,
// and not enough memory for both.
func takeCopies(ev *seen.Evidence) *mem.List[report.Copy] {
	list := &mem.List[report.Copy]{}
	for _, at := range ev.Copies.Drain() {
		list.Add(seen.CopyIn{Copy: at, In: ev}.Reported())
	}
	return list
}

// findingsOf is for how many findings of n subjects there is room: many have two, of copies in the
// history and on free pages.
func findingsOf(n int) int { return 2*n - n/4 }

// roomForFindings is room in the report's list for the findings of n subjects, behind those that
// are in it.
func (j *Judge) roomForFindings(n int) []report.Finding {
	have := len(j.result.Findings)
	j.result.Findings = slices.Grow(j.result.Findings, findingsOf(n))
	return j.result.Findings[have : have+findingsOf(n)]
}

// joinFindings appends the findings of all parts to those of the report. They lie in the room
// behind these already, unless a part had too little of it: then the list gets memory of its own,
// because findings that move there could overwrite others that have not moved yet.
func (j *Judge) joinFindings(parts []exposer) {
	for _, part := range parts {
		if len(part.findings) > findingsOf(len(part.subjects)) {
			j.result.Findings = slices.Clip(j.result.Findings)
		}
	}
	for _, part := range parts {
		j.result.Findings = append(j.result.Findings, part.findings...)
	}
}

// An exposer makes the exposures of some subjects, and their findings, while others do so for other
// subjects. It only reads what they share.
type exposer struct {
	evs   []*seen.Evidence                              // shared
	scope map[resource.GroupResource]*report.ScopeCount // shared

	subjects  []*Subject // all of the part, in order
	exposures []report.Exposure
	findings  []report.Finding
	locations []report.Location // of the findings: one piece of memory, with room for more

	// Of the subject at hand.
	copies   []seen.CopyIn
	breaches []breach
}

// expose makes the exposure of a subject, without its copies, and its findings.
func (x *exposer) expose(s *Subject) {
	x.copies = s.appendCopies(x.copies[:0], x.evs)
	e := report.Exposure{
		Resource: x.scope[s.id.GroupResource].Resource, Namespace: report.Text(s.id.Namespace), Name: report.Text(s.id.Name),
		Key: report.Text(s.key), Cluster: s.cluster, LogicalCluster: report.Text(s.id.LogicalCluster), Status: s.exposed(), State: s.state, DataKeys: []report.Text{}, Current: s.current(),
		Validity: s.validity,
	}
	if s.form != nil && s.form.DataKeys != nil {
		e.Type, e.DataKeys = s.form.Kind, s.form.DataKeys
	}
	for _, at := range x.copies {
		if !at.Owned {
			continue
		}
		e.AlsoIn = seen.AppendKeys(e.AlsoIn, at.In.AlsoIn[s.key])
	}
	slices.Sort(e.AlsoIn)
	x.addPlaintextFindings(&e)
	x.exposures = append(x.exposures, e)
}

// compareCopies orders copies by revision, then by where they lie.
func compareCopies(x, y seen.CopyIn) int {
	return cmp.Or(cmp.Compare(x.Rev.Main, y.Rev.Main), cmp.Compare(x.Index, y.Index),
		cmp.Compare(x.Path(), y.Path()), cmp.Compare(x.Off, y.Off))
}

// countCopies tells of each file how many of the copies it holds.
func (j *Judge) countCopies() {
	counts := map[report.Text]int{}
	for i := range j.result.Exposures {
		for _, c := range j.result.Exposures[i].Copies {
			counts[c.Path]++
		}
	}
	for i := range j.result.Evidence {
		e := &j.result.Evidence[i]
		n := counts[e.Path]
		e.PlaintextCopies = &n
	}
}
