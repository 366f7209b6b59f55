package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"
)

// KeyOptions says how signing keys are fetched and how long they are used. The zero value is for production.
type KeyOptions struct {
	// HTTPClient fetches discovery documents and key sets. It is copied, and its redirect rule and cookies replaced: a
	// redirect stays on its host. Nil means a client that honours the proxy environment and refuses to connect to private
	// addresses; with a client of your own that last check is yours.
	HTTPClient *http.Client
	// TTL is how long a key set is fresh; from 80 % of it on it is refreshed in the background. Zero means 1 hour, spread
	// by ±10 % so that replicas do not ask at once. At least 1 minute.
	TTL time.Duration
	// MaxStale is how long a key set is used while it cannot be refreshed. Zero means 24 hours. At least TTL.
	MaxStale time.Duration
	// Cooldown is the least time between two refreshes of a key set that an unknown kid forces. Zero means 30 seconds. At
	// least 1 second.
	Cooldown time.Duration
	// Timeout bounds one fetch, of both documents. Zero means 5 seconds. At most 1 minute.
	Timeout time.Duration
	// MaxSets bounds the key sets that are held; the least recently used goes. Zero means 1,024.
	MaxSets int
}

// withDefaults fills in zeros and finds faults.
func (o KeyOptions) withDefaults() (KeyOptions, []error) {
	var faults []error
	duration := func(field string, value *time.Duration, standard, least, most time.Duration) {
		if *value == 0 {
			*value = max(standard, least)
		}
		if *value < least || *value > most {
			faults = append(faults, fmt.Errorf("identity: Config.Keys.%s: %v is not between %v and %v", field, *value, least, most))
		}
	}
	const year = 365 * 24 * time.Hour
	duration("TTL", &o.TTL, time.Hour, time.Minute, year)
	duration("MaxStale", &o.MaxStale, 24*time.Hour, max(o.TTL, 0), year)
	duration("Cooldown", &o.Cooldown, 30*time.Second, time.Second, time.Hour)
	duration("Timeout", &o.Timeout, 5*time.Second, time.Millisecond, time.Minute)
	if o.MaxSets == 0 {
		o.MaxSets = 1024
	}
	if o.MaxSets < 0 {
		faults = append(faults, fmt.Errorf("identity: Config.Keys.MaxSets: %d is negative", o.MaxSets))
	}
	return o, faults
}

const (
	refreshRetry   = 30 * time.Second // between refreshes that fail while old keys serve
	firstColdRetry = time.Second      // how long a failure stands when there are no keys; it doubles
	maxColdRetry   = 30 * time.Second
)

// keyResolver finds the key that may verify a token: in the key set that the trusted tenant publishes, by kid.
//
// Key sets are fetched when a token needs one and refreshed when a token finds them due, so that there is no goroutine
// but a fetch, and nothing to close.
type keyResolver struct {
	options KeyOptions
	fetcher *keyFetcher
	log     *slog.Logger
	trace   func(context.Context, FetchInfo)
	now     func() time.Time
	start   time.Time
	jitter  func() float64 // what the TTL is multiplied with

	// sets holds a *keyHandle by the address of the discovery document. It has no expiration: all times live in the
	// handles, on the monotonic clock.
	sets   *gocache.Cache
	adding sync.Mutex // held to add a handle, so that the bound holds

	fetches, forced, failed atomic.Uint64
}

