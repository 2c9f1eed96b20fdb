package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/internal/keys"
	"github.com/etcdsift/etcdsift/analyzer/report"
)

// addNonceFindings reports the nonces that two different values share.
func (b *Judge) addNonceFindings(n *keys.Nonces) {
	for _, shared := range n.Shared() {
		slices.SortFunc(shared, func(x, y keys.Sharing) int {
			return cmp.Or(cmp.Compare(x.Key, y.Key), compareSeen(x.At, y.At))
		})
		first := &shared[0]
		f := objectFinding(report.RuleNonceReuse, first.At.In.Identity(first.Key), first.Key)
		for i := range shared {
			at := shared[i].At.Location()
			if i > 0 {
				at.Key = report.Text(shared[i].Key)
			}
			f.At = append(f.At, at)
		}
		f.Message = nonceMessage(&f, first)
		b.find(f)
	}
	if n.More {
		b.result.Coverage.NotExamined = append(b.result.Coverage.NotExamined,
			report.NotExamined{What: fmt.Sprintf("the nonces of more than %d pairs of values, which may be the same", keys.MaxReused)})
	}
}
