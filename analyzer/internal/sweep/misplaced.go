package sweep

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// misplacedPage takes a page that the tree leads to and does not mean like one that it does not
// lead to.
func misplacedPage(ev *seen.Evidence, p page.Page) {
	switch {
	case ev.Holding(p) == seen.HoldsResidue:
		freeLeaf(ev, p)
	case !p.Inline: // what is in another page was taken with that
		carvePage(ev, p, p.Data, p.Off)
	}
}

// isForeign reports whether an element of another bucket than "key" is a record of that
// one.
func isForeign(ev *seen.Evidence, e page.LeafElement, p page.Page) bool {
	_, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	return err == nil && len(e.Value) > 0
}

// foreignRecord takes a record that stands in another bucket than "key". A reference that was
// swapped with another puts it there, and no etcd does.
func foreignRecord(ev *seen.Evidence, e page.LeafElement, p page.Page) {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if !ev.Torn || e.Index == 0 {
		// One a page tells enough.
		ev.AddDamage(&decode.FormatError{Off: e.Off, Err: decode.ErrValue,
			What: fmt.Sprintf("page %v, leaf element %d, which belongs in the bucket key", p.ID, e.Index)})
	}
	ev.Torn = true
	sight(ev, &r, keepsKey(ev, r.Key), seen.Copy{File: seen.DbFile, Place: seen.OnFreePage, Off: e.Off, Page: report.PageOf(uint64(p.ID))}, err)
}
