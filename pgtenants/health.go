package pgtenants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	errNotRun   = errors.New("Run has not been called")
	errStopped  = errors.New("Run has returned")
	errOverdue  = errors.New("the database has not answered in time")
	errSilent   = errors.New("the database has been silent for longer than Options.Timeout")
	errRestored = errors.New("the history does not go on where it ended (another database, a backup, or its end was deleted): all is read again")
	errNoListen = errors.New("pgtenants: the connection does not listen any more: a pooler that shares connections between transactions (Options.Listener)?")
)

// Ready is for a readiness probe. It returns nil while requests of known tenants are answered: the table has been read once, and not
// longer than [Options.MaxStale] ago was the memory known to agree with the database.
func (s *Store) Ready() error {
	if until := s.sync.until.Load(); until == inSync || !s.sync.over(until) {
		return nil
	}
	s.sync.mu.Lock()
	defer s.sync.mu.Unlock()
	if s.sync.confirmed.IsZero() {
		return fmt.Errorf("%w: the tenants have not been read yet: %w", ErrNotInSync, s.sync.reason())
	}
	return fmt.Errorf("%w since %v: %w", ErrNotInSync, s.sync.confirmed.Round(time.Second), s.sync.reason())
}

// Healthy is for whoever is on call. It returns nil if Ready does, the memory agrees with the database now, no row is refused and all
// tenants have found a place. Do not restart a process because of it: that mends neither a database nor a row.
func (s *Store) Healthy() error {
	var faults []error
	if err := s.Ready(); err != nil {
		faults = append(faults, err)
	} else if s.sync.until.Load() != inSync {
		s.sync.mu.Lock()
		faults = append(faults, fmt.Errorf("%w since %v, known tenants are served: %w", ErrNotInSync, s.sync.confirmed.Round(time.Second), s.sync.reason()))
		s.sync.mu.Unlock()
	}
	if s.memory.full.Load() {
		faults = append(faults, ErrFull)
	}
	return errors.Join(append(faults, s.sync.hearing(), s.sync.refused())...)
}

// hearing is the fault of a replica that is in sync again and again, each time until it is asked whether it listens.
func (s *state) hearing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return errNoListen
	}
	return nil
}

func (s *state) reason() error {
	if s.lastError == nil {
		return errOverdue
	}
	return s.lastError
}

const faultsShown = 5

// refused says which rows are.
func (s *state) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.faults) + len(s.nameless)
	if n == 0 {
		return nil
	}
	var shown []string
	for k, text := range s.faults {
		if shown = append(shown, fmt.Sprintf("%v %s: %s", k.kind, k.id, text)); len(shown) == faultsShown {
			break
		}
	}
	slices.Sort(shown)
	if more := n - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more, see the log", more))
	}
	return fmt.Errorf("pgtenants: rows are refused: %s", strings.Join(shown, "; "))
}

// Stats says what the store holds and does.
type Stats struct {
	// Tenants is how many tenants are held, without disabled ones, Refused how many rows identity would refuse.
	Tenants, Refused int
	// InSync tells whether the memory agrees with the database; Confirmed since when it is known to hold whatever was committed by then.
	InSync    bool
	Confirmed time.Time
	// Change is the number of the last change that is in memory, as in the history.
	Change int64
	// Connections, Resyncs and Reads count connections made, times the whole table was read, and readings of changes.
	Connections, Resyncs, Reads uint64
}

// Stats returns the figures of now.
func (s *Store) Stats() Stats {
	s.sync.mu.Lock()
	defer s.sync.mu.Unlock()
	now := s.sync.counts
	now.Refused = len(s.sync.faults) + len(s.sync.nameless)
	now.Tenants = int(s.memory.len.Load()) - len(s.sync.faults)
	now.InSync = s.sync.until.Load() == inSync
	now.Confirmed, now.Change = s.sync.confirmed, s.sync.change
	return now
}

// WaitReady blocks until the tenants have been read, or ctx ends.
func (s *Store) WaitReady(ctx context.Context) error {
	err := s.sync.wait(ctx, func() bool { return s.sync.until.Load() == inSync })
	if err != nil {
		return errors.Join(s.Ready(), err)
	}
	return nil
}

// Sync blocks until this replica holds whatever was committed before the call, or ctx ends. It is for a handler that has just changed a tenant
// and sends its user on to use it. The other replicas are not waited for. [Store.Run] must be running.
func (s *Store) Sync(ctx context.Context) error {
	var change int64
	if err := s.pool.QueryRow(ctx, s.sql.lastChange).Scan(&change); err != nil {
		return fmt.Errorf("pgtenants: %w", err)
	}
	err := s.sync.wait(ctx, func() bool { return s.sync.until.Load() == inSync && s.sync.change >= change })
	if err != nil {
		return fmt.Errorf("%w: change %d has not arrived: %w", ErrNotInSync, change, err)
	}
	return nil
}

// count changes figures of Stats.
func (s *state) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}

// fault notes that a row is refused, or, with an empty text, that it is not any more. It reports whether that is new.
func (s *state) fault(k key, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.faults[k]
	if text == "" {
		delete(s.faults, k)
	} else {
		s.faults[k] = text
	}
	return was != text
}

const maxNameless = 1000 // are told apart

// setNameless notes that a row is there whose key is refused, or not any more.
func (s *state) setNameless(raw string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note(s.nameless, raw, there)
}

func note(nameless map[string]bool, raw string, there bool) {
	switch {
	case !there:
		delete(nameless, raw)
	case len(nameless) < maxNameless:
		nameless[raw] = true
	}
}

// scanned corrects what is said of refused rows, when all rows have been read.
func (s *state) scanned(nameless map[string]bool, there func(key) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nameless = nameless
	for k := range s.faults {
		if !there(k) {
			delete(s.faults, k)
		}
	}
}
