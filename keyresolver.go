package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	// addresses; with a client of your own that last check is yours, unless it comes from [NewKeyClient]. One that skips the check of
	// certificates is logged by [New].
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

	trials chan struct{} // holds one for each fetch that needed a slot

	fetches, forced, failed atomic.Uint64
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
		sets:   gocache.New(gocache.NoExpiration, 0),
		trials: make(chan struct{}, maxTrials),
	}
}

// find returns the key that a token of this kid and signer must be verified with, and the handle of the set that it is from. The
// request has just looked at the clock.
func (r *keyResolver) find(ctx context.Context, now time.Time, request keyRequest, kid string, signer signer) (key *verificationKey, h *keyHandle, err error) {
	h = r.handle(request.name)
	set, err := r.current(ctx, now, h, request)
	if err != nil {
		return nil, nil, err
	}
	if !set.has(kid) {
		if legacy, ok := request.legacy(signer.issuer); ok {
			return r.findLegacy(ctx, h, set, request, legacy, kid, signer)
		}
		if set, err = r.force(ctx, h, request, set); err != nil {
			return nil, nil, err
		}
	}
	key, err = set.lookUp(kid, signer)
	return key, h, err
}

// holds reports whether the key that a token was verified with before is still the one to verify it with. It refreshes the key
// set as find does, and notes its use.
func (r *keyResolver) holds(ctx context.Context, now time.Time, e *cachedToken) bool {
	set, err := r.current(ctx, now, e.handle, e.request)
	if err != nil || e.handle.evicted.Load() {
		return false
	}
	if set != e.seen.Load() {
		key, err := set.lookUp(e.token.kid, signer{e.issuer, e.tenant})
		if err != nil || key != e.key {
			return false
		}
		e.seen.Store(set)
	}
	e.handle.touch(now.Sub(r.start))
	return true
}

// handle returns the handle of a key set, making room for a new one.
func (r *keyResolver) handle(name string) *keyHandle {
	if value, ok := r.sets.Get(name); ok {
		return value.(*keyHandle)
	}
	return r.admit(newKeyHandle(strings.Clone(name), r.now().Sub(r.start)))
}

// admit holds h from now on, unless there is a handle of that name already. It returns the one that is held.
func (r *keyResolver) admit(h *keyHandle) *keyHandle {
	r.adding.Lock()
	defer r.adding.Unlock()
	if value, ok := r.sets.Get(h.name); ok {
		return value.(*keyHandle)
	}
	if r.sets.ItemCount() >= r.options.MaxSets {
		r.evict()
	}
	h.evicted.Store(false)
	r.sets.SetDefault(h.name, h)
	return h
}

// evict drops the least recently used key set: one that no token was ever verified with, if there is such a one. Thus unsigned
// tokens, of however many tenants, push out at most one set that is in use.
func (r *keyResolver) evict() {
	var oldest *keyHandle
	for _, item := range r.sets.Items() {
		if h := item.Object.(*keyHandle); oldest == nil || h.used.Load() < oldest.used.Load() {
			oldest = h
		}
	}
	oldest.evicted.Store(true)
	r.sets.Delete(oldest.name)
}

// use notes that a token which needed request was verified with a key from a handle.
func (r *keyResolver) use(now time.Time, request keyRequest, h *keyHandle) {
	h.touch(now.Sub(r.start))
	if h.evicted.Load() { // by others that are not proven, while the token waited for the keys
		r.admit(h)
	}
	if h.name != request.name { // a key from the v1.0 set, which is asked after the v2.0 one
		r.use(now, request, r.handle(request.name))
	}
}

// current returns the key set to use now: the held one, refreshed where that is due, or a first one.
func (r *keyResolver) current(ctx context.Context, now time.Time, h *keyHandle, request keyRequest) (*keySet, error) {
	set := h.set.Load()
	if set == nil || now.Sub(set.fetched) > r.options.MaxStale {
		return r.first(ctx, h, request, set)
	}
	if now.Sub(r.start) < time.Duration(h.due.Load()) { // the usual case: no lock is taken
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

// wait waits for a flight, or for the end of the request. A flight ends in time: see [keyFetcher.fetch].
func wait(ctx context.Context, flight <-chan singleflight.Result) (*keySet, error) {
	select {
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*keySet), nil
	case <-ctx.Done():
		return nil, keysUnavailable(ctx.Err(), time.Second)
	}
}

func keysUnavailable(cause error, retry time.Duration) error {
	e := newError(ErrKeysUnavailable, cause)
	e.RetryAfter = max(retry, time.Second)
	return e
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

// maxTrials bounds the fetches at one time for key sets that no token was ever verified with. Whoever knows the tenants' IDs
// can ask for those without a signed token.
const maxTrials = 32

var errBusy = errors.New("too many key sets are being fetched for the first time")

// begin takes a slot for a fetch, if it needs one, and returns what gives it back. Sets in use and those that all tenants of a
// cloud share need none: they are few, and must not wait for a stranger's.
func (r *keyResolver) begin(h *keyHandle, request keyRequest) (end func(), ok bool) {
	if h.proven() || request.shared() {
		return func() {}, true
	}
	select {
	case r.trials <- struct{}{}:
		return func() { <-r.trials }, true
	default:
		return nil, false
	}
}

// fetch fetches, and writes down what came of it.
func (r *keyResolver) fetch(ctx context.Context, h *keyHandle, request keyRequest, forced bool) (set *keySet, err error) {
	defer recovered(&err) // the log handler may be the caller's
	end, ok := r.begin(h, request)
	if !ok {
		h.postpone(r.now().Add(time.Second), r.start)
		return nil, keysUnavailable(errBusy, time.Second)
	}
	defer end()
	began := r.now()
	r.fetches.Add(1)
	if forced {
		r.forced.Add(1)
		h.coolDown(began.Add(r.options.Cooldown))
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
	set.landed = r.now()
	ttl := time.Duration(float64(r.options.TTL) * r.jitter())
	set.expires = set.fetched.Add(ttl)
	return h.success(set, set.fetched.Add(ttl*8/10), r.start)
}

// failure decides when to try again, and what requests without a key set are told meanwhile.
func (r *keyResolver) failure(h *keyHandle, err error) error {
	now := r.now()
	if e, ok := errors.AsType[*Error](err); ok { // a panic in the caller's transport: whoever needs the fetch tries it again
		h.coolDown(time.Time{})
		h.postpone(now.Add(refreshRetry), r.start)
		return e
	}
	return keysUnavailable(err, h.failure(err, now, r.options.MaxStale, r.start))
}

// report logs and traces a fetch.
func (r *keyResolver) report(ctx context.Context, request keyRequest, set *keySet, err error, forced bool, took time.Duration) {
	info := FetchInfo{Metadata: request.metadata, TenantID: request.keySet().TenantID, Forced: forced, Duration: took, Err: err}
	if set != nil {
		info.Keys, info.Skipped, info.Unusable = len(set.keys), set.skipped, maps.Clone(set.listed)
	} else if e, ok := errors.AsType[*noKeyError](err); ok {
		info.Skipped, info.Unusable = e.set.skipped, maps.Clone(e.set.listed)
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
		info.Kind = request.tenant.kind().String()
		if answer, ok := errors.AsType[*statusError](err); ok {
			info.Status = answer.status
		}
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
