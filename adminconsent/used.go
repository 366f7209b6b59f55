package adminconsent

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Used remembers which answers were used, so that each counts once. Replicas share one: a table with a unique key does it. It must be
// safe for concurrent use.
type Used interface {
	// Use reports whether this is the first use of id, and remembers it until then at least. Of several calls at once, in whatever
	// replica, exactly one is the first. An id is printable ASCII, at most 64 bytes. An error refuses the answer.
	Use(ctx context.Context, id string, until time.Time) (first bool, err error)
}

// maxUsed bounds what memory holds, twice. Whoever may begin a flow can fill it; then nobody finishes one for a while, and no answer
// counts twice.
const maxUsed = 50_000

var errFull = errors.New("too many flows at once")

// memory is Used in one process, in two generations: an id is remembered for at least one period, no until is longer than that.
type memory struct {
	period time.Duration
	now    func() time.Time

	mu           sync.Mutex // guards what follows
	recent, past map[string]struct{}
	began        time.Time // of recent
}

func newMemory(period time.Duration, now func() time.Time) *memory {
	return &memory{period: period, now: now}
}

func (m *memory) Use(_ context.Context, id string, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); now.Sub(m.began) >= m.period {
		m.past = m.recent
		if now.Sub(m.began) >= 2*m.period {
			m.past = nil
		}
		m.recent, m.began = make(map[string]struct{}), now
	}
	_, used := m.recent[id]
	_, usedBefore := m.past[id]
	switch {
	case used || usedBefore:
		return false, nil
	case len(m.recent) >= maxUsed:
		return false, errFull
	}
	m.recent[id] = struct{}{}
	return true, nil
}
