package main

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/echo-identity/identity/benchmarks/measure"
)

const liveHeap = "/memory/classes/heap/objects:bytes"

// heap is what was seen of the heap, in bytes.
type heap struct{ peak, begin, half, end int }

// watch notes the peak, and in the middle of the run what is left after a collection. It forces collections now and then, because
// what a finalizer or a pool lets go of must not be in use.
func (h *heap) watch(ctx context.Context, d time.Duration) {
	half := time.After(d / 2)
	sample, collect := time.NewTicker(50*time.Millisecond), time.NewTicker(max(d/12, time.Second))
	defer sample.Stop()
	defer collect.Stop()
	reading := []metrics.Sample{{Name: liveHeap}}
	for {
		select {
		case <-sample.C:
			metrics.Read(reading)
			h.peak = max(h.peak, int(reading[0].Value.Uint64()))
		case <-collect.C:
			runtime.GC()
		case <-half:
			h.half = measure.Holding().Bytes
		case <-ctx.Done():
			return
		}
	}
}

// goroutines waits until there are no more than before, for ten seconds at most, and counts them.
func goroutines(before int) int {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			break
		}
		<-tick.C
	}
	return runtime.NumGoroutine()
}
