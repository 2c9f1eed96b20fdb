package mem

import (
	"strings"
)

// arenaChunk is how many bytes of strings share one piece of memory in an arena.
const arenaChunk = 64 << 10

// A Strings holds many short strings in few pieces of memory.
type Strings struct{ chunk strings.Builder }

// Add returns a string of the bytes of b.
func (a *Strings) Add(b []byte) string {
	if len(b) > arenaChunk/8 {
		return string(b)
	}
	if a.chunk.Cap()-a.chunk.Len() < len(b) {
		a.chunk = strings.Builder{}
		a.chunk.Grow(arenaChunk)
	}
	start := a.chunk.Len()
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}
