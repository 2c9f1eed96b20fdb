package carve

import "bytes"

// A mark is a kind of byte string that gives a find away.
type mark uint8

const (
	noMark mark = iota
	revisionMark
	k8sMark
	jsonMark
	markCount
)

// markBytes are what to look for. They are few and short, because each costs a pass over all
// bytes.
//
// The first is the separator in a key of the bucket and the upper bytes of the sub
// revision, which counts the writes of one transaction.
var markBytes = [markCount][]byte{
	revisionMark: []byte("_\x00\x00\x00\x00\x00"),
	k8sMark:      []byte("k8s"),
	jsonMark:     []byte(`{"`),
}

var (
	envelopeMagic = []byte("k8s:enc:")
	jsonMagic     = markBytes[jsonMark]
)

// marks finds the marks in b one by one. It may be copied, to look ahead.
type marks struct {
	b    []byte
	next [markCount]int // where the next one is, if below upTo
	upTo [markCount]int // how far the search got
}

func newMarks(b []byte) marks { return marks{b: b} }

// from returns the first mark at or behind pos that lies before end, or noMark.
// pos must not become smaller.
func (m *marks) from(pos, end int) (mark, int) {
	kind, at := noMark, end
	for k := revisionMark; k < markCount; k++ {
		// What lies behind the best one so far is of no interest yet.
		if i := m.seek(k, pos, at); i < at {
			kind, at = k, i
		}
	}
	return kind, at
}

// seek returns the first place of mark k from pos on, or something not below end.
func (m *marks) seek(k mark, pos, end int) int {
	if m.next[k] < m.upTo[k] {
		if m.next[k] >= pos {
			return m.next[k]
		}
		m.upTo[k] = m.next[k] + 1
	}
	start := max(pos, m.upTo[k])
	if start >= end {
		return end
	}
	pattern := markBytes[k]
	if i := bytes.Index(m.b[start:min(len(m.b), end+len(pattern)-1)], pattern); i >= 0 {
		m.next[k], m.upTo[k] = start+i, start+i+1
		return start + i
	}
	m.next[k], m.upTo[k] = end, end
	return end
}
