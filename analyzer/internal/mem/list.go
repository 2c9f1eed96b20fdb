package mem

import (
	"iter"
)

// chunkLen is how many items share one piece of memory in chunks.
const chunkLen = 1 << 9

// List is a list that grows without being copied: for a moment, a slice that grows
// takes more than twice the memory of what is in it. Pointers into it stay good.
type List[T any] struct {
	parts [][]T
	count int
}

func (c *List[T]) Len() int { return c.count }

// At is item i.
func (c *List[T]) At(i int) *T { return &c.parts[i/chunkLen][i%chunkLen] }

func (c *List[T]) Add(item T) {
	if c.count%chunkLen == 0 {
		c.parts = append(c.parts, make([]T, 0, chunkLen))
	}
	last := &c.parts[len(c.parts)-1]
	*last = append(*last, item)
	c.count++
}

// All yields each item and its number.
func (c *List[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range c.count {
			if !yield(i, c.At(i)) {
				return
			}
		}
	}
}

// Drain yields each item and its number, and drops the memory of those before it. It leaves
// the list empty.
func (c *List[T]) Drain() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		defer func() { *c = List[T]{} }()
		for i := range c.count {
			if i > 0 && i%chunkLen == 0 {
				c.parts[i/chunkLen-1] = nil
			}
			if !yield(i, c.At(i)) {
				return
			}
		}
	}
}
