package pgtenants

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What nobody confirms any more is not in sync, whatever Run is busy with; known tenants are served until MaxStale after the last confirmation, and
// a new confirmation mends it.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s state
		s.init(Options{MaxStale: 10 * time.Second, Heartbeat: time.Second, Timeout: 2 * time.Second})
		served := func() string {
			switch until := s.until.Load(); {
			case until == inSync:
				return "in sync"
			case !s.over(until):
				return "served"
			}
			return "refused"
		}
		want := func(answer string) {
			t.Helper()
			synctest.Wait()
			if got := served(); got != answer {
				t.Fatalf("got=%s, want=%s", got, answer)
			}
		}
		wait := func(d time.Duration) { time.Sleep(d) } // of the bubble: it takes no time
		want("refused")
		wait(time.Hour)
		want("refused")
		if !s.confirm(time.Now(), 1) {
			t.Error("the first confirmation is nothing new")
		}
		want("in sync")
		wait(2 * time.Second)
		if s.confirm(time.Now(), 1) {
			t.Error("a confirmation while in sync is something new")
		}
		wait(3*time.Second - 1)
		want("in sync")
		wait(1)
		want("served")
		if !errors.Is(s.reason(), errOverdue) {
			t.Errorf("got=%v, want=%v", s.reason(), errOverdue)
		}
		wait(7*time.Second - 1)
		want("served")
		wait(1)
		want("refused")
		// A reading that began 8 seconds ago ends: it says what was true then, and that is overdue.
		s.confirm(time.Now().Add(-8*time.Second), 2)
		want("served")
		wait(2 * time.Second)
		want("refused")
		s.confirm(time.Now(), 3)
		want("in sync")
		s.lose(errSilent)
		want("served")
		wait(10 * time.Second)
		want("refused")
		s.timer.Stop()
	})
}

// A machine that has slept looks at the clock on the wall, because the monotonic one has stood still; and one whose wall clock is set back at the other.
func TestClockLeaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s state
		s.init(Options{MaxStale: 10 * time.Second, Heartbeat: time.Second, Timeout: 2 * time.Second})
		var leap atomic.Int64
		s.wall = func() time.Time { return time.Now().Add(time.Duration(leap.Load())) }
		inState := func(synced, over bool) {
			t.Helper()
			synctest.Wait()
			if until := s.until.Load(); (until == inSync) != synced || !synced && s.over(until) != over {
				t.Fatalf("got=%d, want in sync: %v, over: %v", until, synced, over)
			}
		}
		s.confirm(time.Now(), 1)
		inState(true, false)
		leap.Store(int64(9 * time.Second)) // asleep
		time.Sleep(tick)
		inState(false, true)
		leap.Store(int64(-time.Hour))
		inState(false, false) // by the monotonic clock a second has passed
		time.Sleep(8 * time.Second)
		inState(false, false)
		time.Sleep(time.Second)
		inState(false, true)
		s.confirm(time.Now(), 2)
		inState(true, false)
		time.Sleep(3*time.Second - 1)
		inState(true, false)
		time.Sleep(time.Nanosecond)
		inState(false, false)
		leap.Store(int64(7*time.Second - time.Millisecond))
		inState(false, false)
		leap.Store(int64(7 * time.Second))
		inState(false, true)
		s.timer.Stop()
	})
}
