package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/encryption"
)

// ListValues calls each for every live value in the order of the keys. config is nil without one.
func ListValues(ev *seen.Evidence, config *encryption.Config, each func(report.Value) error, withPath bool) error {
	for _, id := range ev.Keys.Sorted() {
		e := ev.Keys.At(id)
		v := valueOf(ev, config, e)
		if withPath {
			v.Path = ev.Path
		}
		if e.Unknown {
			v.State = report.StateUnknown
		}
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

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
		Provider:       how.Reported(),
		KeyName:        report.Text(how.KeyName),
		KMSKeyID:       report.Text(how.KmsKeyID),
		Encoding:       report.Encoding(how.Encoding.String()),
		Size:           int(e.Size),
		CreateRevision: e.Create,
		ModRevision:    e.Rev.Main,
		Version:        e.Version,
	}
}
