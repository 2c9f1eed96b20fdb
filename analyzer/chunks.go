package analyzer

import (
	"iter"
	"strings"
)

// chunkLen is how many items share one piece of memory in chunks.
const chunkLen = 1 << 9

// chunks is a list that grows without being copied: for a moment, a slice that grows
// takes more than twice the memory of what is in it. Pointers into it stay good.
type chunks[T any] struct {
	parts [][]T
	count int
}

func (c *chunks[T]) len() int { return c.count }

// at is item i.
func (c *chunks[T]) at(i int) *T { return &c.parts[i/chunkLen][i%chunkLen] }

func (c *chunks[T]) add(item T) {
	if c.count%chunkLen == 0 {
		c.parts = append(c.parts, make([]T, 0, chunkLen))
	}
	last := &c.parts[len(c.parts)-1]
	*last = append(*last, item)
	c.count++
}

// all yields each item and its number.
func (c *chunks[T]) all() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range c.count {
			if !yield(i, c.at(i)) {
				return
			}
		}
	}
}

// drain yields each item and its number, and drops the memory of those before it. It leaves
// the list empty.
func (c *chunks[T]) drain() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		defer func() { *c = chunks[T]{} }()
		for i := range c.count {
			if i > 0 && i%chunkLen == 0 {
				c.parts[i/chunkLen-1] = nil
			}
			if !yield(i, c.at(i)) {
				return
			}
		}
	}
}

// arenaChunk is how many bytes of strings share one piece of memory in an arena.
const arenaChunk = 64 << 10

// An arena holds many short strings in few pieces of memory.
type arena struct{ chunk strings.Builder }

// add returns a string of the bytes of b.
func (a *arena) add(b []byte) string {
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
