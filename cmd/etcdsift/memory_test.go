package main

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

// Where more is in use than the budget, there is room to grow before the next collection;
// where less is, the budget is the limit again.
func TestRaiseLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	held := make([]byte, memoryBudget+memoryBudget/2)
	runtime.GC()
	raiseLimit()
	least := int64(len(held)) * (100 + headroom) / 100
	if got := debug.SetMemoryLimit(-1); got < least || got > 3*least {
		t.Errorf("limit %d with %d bytes in use, want %d or little more", got, len(held), least)
	}
	runtime.KeepAlive(held)
}

// What is to be done after a collection is done after each of them.
func TestAfterCollection(t *testing.T) {
	var n atomic.Int64
	afterCollection(func() { n.Add(1) })
	for start := time.Now(); n.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%d calls", n.Load())
		}
		runtime.GC()
	}
}
