package sweep

import (
	"bytes"
	"unicode/utf8"

	"github.com/etcdsift/etcdsift/analyzer/internal/seen"
	"github.com/etcdsift/etcdsift/decode/mvcc"
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

// coverRecord is cover for r, a record outside of the tree that e holds. If its key is none of
// an API server's, that is carved, too, by itself: another object may lie there.
func (g *gapCarver) coverRecord(e page.LeafElement, r *mvcc.Record) {
	g.cover(e)
	if !isPath(r.Key) {
		at := max(0, bytes.Index(e.Value, r.Key)) // the first field: this finds it at once
		carvePage(g.ev, g.page, r.Key, e.ValueOff()+int64(at))
	}
}

// coverBucket is cover for an inline bucket. What stands before its elements is carved if it is
// not as etcd has it.
func (g *gapCarver) coverBucket(e page.LeafElement, inline page.Page) {
	if _, ok := g.page.BucketRoot(e); !ok || !isBucketName(e.Key) || inline.Header.ID != 0 {
		g.carveTo(int(inline.Off-g.page.Off) + page.HeaderSize)
	}
	g.cover(e)
}

// maxPath bounds what is taken for a key of an API server, in bytes: a prefix, a resource, a
// namespace and a name.
const maxPath = 1024

// isPath reports whether key looks like one of an API server.
func isPath(key []byte) bool {
	return len(key) <= maxPath && !bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf || r == 0x7f })
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
	g.end = start
}
