package page

import "hash/fnv"

// A mark says what a page is to the tree: its use in the low 3 bits, the bucket
// above them. 0 is an unreachable page.
type mark uint32

// overflowPage is the use of a page that continues the one before it. Page.Use never has it:
// Sweep yields such a page as part of the other.
const overflowPage Use = 7

func (m mark) use() Use        { return Use(m & 7) }
func (m mark) bucket() int     { return int(m >> 3) }
func markOf(u Use, b int) mark { return mark(b)<<3 | mark(u) }

// chunkPages is how many pages share one piece of memory in marks.
const chunkPages = 1 << 12

// maxPages bounds the pages of a file: 16 TiB of 4 KiB pages. A sparse file can
// claim more for nothing.
const maxPages = 1 << 32

// marks holds 12 bytes for each page below the high water mark. It makes a chunk once it
// marks a page in it: a sparse file costs nothing.
type marks struct {
	size   ID
	chunks [][]pageMark
}

type pageMark struct {
	mark
	// first is the keySum of the branch element that led to the page, 0 if none did.
	first uint32
	bound bound
}

func newMarks(size ID) marks {
	return marks{size, make([][]pageMark, (size+chunkPages-1)/chunkPages)}
}

// at is the mark of a page; past the high water mark it is that of the tail.
func (m *marks) at(id ID) pageMark {
	if id >= m.size {
		return pageMark{mark: markOf(Tail, 0)}
	}
	if chunk := m.chunks[id/chunkPages]; chunk != nil {
		return chunk[id%chunkPages]
	}
	return pageMark{}
}

// set marks a page below the high water mark.
func (m *marks) set(id ID, mark pageMark) {
	if id >= m.size {
		return
	}
	chunk := &m.chunks[id/chunkPages]
	if *chunk == nil {
		*chunk = make([]pageMark, chunkPages)
	}
	(*chunk)[id%chunkPages] = mark
}

// keySum is a checksum of a key, never 0. bbolt keeps the first key of each page in the
// branch element that leads to it, so a reference that leads elsewhere shows.
func keySum(key []byte) uint32 {
	h := fnv.New32a()
	h.Write(key)
	return max(1, h.Sum32())
}
