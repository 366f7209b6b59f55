package main

import (
	"slices"
	"sync"
	"time"
)

// timeline is what was true when. A change has a duration: a request that is on its way during it may meet the old state or the new
// one, and nothing else. A request that begins after it meets the new one.
type timeline[T comparable] struct {
	mu      sync.Mutex
	changes []change[T]
}

type change[T comparable] struct {
	begin, end time.Time // end is zero while the change is under way
	state      T
}

// memory is how long changes are remembered, longer than any request lasts.
const memory = 2 * patience

func newTimeline[T comparable](state T) *timeline[T] {
	now := time.Now()
	return &timeline[T]{changes: []change[T]{{now, now, state}}}
}

// begin says that a change begins. It is over when end is called. One change at a time.
func (l *timeline[T]) begin(state T) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.changes) > 1 && now.Sub(l.changes[1].end) > memory {
		l.changes = slices.Delete(l.changes, 0, 1)
	}
	l.changes = append(l.changes, change[T]{begin: now, state: state})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changes[len(l.changes)-1].end = time.Now()
	}
}

// during lists the states that something which lasted from begin to end may have met.
func (l *timeline[T]) during(begin, end time.Time) (states []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		if c.begin.After(end) {
			break
		}
		if !c.end.IsZero() && !c.end.After(begin) {
			states = states[:0] // it was over before: what was before it is no longer true
		}
		if !slices.Contains(states, c.state) {
			states = append(states, c.state)
		}
	}
	return states
}
