package main

import (
	"context"
	"sync"
	"time"

	"github.com/echo-identity/identity"
)

// keySet is what the verifier is known to have seen of one key set. It learns that from Trace.KeysFetched, which is called when the
// verifier has put the new set into use and before any request that waited for it goes on.
//
// When a fetch began is known only in so far as it was after the request that led to it had arrived. So a fetch counts as later than a
// change of the key set if its request arrived after the change: no fetch is taken to be later than it was.
type keySet struct {
	mu       sync.Mutex
	landings []landing     // successful fetches, oldest first
	outages  []outage      // oldest first
	changed  chan struct{} // closed, and replaced, by each fetch
	failures int
}

type landing struct{ arrived, landed time.Time }

// outage is a time in which the last fetch had failed: a request for an unknown key may be told that keys are unavailable.
type outage struct{ begin, failed, end time.Time } // end is zero while it lasts

func newKeySet() *keySet { return &keySet{changed: make(chan struct{})} }

func (s *keySet) fetched(arrived time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	last := len(s.outages) - 1
	lasting := last >= 0 && s.outages[last].end.IsZero()
	switch {
	case err == nil:
		s.landings = append(s.landings, landing{arrived, now})
		if lasting && arrived.After(s.outages[last].failed) { // else the two ran side by side, and which was written down last is not known
			s.outages[last].end = now
		}
	case lasting:
		s.outages[last].failed = now
		s.failures++
	default:
		s.outages = append(s.outages, outage{begin: arrived, failed: now})
		s.failures++
	}
	for len(s.outages) > 1 && now.Sub(s.outages[0].end) > memory {
		s.outages = s.outages[1:]
	}
	for len(s.landings) > 1 && now.Sub(s.landings[0].landed) > memory {
		s.landings = s.landings[1:]
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// since is when the first fetch landed that began after t.
func (s *keySet) since(t time.Time) (landed time.Time, ok bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.landings {
		if l.arrived.After(t) {
			return l.landed, true, s.changed
		}
	}
	return time.Time{}, false, s.changed
}

// await waits for a successful fetch that began after t, and says when it landed. ok is false when the run has ended first.
func (s *keySet) await(ctx context.Context, t time.Time) (landed time.Time, ok bool) {
	for {
		landed, ok, changed := s.since(t)
		if ok {
			return landed, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, false
		}
	}
}

// awaitFailure waits for the next fetch that fails.
func (s *keySet) awaitFailure(ctx context.Context) (ok bool) {
	s.mu.Lock()
	before := s.failures
	s.mu.Unlock()
	for {
		s.mu.Lock()
		failures, changed := s.failures, s.changed
		s.mu.Unlock()
		if failures > before {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// failing tells whether the set may have been in an outage at any time from begin to end.
func (s *keySet) failing(begin, end time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outages {
		if !o.begin.After(end) && (o.end.IsZero() || o.end.After(begin)) {
			return true
		}
	}
	return false
}

type arrivedKey struct{}

// fetched is Trace.KeysFetched. The context is that of the request which led to the fetch, or of Warm.
func (a *arena) fetched(ctx context.Context, info identity.FetchInfo) {
	arrived, _ := ctx.Value(arrivedKey{}).(time.Time)
	a.fetches.Add(1)
	if set := a.sets[info.Metadata]; set != nil {
		set.fetched(arrived, info.Err)
		return
	}
	a.ledger.fault("keys were fetched from %s, which nobody should ask", info.Metadata)
}
