package judge

import (
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// addWeakProviders reports each key of a provider that Kubernetes advises against, if newest values
// need it.
func (j *Judge) addWeakProviders() {
	for _, u := range j.sortedUses() {
		f := report.Finding{Rule: report.RuleWeakProvider}
		switch u.id.Provider {
		case envelope.AESCBC:
			f.Severity = report.SeverityLow
		case envelope.KMSv1:
			f.Severity = report.SeverityMedium
		}
		if f.Severity == report.SeverityNone || u.Newest == 0 {
			continue
		}
		f.Message = weakMessage(u)
		j.addFinding(f)
	}
}