// keyHandle is a key set and what is known of fetching it.
type keyHandle struct {
	set  atomic.Pointer[keySet] // nil until the first success
	due  atomic.Int64           // nanoseconds since the resolver's start until which no refresh is due
	used atomic.Int64           // likewise, seconds: when it was last asked for
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

func newKeyResolver(options KeyOptions, log *slog.Logger, trace func(context.Context, FetchInfo)) *keyResolver {
	return &keyResolver{
		options: options,
		fetcher: newKeyFetcher(options.HTTPClient, options.Timeout),
		log:     log,
		trace:   trace,
		now:     time.Now,
		start:   time.Now(),
		jitter:  func() float64 { return 0.9 + rand.Float64()/5 },
		// A cleanup interval of 0: go-cache's janitor is a goroutine that only a finalizer stops.
		sets: gocache.New(gocache.NoExpiration, 0),
	}
}

// find returns the key that a token of this kid and signer must be verified with, and the handle of the set that it is from:
// nil if that is the v1.0 set, whose keys count under conditions.
func (r *keyResolver) find(ctx context.Context, request keyRequest, kid string, signer signer) (*verificationKey, *keyHandle, error) {
	h := r.handle(request.metadata)
	set, err := r.current(ctx, h, request)
	if err != nil {
		return nil, nil, err
	}
	if !set.has(kid) {
		if legacy, ok := request.legacy(signer.issuer); ok {
			key, err := r.findLegacy(ctx, h, set, request, legacy, kid, signer)
			return key, nil, err
		}
		if set, err = r.force(ctx, h, request, set); err != nil {
			return nil, nil, err
		}
	}
	key, err := set.lookUp(kid, signer)
	return key, h, err
}

// holds reports whether the key that a token was verified with before is still the one to verify it with. It refreshes the key
// set as find does.
func (r *keyResolver) holds(ctx context.Context, e *cachedToken) bool {
	set, err := r.current(ctx, e.handle, e.request)
	switch {
	case err != nil || e.handle.evicted.Load():
		return false
	case set == e.seen.Load():
		return true
	}
	key, err := set.lookUp(e.token.kid, signer{e.issuer, e.tenant})
	if err != nil || key != e.key {
		return false
	}
	e.seen.Store(set)
	return true
}

// findLegacy finds the key of a v1.0 token that the v2.0 key set does not list. Only the v2.0 set says whom a key may sign
// for: a key from the v1.0 one is good only if the v2.0 set was fetched after it appeared and lacks it still. Else a key of
// personal accounts that is published in both could sign for organisations until the v2.0 set is refreshed.
func (r *keyResolver) findLegacy(ctx context.Context, v2 *keyHandle, seen *keySet, request, legacy keyRequest, kid string, signer signer) (*verificationKey, error) {
	v1, held := r.held(legacy)
	if held.has(kid) {
		// A set that serves is refreshed when that is due, or a withdrawn key would go on for as long as MaxStale.
		var err error
		if held, err = r.current(ctx, v1, legacy); err != nil {
			return nil, err
		}
	}
	if held.has(kid) {
		if key, err := held.key(kid, signer); err != nil || r.lacks(seen, key) {
			return key, err
		}
	}
	newest, err := r.force(ctx, v2, request, seen)
	if err != nil {
		if cause := v1.failed(); cause != nil && errors.Is(err, ErrKeyNotFound) {
			return nil, keysUnavailable(cause, r.options.Cooldown) // the v1.0 set might have the key, if only it could be asked
		}
		return nil, err
	}
	if newest.has(kid) {
		return newest.key(kid, signer)
	}
	if held, err = r.current(ctx, v1, legacy); err != nil {
		return nil, err
	}
	if !held.has(kid) {
		if held, err = r.force(ctx, v1, legacy, held); err != nil {
			return nil, err
		}
	}
	return held.lookUp(kid, signer)
}

// held returns the handle of a key set and what it holds, without asking for it.
func (r *keyResolver) held(request keyRequest) (*keyHandle, *keySet) {
	h := r.handle(request.metadata)
	if set := h.set.Load(); set != nil && r.now().Sub(set.fetched) <= r.options.MaxStale {
		return h, set
	}
	return h, new(keySet)
}

// lacks reports whether set lacks a key that was there to be seen when it was fetched. The two fetches of findLegacy, this one
// first, may lie two time-outs apart.
func (r *keyResolver) lacks(set *keySet, key *verificationKey) bool {
	return !set.has(key.id) && key.since.Sub(set.fetched) <= 2*r.options.Timeout
}

// failed is why the last fetch failed, nil if it did not.
func (h *keyHandle) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lastError
}

var errNoSuchKey = errors.New("the key set has no such kid")

func (s *keySet) lookUp(kid string, signer signer) (*verificationKey, error) {
	if !s.has(kid) {
		return nil, newError(ErrKeyNotFound, errNoSuchKey)
	}
	return s.key(kid, signer)
}

// handle returns the handle of a key set, making room for a new one.
func (r *keyResolver) handle(metadata string) *keyHandle {
	if value, ok := r.sets.Get(metadata); ok {
		return value.(*keyHandle)
	}
	r.adding.Lock()
	defer r.adding.Unlock()
	if value, ok := r.sets.Get(metadata); ok {
		return value.(*keyHandle)
	}
	if r.sets.ItemCount() >= r.options.MaxSets {
		r.evict()
	}
	h := new(keyHandle)
	h.touch(r.now().Sub(r.start))
	r.sets.SetDefault(strings.Clone(metadata), h)
	return h
}

