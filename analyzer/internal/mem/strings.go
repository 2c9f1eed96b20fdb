package mem

import (
	"strings"
)

// stringsChunk is how many bytes of Strings share one piece of memory.
const stringsChunk = 64 << 10

// Strings makes many short strings in few pieces of memory. The zero Strings is ready.
type Strings struct{ chunk strings.Builder }

// Add returns a string of the bytes of b. A long one gets memory of its own.
func (s *Strings) Add(b []byte) string {
	if len(b) > stringsChunk/8 {
		return string(b)
	}
	if s.chunk.Cap()-s.chunk.Len() < len(b) {
		s.chunk = strings.Builder{}
		s.chunk.Grow(stringsChunk)
	}
	start := s.chunk.Len()
	s.chunk.Write(b)
	return s.chunk.String()[start:]
}
