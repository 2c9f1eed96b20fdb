package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// nonceRules are the rules that nonces break.
var nonceRules = []report.Rule{
	{
		ID: report.RuleNonceReuse, Severity: report.SeverityHigh, Reason: report.StatusFindings,
		Means:   "two different values were encrypted with the same nonce or IV under the same key",
		Matters: "With aesgcm, secretbox and KMS the two plaintexts can be compared bit by bit, and aesgcm loses its authentication; with aescbc equal beginnings show.",
		Mend:    "Make a new key, rewrite every object with it, and find out how the nonces came about: a copied virtual machine, a broken source of randomness.",
	},
}

// addNonceFindings reports the nonces that different values share.
func (j *Judge) addNonceFindings(n *keys.Nonces) {
	for _, shared := range n.Shared() {
		slices.SortFunc(shared, func(x, y keys.NonceUse) int {
			return cmp.Or(cmp.Compare(x.Key, y.Key), compareCopies(x.At, y.At))
		})
		first := &shared[0]
		f := j.objectFinding(report.RuleNonceReuse, first.At.In, first.Key)
		for i := range shared {
			at := shared[i].At.Location()
			if i > 0 {
				at.Key = report.Text(shared[i].Key)
			}
			f.At = append(f.At, at)
		}
		f.Detail = nonceDetail(first)
		j.addFinding(f)
	}
	if n.Incomplete {
		j.result.Coverage.NotExamined = append(j.result.Coverage.NotExamined,
			report.NotExamined{What: fmt.Sprintf("the nonces of more than %d pairs of values, which may be the same", keys.MaxReused), Unread: true})
	}
}

// nonceDetail is what two values share, and under which key.
func nonceDetail(first *keys.NonceUse) string {
	what := "nonce"
	if first.How.Provider.HasIV() {
		what = "IV"
	}
	under := seen.KeyLabel(first.How.Provider, first.How.KeyName)
	if first.OfDEK {
		under = "one data encryption key of " + under
	}
	return what + " under " + under
}