// touch notes the use of a handle, to the second: that spares other cores the write.
func (h *keyHandle) touch(since time.Duration) {
	if now := int64(since / time.Second); h.used.Load() != now {
		h.used.Store(now)
	}
}

// evict drops the least recently used key set.
func (r *keyResolver) evict() {
	var oldest string
	var used int64
	for metadata, item := range r.sets.Items() {
		if at := item.Object.(*keyHandle).used.Load(); oldest == "" || at < used {
			oldest, used = metadata, at
		}
	}
	if value, ok := r.sets.Get(oldest); ok {
		value.(*keyHandle).evicted.Store(true)
	}
	r.sets.Delete(oldest)
}

// current returns the key set to use now: the held one, refreshed where that is due, or a first one.
func (r *keyResolver) current(ctx context.Context, h *keyHandle, request keyRequest) (*keySet, error) {
	set, now := h.set.Load(), r.now()
	since := now.Sub(r.start)
	h.touch(since)
	if set == nil || now.Sub(set.fetched) > r.options.MaxStale {
		return r.first(ctx, h, request, set)
	}
	if since < time.Duration(h.due.Load()) { // the usual case: no lock is taken
		return set, nil
	}
	h.mu.Lock()
	due := h.pause(now) <= 0
	idle := now.After(set.expires) && !h.tried // nobody has come to refresh it in time
	refreshing := h.refreshing
	if due && !idle {
		h.tried = true // nobody waits at the end of the TTL for a refresh that began before it
	}
	h.mu.Unlock()
	if due && (idle || !refreshing) {
		flight := r.refresh(ctx, h, request, set)
		if idle {
			if _, err := wait(ctx, flight); err != nil && ctx.Err() != nil {
				return nil, err
			}
			set = h.set.Load()
		}
	}
	return set, nil
}

// first waits for a key set where there is none to use. A failure stands for a while, in which requests fail at once.
func (r *keyResolver) first(ctx context.Context, h *keyHandle, request keyRequest, seen *keySet) (*keySet, error) {
	h.mu.Lock()
	pause := h.pause(r.now())
	err := h.lastError
	h.mu.Unlock()
	if pause > 0 && err != nil {
		return nil, keysUnavailable(err, pause)
	}
	return wait(ctx, r.refresh(ctx, h, request, seen))
}

// pause is how long no refresh may be tried. The caller holds mu.
func (h *keyHandle) pause(now time.Time) time.Duration {
	return max(h.notBefore.Sub(now), h.silence.Sub(now))
}

func keysUnavailable(cause error, retry time.Duration) error {
	e := newError(ErrKeysUnavailable, cause)
	e.RetryAfter = max(retry, time.Second)
	return e
}

// wait waits for a flight, or for the end of the request.
func wait(ctx context.Context, flight <-chan singleflight.Result) (*keySet, error) {
	select {
	case result := <-flight:
		if result.Err != nil {
			return nil, ownError(result.Err)
		}
		return result.Val.(*keySet), nil
	case <-ctx.Done():
		return nil, keysUnavailable(ctx.Err(), time.Second)
	}
}

// refresh fetches a key set to replace seen, once for all who ask at the same time. It does not end with the request that
// began it.
func (r *keyResolver) refresh(ctx context.Context, h *keyHandle, request keyRequest, seen *keySet) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return h.flights.DoChan("refresh", func() (any, error) {
		h.mu.Lock()
		set, err, pause := h.set.Load(), h.lastError, h.pause(r.now())
		h.mu.Unlock()
		if set != seen {
			return set, nil // the flight before this one has landed meanwhile
		}
		if err != nil && pause > 0 {
			return nil, keysUnavailable(err, pause)
		}
		defer h.mark(&h.refreshing)()
		return r.fetch(ctx, h, request, false)
	})
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

// force refreshes a key set that lacks a kid: at most once per cool-down, failing at once in between. It returns a set that
// is newer than seen.
func (r *keyResolver) force(ctx context.Context, h *keyHandle, request keyRequest, seen *keySet) (*keySet, error) {
	if set, err, done := h.mayForce(r.now(), seen); done {
		return set, err
	}
	background := context.WithoutCancel(ctx)
	return wait(ctx, h.flights.DoChan("forced", func() (any, error) {
		if set, err, done := h.mayForce(r.now(), seen); done {
			return set, err // the flight before this one has landed meanwhile
		}
		defer h.mark(&h.forcing)()
		return r.fetch(background, h, request, true)
	}))
}

