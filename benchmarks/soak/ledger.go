package main

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// class is a kind of request.
type class int

const (
	classSteady class = iota
	classChanging
	classRotating
	classExpiring
	classScope
	classNone
	classUnknownTenant
	classBroken
	classUnknownKey
	classes
)

var classNames = [classes]string{
	"good tokens of tenants that stay", "tokens of tenants that come, go and change", "tokens of keys that come and go",
	"tokens that expire meanwhile", "tokens without the scope", "no token", "tokens of unknown tenants", "broken tokens",
	"tokens of unknown keys (flood)",
}

// ledger is what came of all requests.
type ledger struct {
	sent        [classes]atomic.Int64
	wrong, lost atomic.Int64
	took        histogram // requests to which 200 was the only right answer

	mu     sync.Mutex
	faults []string       // the first few, in words
	events map[string]int // what happened, how often
	newKey time.Duration  // the longest that a key published in a flood was not known for
}

const shownFaults = 10

func newLedger() *ledger { return &ledger{events: make(map[string]int)} }

// note puts something wrong into words.
func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < shownFaults {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// fault counts something wrong that a comparison of answers does not show.
func (l *ledger) fault(format string, args ...any) {
	l.wrong.Add(1)
	l.note(format, args...)
}

func (l *ledger) event(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[name]++
}

// judge compares an answer with the right ones. A valid request is lost when nothing but 200 was right and something else came.
func (l *ledger) judge(t *token, got verdict, begin, end time.Time) {
	l.sent[t.class].Add(1)
	right := t.permitted(begin, end)
	valid := len(right) == 1 && right[0].status == 200
	if valid {
		l.took.add(end.Sub(begin))
	}
	if slices.Contains(right, got) {
		if got == keyNotFound && t.class == classRotating && !slices.Contains(right, t.best) {
			l.event(eventGoneRefused)
		}
		return
	}
	if valid && got.status != 200 {
		l.lost.Add(1)
	} else {
		l.wrong.Add(1)
	}
	l.note("%s %s: got=%v, want one of %v; it took %v", classNames[t.class], t.path, got, right, end.Sub(begin).Round(time.Microsecond))
}

// histogram counts times in steps of a sixteenth of a doubling, so that a run may be as long as it likes.
type histogram struct{ counts [16 * 40]atomic.Int64 }

func (h *histogram) add(d time.Duration) {
	step := int(16 * math.Log2(max(1, float64(d)/float64(time.Microsecond))))
	h.counts[min(step, len(h.counts)-1)].Add(1)
}

// quantile is the upper end of the step that holds the share of all times.
func (h *histogram) quantile(share float64) time.Duration {
	total, sum := int64(0), int64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	for i := range h.counts {
		if sum += h.counts[i].Load(); total > 0 && float64(sum) >= share*float64(total) {
			return time.Duration(math.Exp2(float64(i+1)/16) * float64(time.Microsecond))
		}
	}
	return 0
}
