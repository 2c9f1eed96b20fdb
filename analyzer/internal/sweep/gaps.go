package sweep

import (
	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/page"
)

// A gapCarver carves the bytes of a leaf that none of its elements covers. Elements overlap
// and are out of order only where the page is broken: bytes before end are not looked at again.
type gapCarver struct {
	ev   *seen.Evidence
	page page.Page
	end  int // of what is covered or carved, in page.Data; at first where elements may start
}

// elementsStart is where in p the headers of its elements end.
func elementsStart(p page.Page) int {
	return min(len(p.Data), page.HeaderSize+page.ElementSize*int(p.Header.Count))
}

// cover says that key and value of e are known, and carves what lies before them.
func (g *gapCarver) cover(e page.LeafElement) {
	start := int(e.Off - g.page.Off)
	g.carveTo(start)
	g.end = max(g.end, start+len(e.Key)+len(e.Value))
}

// close carves what lies behind the last element.
func (g *gapCarver) close() { g.carveTo(len(g.page.Data)) }

func (g *gapCarver) carveTo(start int) {
	if start <= g.end {
		return
	}
	if b := g.page.Data[g.end:start]; !page.IsZero(b) {
		carvePage(g.ev, g.page, b, g.page.Off+int64(g.end))
	}
}
