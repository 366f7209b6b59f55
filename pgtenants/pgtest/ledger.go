package pgtest

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Ledger remembers which tenants were to be trusted when, as who changes them knows it, and judges answers by it. Safe for concurrent use.
// The zero value knows that nobody is trusted.
type Ledger struct {
	// Stale is how long a tenant that was removed may still be served where the database is out of reach: Options.MaxStale, and what the
	// machine needs. Fresh is how long an answer "unknown tenant" may rest on what was true before: Options.Heartbeat, Options.Timeout, likewise.
	Stale, Fresh time.Duration

	mu      sync.Mutex
	tenants map[string][]change
	verdict Verdict
}

// change is a change of a tenant: before began it has not happened, after ended it has.
type change struct {
	trusted      bool
	began, ended time.Time
	uncertain    bool // it failed, and may have happened all the same
}

// Verdict is what a [Ledger] has found.
type Verdict struct {
	// Accepted, Unknown and Unavailable count right answers 200, 401 and 503.
	Accepted, Unknown, Unavailable int
	// Wrong describes answers that were wrong, the first few of them; WrongCount is how many there were.
	Wrong      []string
	WrongCount int
	// Beyond counts tokens of removed tenants that were accepted later than Stale after the removal; each is wrong, too.
	Beyond int
	// Lag is the longest time after the end of a removal at which a request began that was accepted all the same.
	Lag time.Duration
	// Refused counts answers 503 to tenants that were trusted all the time.
	Refused int
}

// Change makes a change of a tenant, and notes when. An error means that it is not known whether it has been made.
func (l *Ledger) Change(id string, trusted bool, do func() error) error {
	l.mu.Lock()
	if l.tenants == nil {
		l.tenants = make(map[string][]change)
	}
	i := len(l.tenants[id])
	far := time.Now().Add(1000 * time.Hour)
	l.tenants[id] = append(l.tenants[id], change{trusted: trusted, began: time.Now(), ended: far})
	l.mu.Unlock()
	err := do()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.tenants[id][i]
	c.ended, c.uncertain = time.Now(), err != nil
	return err
}

// possible reports whether a tenant may have been trusted, or not, at any time between two.
func possible(changes []change, trusted bool, from, to time.Time) bool {
	may := !trusted // before the first change
	for _, c := range changes {
		if c.began.After(to) {
			break
		}
		switch {
		case c.trusted == trusted:
			may = true
		case !c.uncertain && !c.ended.After(from):
			may = false
		}
	}
	return may
}

// since is when a tenant got into the state that it had at a time: the end of the first of the changes that led to it.
func since(changes []change, at time.Time) (ended time.Time) {
	trusted := false
	for _, c := range changes {
		if c.began.After(at) {
			break
		}
		if c.trusted != trusted {
			trusted, ended = c.trusted, c.ended
		}
	}
	return ended
}

// Judge judges an answer to a good token of a tenant: 200, 401 for an unknown tenant, or 503.
func (l *Ledger) Judge(id string, status int, began, ended time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes, v := l.tenants[id], &l.verdict
	switch status {
	case http.StatusOK:
		if !possible(changes, true, began, ended) {
			v.Lag = max(v.Lag, began.Sub(since(changes, ended)))
		}
		if !possible(changes, true, began.Add(-l.Stale), ended) {
			v.Beyond++
			v.wrong("%s: accepted, %v after it was removed", id, began.Sub(since(changes, ended)))
			return
		}
		v.Accepted++
	case http.StatusUnauthorized:
		if !possible(changes, false, began.Add(-l.Fresh), ended) {
			v.wrong("%s: unknown, %v after it was added", id, began.Sub(since(changes, ended)))
			return
		}
		v.Unknown++
	case http.StatusServiceUnavailable:
		if !possible(changes, false, began.Add(-l.Fresh), ended) {
			v.Refused++
		}
		v.Unavailable++
	default:
		v.wrong("%s: status %d", id, status)
	}
}

func (v *Verdict) wrong(format string, args ...any) {
	if v.WrongCount++; len(v.Wrong) < 10 {
		v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
	}
}

// Verdict is what has been found so far.
func (l *Ledger) Verdict() Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.verdict
}

// Trusted reports whether the last change of a tenant was to trust it.
func (l *Ledger) Trusted(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := l.tenants[id]
	return len(changes) > 0 && changes[len(changes)-1].trusted
}
