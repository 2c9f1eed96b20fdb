package judge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode/envelope"
)

// providerRules are the rules that the choice of a provider breaks.
var providerRules = []report.Rule{
	{
		ID: report.RuleWeakProvider, Severity: report.SeverityMedium, Reason: report.StatusFindings,
		Means:   "newest values are encrypted with a provider that Kubernetes advises against (aescbc is low, KMS v1 medium)",
		Matters: "aescbc does not authenticate, so that a padding oracle can open values; KMS v1 is deprecated and off by default since Kubernetes 1.29.",
		Mend:    "Move to KMS v2, or to secretbox, and rewrite every object.",
	},
}

// addWeakProviders reports each key of a provider that Kubernetes advises against, if newest values
// need it: once for each cluster, because two clusters may have keys of one name.
func (j *Judge) addWeakProviders() {
	for _, u := range j.sortedUses() {
		f := report.Finding{Rule: report.RuleWeakProvider}
		standing, why := u.id.Provider.Standing()
		switch standing {
		case envelope.NotRecommended:
			f.Severity = report.SeverityLow
		case envelope.Deprecated:
			f.Severity = report.SeverityMedium
		}
		if f.Severity == report.SeverityNone || u.Newest == 0 {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(u.newestIn)) {
			f.Cluster, f.Detail = id, whyWeak(u, u.newestIn[id], why)
			if len(u.newestIn) > 1 && id != 0 {
				f.Detail = fmt.Sprintf("in cluster %d, %s", id, f.Detail)
			}
			j.addFinding(f)
		}
	}
}

// whyWeak says how many newest values are encrypted with a provider that is advised against, and why it is.
func whyWeak(u *keyUse, newest int, why string) string {
	const source = ` (Kubernetes' documentation, "Encrypting Confidential Data at Rest")`
	values := fmt.Sprintf("%d newest values are encrypted with %s: ", newest, seen.KeyLabel(u.id.Provider, u.id.KeyName))
	if newest == 1 {
		values = fmt.Sprintf("one newest value is encrypted with %s: ", seen.KeyLabel(u.id.Provider, u.id.KeyName))
	}
	return values + why + source
}
