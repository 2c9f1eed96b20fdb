package sweep

import (
	"fmt"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/analyzer/report"
	"github.com/etcdsift/etcdsift/decode"
	"github.com/etcdsift/etcdsift/decode/mvcc"
	"github.com/etcdsift/etcdsift/decode/page"
)

// takeMisplaced takes a page that the tree leads to without meaning it, as if the tree did not
// reach it.
func takeMisplaced(ev *seen.Evidence, p page.Page) {
	switch {
	case ev.Holding(p) == seen.HoldsResidue:
		takeFreeLeaf(ev, p)
	case !p.Inline: // an inline bucket was carved with the leaf around it
		carvePage(ev, p, p.Data, p.Off)
	}
}

// isForeign reports whether e, an element of another bucket than "key", is a record.
func isForeign(e page.LeafElement) bool {
	_, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	return err == nil && len(e.Value) > 0
}

// takeForeign takes e, a record that stands in another bucket than "key". No etcd puts one
// there: two page IDs were swapped.
func takeForeign(ev *seen.Evidence, p page.Page, e page.LeafElement) {
	r, err := mvcc.ParseRecord(e.Key, e.Value, e.Off)
	if !ev.Torn || e.Index == 0 { // to report one for each page is enough
		ev.AddDamage(&decode.FormatError{Off: e.Off, Err: decode.ErrValue,
			What: fmt.Sprintf("page %v, leaf element %d, which belongs in the bucket key", p.ID, e.Index)})
	}
	ev.Torn = true
	noteRecord(ev, &r, err, isWatched(ev, r.Key), seen.Copy{
		File: seen.DBFile, Place: seen.OnFreePage, Off: e.Off, Page: report.PageOf(uint64(p.ID)),
	})
}