// mayForce decides about a forced refresh: there is a newer set already, the cool-down forbids it, or (done is false) it
// may begin or be joined.
func (h *keyHandle) mayForce(now time.Time, seen *keySet) (set *keySet, err error, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if set := h.set.Load(); set != seen {
		return set, nil, true
	}
	wait := max(h.nextForced.Sub(now), h.silence.Sub(now))
	if h.forcing || wait <= 0 {
		return nil, nil, false
	}
	// Whether the key exists is known only if the last fetch told.
	if h.lastError != nil {
		return nil, keysUnavailable(h.lastError, wait), true
	}
	return nil, newError(ErrKeyNotFound, errCooldown), true
}

var errCooldown = errors.New("the key set has no such kid, and was refreshed less than a cool-down ago")

// fetch fetches, and writes down what came of it.
func (r *keyResolver) fetch(ctx context.Context, h *keyHandle, request keyRequest, forced bool) (set *keySet, err error) {
	defer recovered(&err) // the log handler may be the caller's
	began := r.now()
	r.fetches.Add(1)
	if forced {
		r.forced.Add(1)
		h.mu.Lock()
		h.nextForced = began.Add(r.options.Cooldown)
		h.mu.Unlock()
	}
	set, err = r.fetcher.fetch(ctx, request, began, h.set.Load())
	if err != nil {
		r.failed.Add(1)
		err = r.failure(h, err)
	} else {
		set = r.success(h, set)
	}
	r.report(ctx, request, set, err, forced, r.now().Sub(began))
	return set, err
}

// success puts a new set into use and returns the newest one.
func (r *keyResolver) success(h *keyHandle, set *keySet) *keySet {
	ttl := time.Duration(float64(r.options.TTL) * r.jitter())
	set.expires = set.fetched.Add(ttl)
	h.mu.Lock()
	defer h.mu.Unlock()
	if held := h.set.Load(); held != nil && held.fetched.After(set.fetched) {
		return held // a fetch that began later was faster
	}
	h.set.Store(set)
	h.notBefore, h.silence, h.tried, h.failures, h.lastError = set.fetched.Add(ttl*8/10), time.Time{}, false, 0, nil
	h.due.Store(int64(h.notBefore.Sub(r.start)))
	return set
}

// failure decides when to try again, and what requests without a key set are told meanwhile.
func (r *keyResolver) failure(h *keyHandle, err error) error {
	now := r.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := errors.AsType[*Error](err); ok { // a panic in the caller's transport: whoever needs the fetch tries it again
		h.nextForced = time.Time{}
		if h.set.Load() != nil {
			h.tried, h.notBefore = true, now.Add(refreshRetry)
			h.due.Store(int64(h.notBefore.Sub(r.start)))
		}
		return e
	}
	retry := refreshRetry
	if set := h.set.Load(); set == nil || now.Sub(set.fetched) > r.options.MaxStale {
		retry = min(firstColdRetry<<min(h.failures, 10), maxColdRetry)
	}
	h.failures++
	h.tried, h.lastError, h.notBefore = true, err, now.Add(retry)
	if asked, ok := errors.AsType[*retryError](err); ok && asked.after > 0 {
		h.silence = now.Add(asked.after)
	}
	h.due.Store(int64(now.Add(h.pause(now)).Sub(r.start)))
	return keysUnavailable(err, h.pause(now))
}

// report logs and traces a fetch.
func (r *keyResolver) report(ctx context.Context, request keyRequest, set *keySet, err error, forced bool, took time.Duration) {
	info := FetchInfo{Metadata: request.metadata, Forced: forced, Duration: took, Err: err}
	if set != nil {
		info.Keys, info.Skipped = len(set.keys), set.skipped
	}
	level, message := slog.LevelDebug, "identity: keys fetched"
	switch {
	case err != nil:
		level, message = slog.LevelWarn, "identity: keys could not be fetched"
	case info.Skipped > 0:
		level, message = slog.LevelInfo, "identity: keys fetched, some skipped"
	}
	r.log.LogAttrs(ctx, level, message, append(info.attrs(), stackOf(err)...)...)
	if r.trace != nil {
		var hookErr error
		func() {
			defer recovered(&hookErr)
			r.trace(ctx, info)
		}()
		if hookErr != nil {
			r.log.LogAttrs(ctx, slog.LevelError, "identity: Trace.KeysFetched", append(stackOf(hookErr), slog.Any("error", hookErr))...)
		}
	}
}
