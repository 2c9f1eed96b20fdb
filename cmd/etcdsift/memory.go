package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// memoryBudget is how much memory a run uses before it collects any, in bytes: a scan of half a
// gigabyte fits into it.
const memoryBudget = 112 << 20

// headroom is how much the heap may grow between two collections if the budget is not enough,
// in percent of what is in use. It trades a little processor time for memory: a run has other work
// beside it, on a server or in a pipeline with a limit.
const headroom = 25

// limitMemory has the runtime collect memory at the end of the budget, and not before. GOGC or
// GOMEMLIMIT, if the user sets one, decides instead.
func limitMemory() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(memoryBudget)
	debug.SetGCPercent(-1)
	afterCollection(raiseLimit)
}

// afterCollection calls f after each collection from now on.
func afterCollection(f func()) {
	runtime.AddCleanup(new([16]byte), func(f func()) {
		f()
		afterCollection(f)
	}, f)
}

// raiseLimit makes room for what is in use after a collection. A limit without room would have
// the runtime collect all the time.
func raiseLimit() {
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(m)
	live, objects, mapped := m[0].Value.Uint64(), m[1].Value.Uint64(), m[2].Value.Uint64()-m[3].Value.Uint64()-m[4].Value.Uint64()
	debug.SetMemoryLimit(max(memoryBudget, int64(mapped-objects+live+live*headroom/100)))
}
