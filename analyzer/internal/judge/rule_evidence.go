package judge

import (
	"errors"
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/evidence"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// evidenceRules are the rules that a file breaks, or bytes in it.
var evidenceRules = []report.Rule{
	{
		ID: report.RuleSnapshotHash, Severity: report.SeverityHigh, Reason: report.StatusUntrusted,
		Means:   "the SHA-256 behind a snapshot is not that of its bytes",
		Matters: "The snapshot was changed or damaged after etcd wrote it, or opened by a tool that writes.",
		Mend:    "Get the snapshot again from its source, or from a backup whose hash is valid.",
	},
	{
		ID: report.RuleUnattributed, Severity: report.SeverityMedium, Reason: report.StatusUnattributed,
		Means:   "unreferenced bytes are neither zero, nor a record, nor random enough to be ciphertext",
		Matters: "They may be a piece of a Secret of which no other copy is known, or of any other object.",
		Mend:    "Defragment every member (etcdctl defrag), and replace old backups.",
	},
	{
		ID: report.RuleUnknownEnvelope, Severity: report.SeverityMedium, Reason: report.StatusFindings,
		Means:   "a value starts with k8s:enc: but its provider or version is not known, or it is cut; or a value in scope is no Kubernetes object, is cut, or is of another kind than its key says",
		Matters: "Nobody can tell from here whether the value is encrypted, and the API server may not be able to read it.",
		Mend:    "Find out which component wrote the value, and rewrite the object with a provider that Kubernetes knows.",
	},
	{
		ID: report.RuleDamage, Severity: report.SeverityMedium, Reason: report.StatusIncomplete,
		Means:   "pages or records break their format",
		Matters: "What could not be read may hold plaintext: no answer from this file is complete.",
		Mend:    "Examine another copy of the evidence, such as another member's or an earlier snapshot.",
	},
}

// addHashFinding reports a snapshot whose hash is not that of its bytes.
func (j *Judge) addHashFinding(ev *seen.Evidence) {
	if ev.Facts.SnapshotHash != report.HashMismatch {
		return
	}
	j.addFinding(report.Finding{Rule: report.RuleSnapshotHash,
		At: []report.Location{{Path: ev.Path, Offset: ev.Base + ev.Size - evidence.SnapshotHashSize, Length: evidence.SnapshotHashSize}}})
}

// addDamageFindings reports each file of ev that is damaged, by the first places.
func (j *Judge) addDamageFindings(ev *seen.Evidence) {
	byPath := map[report.Text]*report.Finding{}
	whats := map[report.Text]string{} // of the first place
	for _, d := range ev.Damage {
		f := byPath[d.Path]
		if f == nil {
			f = &report.Finding{Rule: report.RuleDamage}
			byPath[d.Path], whats[d.Path] = f, d.What
		}
		addPlace(f, report.Location{Path: d.Path, Offset: d.Offset, Page: d.Page})
	}
	for path, f := range byPath {
		if path == ev.Damage[len(ev.Damage)-1].Path {
			f.AtMore += ev.DamageMore // the list ends in this file, or before it
		}
		f.Detail = whats[path]
		j.addFinding(*f)
	}
}

// addUnattributed lists the bytes of ev that belong to nothing known, and reports those that do
// not look random: what does is most likely old ciphertext.
func (j *Judge) addUnattributed(ev *seen.Evidence) {
	byPath := map[report.Text]*report.Finding{}
	bytes := map[report.Text]int64{}
	for _, p := range ev.Unattributed {
		source := ev.SourceOf(p.File)
		path, offset := source.Path, source.Base+p.Off
		j.result.Coverage.Unattributed = append(j.result.Coverage.Unattributed,
			report.Extent{Path: path, Offset: offset, Length: int64(p.Size), LooksLike: report.Looks(p.Class.String())})
		if !p.Suspicious() {
			j.result.Coverage.Residue.Random += int64(p.Size)
			continue
		}
		if byPath[path] == nil {
			byPath[path] = &report.Finding{Rule: report.RuleUnattributed}
		}
		addPlace(byPath[path], report.Location{Path: path, Offset: offset, Length: int64(p.Size), Page: ev.PageAt(p.File, p.Off)})
		bytes[path] += int64(p.Size)
	}
	for path, f := range byPath {
		f.Detail = fmt.Sprintf("%d bytes", bytes[path])
		j.addFinding(*f)
	}
}

// maxLocations bounds the places of a finding on a file; coverage lists more.
const maxLocations = 10

// addPlace adds a place to a finding on a file, or counts it if there are enough.
func addPlace(f *report.Finding, at report.Location) {
	if len(f.At) == maxLocations {
		f.AtMore++
		return
	}
	f.At = append(f.At, at)
}

// addEnvelopeFinding reports a newest value that is neither plaintext nor an envelope that can be
// understood; broken says why. A plaintext record that is broken is damage, and reported as that.
func (j *Judge) addEnvelopeFinding(ev *seen.Evidence, e *seen.Entry, broken error) {
	if ev.Keys.Storages[e.Storage].Provider == envelope.Identity {
		return
	}
	f := j.objectFinding(report.RuleUnknownEnvelope, ev, e.Key, locationOf(ev, e))
	f.Detail = plainError(broken)
	j.addFinding(f)
}

// addNoObject reports a newest value in scope that is stored without encryption and is no Kubernetes
// object, or not one of its key. Whether it counts as plaintext is StatusOf's to say.
func (j *Judge) addNoObject(ev *seen.Evidence, e *seen.Entry) {
	how := &ev.Keys.Storages[e.Storage]
	why := whyNoObject(how, ev.Identity(e.Key).GroupResource)
	if why == "" {
		return
	}
	f := j.objectFinding(report.RuleUnknownEnvelope, ev, e.Key, locationOf(ev, e))
	f.Detail = why
	j.addFinding(f)
}

// whyNoObject says why a newest value of a resource that is stored like that is no Kubernetes object of
// it; empty if it may be one.
func whyNoObject(how *seen.Storage, r resource.GroupResource) string {
	const plain = "; what is in it may be text, and counts as plaintext"
	switch {
	case how.Provider != envelope.Identity:
		return ""
	case how.Encoding == envelope.Other && how.Blank != seen.NotBlank:
		return "no Kubernetes object, and no text: " + how.Blank.String()
	case how.Encoding == envelope.Other:
		return "no Kubernetes object" + plain
	case how.Misfit == seen.CutObject:
		return fmt.Sprintf("no Kubernetes object that can be parsed: the %v of it is cut or damaged%s", how.Encoding, plain)
	case how.Misfit == seen.NoType:
		return fmt.Sprintf("no Kubernetes object: %v that says no apiVersion or kind%s", how.Encoding, plain)
	case how.Misfit == seen.OtherKind && resource.IsBuiltin(r) && !resource.IsInternal(r):
		return fmt.Sprintf("no Kubernetes object of the kind that its key says: the %v says another kind%s", how.Encoding, plain)
	}
	return ""
}

// plainError is an error without the offset, which a finding has as a field.
func plainError(err error) string {
	var format *decode.FormatError
	if errors.As(err, &format) {
		return fmt.Sprintf("%s: %v", format.What, format.Err)
	}
	return err.Error()
}
