package pgtenants

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Values of state.until that are not a time.
const (
	inSync int64 = 0
	never  int64 = -1 // over for long
)

// state is how far the memory is known to agree with the database. Requests look at until only, and at the clock only while the two
// are not in sync: an own timer, and not the goroutine of Run, ends what was in sync when nobody confirms it any more.
//
// Of the monotonic clock and that on the wall the one counts by which more time has passed: the first stands still while a machine sleeps, the
// second can be set back.
type state struct {
	began time.Time
	until atomic.Int64 // inSync, or the nanoseconds since began at which known tenants are not served any more
	date  atomic.Int64 // when that is on the wall, in Unix milliseconds
	wall  func() time.Time

	maxStale, grace time.Duration

	mu        sync.Mutex // guards all below
	confirmed time.Time  // whatever was committed before is in memory; zero: never was
	timer     *time.Timer
	change    int64         // the last that is in memory
	advanced  chan struct{} // closed and replaced when change or until does
	lastError error         // why it is not in sync
	deaf      bool          // the last connection that was asked did not listen
	counts    Stats
	faults    map[key]string  // rows that are refused
	nameless  map[string]bool // the keys of rows whose key is refused, of so many
}

func (s *state) init(o Options) {
	s.began = time.Now()
	s.maxStale, s.grace = o.MaxStale, o.Heartbeat+o.Timeout
	s.until.Store(never)
	s.advanced = make(chan struct{})
	s.faults = make(map[key]string)
	s.nameless = make(map[string]bool)
	s.wall = time.Now
	s.lastError = errNotRun
	s.timer = time.AfterFunc(time.Hour, s.overdue)
	s.timer.Stop()
}

// over reports whether the time until is over.
func (s *state) over(until int64) bool {
	return int64(time.Since(s.began)) >= until || s.wall().UnixMilli() >= s.date.Load()
}

// age is how long ago something was.
func (s *state) age(at time.Time) time.Duration {
	return max(time.Since(at), s.wall().Round(0).Sub(at.Round(0)))
}

const tick = time.Second // is how often a clock that has leapt is looked for

// watch has overdue called in time.
func (s *state) watch(left time.Duration) { s.timer.Reset(min(left, tick)) }

// confirm says that whatever was committed before a time is in memory, up to a change. It reports whether that was not known before.
func (s *state) confirm(at time.Time, change int64) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.until.Load()
	s.confirmed, s.change, s.lastError = at, change, nil
	if left := s.grace - s.age(at); left > 0 {
		s.watch(left)
		s.until.Store(inSync)
	} else { // what it says was true too long ago
		s.lost(errOverdue)
	}
	close(s.advanced)
	s.advanced = make(chan struct{})
	return before != inSync && s.until.Load() == inSync
}

// lose says that the database cannot be asked any more, and why. Known tenants are served for a while.
func (s *state) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost(err)
}

func (s *state) lost(err error) {
	s.timer.Stop()
	s.lastError = err
	until := never
	if !s.confirmed.IsZero() {
		until = max(1, int64(s.confirmed.Add(s.maxStale).Sub(s.began)))
		s.date.Store(s.confirmed.Add(s.maxStale).UnixMilli())
	}
	s.until.Store(until)
}

// overdue is called by the timer.
func (s *state) overdue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until.Load() != inSync {
		return
	}
	if left := s.grace - s.age(s.confirmed); left > 0 {
		s.watch(left)
		return
	}
	s.lost(errOverdue)
}

// wait blocks until done, which is asked under the lock and again whenever something has changed, or until ctx ends.
func (s *state) wait(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		if done() {
			s.mu.Unlock()
			return nil
		}
		advanced := s.advanced
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-advanced:
		}
	}
}

// hears notes whether a connection listens after all that it has done.
func (s *state) hears(listening bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = !listening
}

func (s *state) everInSync() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.confirmed.IsZero()
}
