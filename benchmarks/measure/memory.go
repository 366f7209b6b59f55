package measure

import (
	"math"
	"runtime"
)

// Memory is what an operation allocates.
type Memory struct{ Allocs, Bytes int }

// memoryOperations are enough for what happens once in a while, the growth of a map for instance, not to count.
const memoryOperations = 1000

// Allocations counts what a subject allocates, exactly. It is not affected by how busy the machine is.
func Allocations(s Subject) (Memory, error) {
	r := &runner{Subject: s}
	if _, err := r.run(memoryOperations); err != nil { // what the first operations set up does not count
		return Memory{}, err
	}
	return r.memory()
}

func (r *runner) memory() (Memory, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if r.Before != nil {
		if err := r.Before(memoryOperations); err != nil {
			return Memory{}, err
		}
	}
	before := stats()
	for i := r.done; i < r.done+memoryOperations; i++ {
		if err := r.Do(i); err != nil {
			return Memory{}, err
		}
	}
	after := stats()
	r.done += memoryOperations
	return Memory{
		Allocs: int(after.Mallocs-before.Mallocs) / memoryOperations,
		Bytes:  int(math.Round(float64(after.TotalAlloc-before.TotalAlloc) / memoryOperations)),
	}, nil
}

// Held is what the process holds: live objects, and the stacks of goroutines.
type Held struct {
	Bytes      int
	Goroutines int
}

// Holding collects garbage and says what is left.
func Holding() Held {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	m := stats()
	return Held{int(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine()}
}

func stats() *runtime.MemStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &m
}
