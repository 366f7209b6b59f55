package identity

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	refreshRetry   = 30 * time.Second // between refreshes that fail while old keys serve
	firstColdRetry = time.Second      // how long a failure stands when there are no keys; it doubles
	maxColdRetry   = 30 * time.Second
)

// keyHandle is a key set and what is known of fetching it. Who sets what:
//
//	             success       failure           postpone  others
//	set          the new one   -                 -
//	notBefore    80 % of TTL   after the retry   later
//	silence      none          Retry-After's     -
//	due          notBefore, or silence if that is later: what current reads without the lock
//	tried        false         true              true      current: true, with a refresh before the end of the TTL
//	failures     0             one more          -
//	lastError    nil           the error         -
//	nextForced   -             -                 -         fetch: later, when a forced one begins; none after a panic
//	refreshing, forcing                                    their flights, from begin to end
//	used                                                   use and holds, when a token has been verified
//	evicted                                                evict and admit
type keyHandle struct {
	name string                 // that of the request; never changes
	set  atomic.Pointer[keySet] // nil until the first success
	due  atomic.Int64           // nanoseconds since the resolver's start until which no refresh is due
	used atomic.Int64           // seconds since then: the last use; below zero if there was none, the oldest handle lowest
	// flights are its refreshes under way. They are its own: one of a handle that was evicted must not answer for its successor.
	flights singleflight.Group

	evicted atomic.Bool // the resolver has let go of it

	mu         sync.Mutex // guards the rest
	notBefore  time.Time  // no refresh before this: the last one failed, or is not due
	silence    time.Time  // no fetch of any kind before this: the server said Retry-After
	tried      bool       // a refresh in time was begun since set was fetched, or one has failed
	refreshing bool       // a refresh is under way
	failures   int        // in a row, without a set
	lastError  error      // of the last fetch, nil after a success
	nextForced time.Time  // end of the cool-down
	forcing    bool       // a forced refresh is under way
}

func newKeyHandle(name string, since time.Duration) *keyHandle {
	h := &keyHandle{name: name}
	h.used.Store(math.MinInt64 + int64(since/time.Second))
	return h
}

// touch notes the use of a handle, to the second: that spares other cores the write.
func (h *keyHandle) touch(since time.Duration) {
	if now := int64(since / time.Second); h.used.Load() != now {
		h.used.Store(now)
	}
}

// proven reports whether a token was ever verified with this handle.
func (h *keyHandle) proven() bool { return h.used.Load() >= 0 }

// pause is how long no refresh may be tried. The caller holds mu.
func (h *keyHandle) pause(now time.Time) time.Duration {
	return max(h.notBefore.Sub(now), h.silence.Sub(now))
}

// success puts a new set into use, to be refreshed from a time on, and returns the newest one.
func (h *keyHandle) success(set *keySet, refresh, start time.Time) *keySet {
	h.mu.Lock()
	defer h.mu.Unlock()
	if held := h.set.Load(); held != nil && held.fetched.After(set.fetched) {
		return held // a fetch that began later was faster
	}
	h.set.Store(set)
	h.notBefore, h.silence, h.tried, h.failures, h.lastError = refresh, time.Time{}, false, 0, nil
	h.due.Store(int64(refresh.Sub(start)))
	return set
}

// failure writes a failed fetch down and returns how long none is tried again.
func (h *keyHandle) failure(err error, now time.Time, maxStale time.Duration, start time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	retry := refreshRetry
	if set := h.set.Load(); set == nil || now.Sub(set.fetched) > maxStale {
		retry = min(firstColdRetry<<min(h.failures, 10), maxColdRetry)
	}
	h.failures++
	h.tried, h.lastError, h.notBefore = true, err, now.Add(retry)
	if asked, ok := errors.AsType[*statusError](err); ok && asked.after > 0 {
		h.silence = now.Add(asked.after)
	}
	h.due.Store(int64(now.Add(h.pause(now)).Sub(start)))
	return h.pause(now)
}

// postpone lets a set serve until a time, at least, without another refresh, after one that told nothing about the key server.
// Without a set nothing is remembered.
func (h *keyHandle) postpone(until, start time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set.Load() == nil || h.notBefore.After(until) {
		return
	}
	h.tried, h.notBefore = true, until
	h.due.Store(int64(until.Sub(start)))
}

// coolDown sets the end of the cool-down.
func (h *keyHandle) coolDown(end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextForced = end
}

// mark sets a flag of h and returns what clears it.
func (h *keyHandle) mark(flag *bool) (clear func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*flag = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		*flag = false
	}
}

// mayForce decides about a forced refresh: there is a newer set already, the cool-down forbids it, or (done is false) it
// may begin or be joined.
func (h *keyHandle) mayForce(now time.Time, seen *keySet) (set *keySet, err error, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if set = h.set.Load(); set != seen {
		return set, nil, true
	}
	pause := max(h.nextForced.Sub(now), h.silence.Sub(now))
	if h.forcing || pause <= 0 {
		return nil, nil, false
	}
	// Whether the key exists is known only if the last fetch told.
	if h.lastError != nil {
		return nil, keysUnavailable(h.lastError, pause), true
	}
	return nil, newError(ErrKeyNotFound, errCooldown), true
}

var errCooldown = errors.New("the key set has no such kid, and was refreshed less than a cool-down ago")
