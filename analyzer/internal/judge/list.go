package judge

import (
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/encryption"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/resource"
)

// ListValues calls each for the newest value of every live key, in the order of evs, then of the
// keys. Values name their file if several of evs have values. Without config, which is nil then,
// they have neither Proof nor Policy. The error is that of each.
func ListValues(evs []*seen.Evidence, config *encryption.Config, each func(report.Value) error) error {
	evs = slices.DeleteFunc(slices.Clone(evs), func(ev *seen.Evidence) bool { return !ev.HasValues() })
	for _, ev := range evs {
		for _, id := range ev.Keys.Sorted() {
			e := ev.Keys.At(id)
			v := valueOf(ev, config, e)
			if len(evs) > 1 {
				v.Path = ev.Path
			}
			if e.Unknown {
				v.State = report.StateUnknown
			}
			if err := each(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueOf is the newest value of a key as a list has it, without its path and state.
func valueOf(ev *seen.Evidence, config *encryption.Config, e *seen.Entry) report.Value {
	id := ev.Identity(e.Key)
	how := ev.Keys.Storages[e.Storage]
	proof, policy := judgedBy(ev, config, e, id)
	return report.Value{
		Proof:          proof,
		Policy:         policy,
		Key:            report.Text(e.Key),
		Resource:       report.Text(id.GroupResource.String()),
		Namespace:      report.Text(id.Namespace),
		Name:           report.Text(id.Name),
		LogicalCluster: report.Text(id.LogicalCluster),
		Provider:       how.Reported(),
		KeyName:        report.Text(how.KeyName),
		KMSKeyID:       report.Text(how.KMSKeyID),
		Encoding:       report.Encoding(how.Encoding.String()),
		Size:           int(e.Size),
		CreateRevision: e.Create,
		ModRevision:    e.Rev.Main,
		Version:        e.Version,
	}
}

// judgedBy is what a configuration says of the newest value of a key. Both are empty without one,
// and for a key of no object; Proof is empty for plaintext, too.
func judgedBy(ev *seen.Evidence, config *encryption.Config, e *seen.Entry, id resource.Identity) (report.Proof, report.Policy) {
	if config == nil || id.Resource == "" {
		return "", ""
	}
	policy, _ := policyOf(ev, config, e, id)
	if ev.Keys.Storages[e.Storage].Provider == envelope.Identity {
		return "", reportedPolicy(policy)
	}
	return e.Proved().Reported(), reportedPolicy(policy)
}
