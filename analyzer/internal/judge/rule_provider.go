package judge

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// providerRules are the rules that the choice of a provider breaks.
var providerRules = []report.Rule{
	{
		ID: report.RuleWeakProvider, Severity: report.SeverityMedium,
		Means:   "newest values are encrypted with a provider that Kubernetes advises against (aescbc is low, KMS v1 medium)",
		Matters: "aescbc does not authenticate, so that a padding oracle can open values; KMS v1 is deprecated and off by default since Kubernetes 1.29.",
		Mend:    "Move to KMS v2, or to secretbox, and rewrite every object.",
	},
}

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
		f.Detail = whyWeak(u)
		j.addFinding(f)
	}
}

// whyWeak says why a provider is advised against.
func whyWeak(u *keyUse) string {
	const source = ` (Kubernetes' documentation, "Encrypting Confidential Data at Rest")`
	values := fmt.Sprintf("%d newest values are encrypted with %s: ", u.Newest, seen.KeyLabel(u.id.Provider, u.id.KeyName))
	if u.Newest == 1 {
		values = fmt.Sprintf("one newest value is encrypted with %s: ", seen.KeyLabel(u.id.Provider, u.id.KeyName))
	}
	if u.id.Provider == envelope.AESCBC {
		return values + "not recommended, as CBC without authentication is open to padding oracle attacks" + source
	}
	return values + "KMS v1 is deprecated since Kubernetes 1.28 and off by default since 1.29" + source
}
