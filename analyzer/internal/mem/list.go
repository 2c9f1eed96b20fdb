package mem

import (
	"iter"
)

// chunkLen is how many items of a List share one piece of memory.
const chunkLen = 1 << 9

// A List is a list that grows without being copied: while a slice grows, it takes more than twice
// the memory of what is in it. Pointers to its items stay good. The zero List is empty.
type List[T any] struct {
	chunks [][]T // all but the last are full
	count  int
}

// Len is how many items there are.
func (l *List[T]) Len() int { return l.count }

// At is item i, from 0.
func (l *List[T]) At(i int) *T { return &l.chunks[i/chunkLen][i%chunkLen] }

// Add appends an item.
func (l *List[T]) Add(item T) {
	if l.count%chunkLen == 0 {
		l.chunks = append(l.chunks, make([]T, 0, chunkLen))
	}
	last := &l.chunks[len(l.chunks)-1]
	*last = append(*last, item)
	l.count++
}

// All yields each item and its index. Items that are added meanwhile do not come.
func (l *List[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range l.count {
			if !yield(i, l.At(i)) {
				return
			}
		}
	}
}

// Drain yields each item and its index, and drops the memory of those before it: they must not be
// used any more. It leaves the list empty, also when the loop ends early.
func (l *List[T]) Drain() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		defer func() { *l = List[T]{} }()
		for i := range l.count {
			if i > 0 && i%chunkLen == 0 {
				l.chunks[i/chunkLen-1] = nil
			}
			if !yield(i, l.At(i)) {
				return
			}
		}
	}
}
