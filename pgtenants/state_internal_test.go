package pgtenants

import (
	"errors"
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
			case s.elapsed() < until:
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
