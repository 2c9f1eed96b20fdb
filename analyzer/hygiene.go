package analyzer

import (
	"fmt"
	"iter"

	"github.com/etcdsift/etcdsift/decode/envelope"
	"github.com/etcdsift/etcdsift/decode/object"
)

// maxWrites is how many values may be written with one aesgcm key.
//
// Source: the table of providers in Kubernetes' documentation, "Encrypting Confidential
// Data at Rest": "Must be rotated every 200,000 writes".
const maxWrites = 200_000

// addHygiene reports what the bytes alone say of the keys.
func (b *builder) addHygiene(surveys []*survey) {
	if b.options.Key != "" {
		return
	}
	b.addNonceFindings(b.options.nonces)
	b.addOveruse(surveys)
	for _, u := range b.sortedUses() {
		if u.Newest > 0 {
			b.addWeak(u)
		}
	}
}

// addWeak reports a provider that Kubernetes advises against, where newest values use it.
func (b *builder) addWeak(u *KeyUse) {
	f := Finding{Rule: RuleWeakProvider}
	values := fmt.Sprintf("%d newest values are encrypted with %s: ", u.Newest, keyLabel(u.id.provider, u.id.keyName))
	if u.Newest == 1 {
		values = fmt.Sprintf("one newest value is encrypted with %s: ", keyLabel(u.id.provider, u.id.keyName))
	}
	const source = ` (Kubernetes' documentation, "Encrypting Confidential Data at Rest")`
	switch u.id.provider {
	case envelope.AESCBC:
		f.Severity, f.Message = SeverityLow, values+"not recommended, as CBC without authentication is open to padding oracle attacks"+source
	case envelope.KMSv1:
		f.Severity, f.Message = SeverityMedium, values+"KMS v1 is deprecated since Kubernetes 1.28 and off by default since 1.29"+source
	default:
		return
	}
	b.find(f)
}

// A period is when the values of one resource were written with one key.
type period struct {
	use      useID
	resource object.GroupResource
	cluster  int
}

// addOveruse reports the aesgcm keys that have been written with too often. The version
// of a value counts the writes since its key was created. All of them were made with
// the same key if the key of the provider was in use by then: if no value of the
// resource that was encrypted otherwise before is newer than that. Where one is, only the
// versions that were seen to be of the key count, with all between them.
func (b *builder) addOveruse(surveys []*survey) {
	first, last := map[period]int64{}, map[period]int64{}
	for _, s := range surveys {
		for _, r := range s.ledger.resources() {
			p := period{resource: r.resource, cluster: b.holders.cluster[s]}
			if r.stored != storedPlain {
				p.use = s.keys.stored[r.stored].use()
			}
			if r.first > 0 && (first[p] == 0 || r.first < first[p]) {
				first[p] = r.first
			}
			last[p] = max(last[p], r.last)
		}
	}
	// before is up to which revision something else may have written the resource.
	before := func(p period) (rev int64) {
		for other, l := range last {
			if other.use != p.use && other.resource == p.resource && other.cluster == p.cluster && first[other] < first[p] {
				rev = max(rev, l)
			}
		}
		return rev
	}
	writes, known := map[useID]int64{}, map[period]int64{}
	for p, n := range b.spans(surveys) {
		since, ok := known[p]
		if !ok {
			since = before(p)
			known[p] = since
		}
		if n.create > since {
			writes[p.use] += n.high
		} else {
			writes[p.use] += n.high - n.low + 1
		}
	}
	for _, u := range b.sortedUses() {
		if n := writes[u.id]; n > maxWrites {
			b.find(Finding{Rule: RuleKeyOveruse, Message: fmt.Sprintf(
				"at least %d values were written with %s, by the versions of those that are left; its limit is %d", n, keyLabel(u.id.provider, u.id.keyName), maxWrites)})
		}
	}
}

// spans yields the incarnations of the objects that aesgcm keys encrypted, each once:
// several files of a cluster may tell of the same.
func (b *builder) spans(surveys []*survey) iter.Seq2[period, incarnation] {
	type spanID struct {
		period
		hash uint64
	}
	return func(yield func(period, incarnation) bool) {
		joined := map[spanID]incarnation{} // where there are several files
		for _, s := range surveys {
			resources := make([]object.GroupResource, len(s.ledger.samples))
			for i, key := range s.ledger.samples {
				resources[i] = s.identity(key).GroupResource
			}
			for hash, n := range s.ledger.written {
				p := period{s.keys.stored[n.stored].use(), resources[n.dir], b.holders.cluster[s]}
				if len(surveys) > 1 {
					if have, ok := joined[spanID{p, hash}]; ok {
						n.low, n.high = min(have.low, n.low), max(have.high, n.high)
					}
					joined[spanID{p, hash}] = n
				} else if !yield(p, n) {
					return
				}
			}
		}
		for id, n := range joined {
			if !yield(id.period, n) {
				return
			}
		}
	}
}
