package identity

import (
	"context"
	"errors"
	"time"
)

// findLegacy finds the key of a v1.0 token that the v2.0 key set does not list. Only the v2.0 set says whom a key may sign
// for: a key from the v1.0 one is good only if the v2.0 set was fetched after it appeared and lacks it still. Else a key of
// personal accounts that is published in both could sign for organisations until the v2.0 set is refreshed.
func (r *keyResolver) findLegacy(ctx context.Context, v2 *keyHandle, seen *keySet, request, legacy keyRequest, kid string, signer signer) (*verificationKey, *keyHandle, error) {
	v1, held := r.held(legacy)
	if held.has(kid) {
		// A set that serves is refreshed when that is due, or a withdrawn key would go on for as long as MaxStale.
		var err error
		if held, err = r.current(ctx, r.now(), v1, legacy); err != nil {
			return nil, nil, err
		}
	}
	if held.has(kid) {
		if key, err := held.key(kid, signer); err != nil || r.lacks(seen, key) {
			return key, v1, err
		}
	}
	newest, err := r.force(ctx, v2, request, seen)
	// Any stranger can keep this cool-down running. The v1.0 set has its own, so that a new key of it is found all the same; it
	// is good at once if the v2.0 set is that new too, else when the next forced refresh has shown that it lacks the key.
	cooling := errors.Is(err, ErrKeyNotFound)
	switch {
	case cooling:
		newest = seen
	case err != nil:
		return nil, nil, err
	case newest.has(kid):
		key, err := newest.key(kid, signer)
		return key, v2, err
	}
	key, err := r.newest(ctx, v1, legacy, kid, signer)
	if err == nil && cooling && !r.lacks(newest, key) {
		return nil, nil, newError(ErrKeyNotFound, errCooldown)
	}
	return key, v1, err
}

// newest finds a key in a key set, which is refreshed if it lacks the kid.
func (r *keyResolver) newest(ctx context.Context, h *keyHandle, request keyRequest, kid string, signer signer) (*verificationKey, error) {
	set, err := r.current(ctx, r.now(), h, request)
	if err == nil && !set.has(kid) {
		set, err = r.force(ctx, h, request, set)
	}
	if err != nil {
		return nil, err
	}
	return set.lookUp(kid, signer)
}

// held returns the handle of a key set and what it holds, without asking for it.
func (r *keyResolver) held(request keyRequest) (*keyHandle, *keySet) {
	h := r.handle(request.metadata)
	if set := h.set.Load(); set != nil && r.now().Sub(set.fetched) <= r.options.MaxStale {
		return h, set
	}
	return h, new(keySet)
}

// searchTime is what lies between the two fetches of findLegacy at most, the end of the one and the begin of the other.
const searchTime = time.Second

// lacks reports whether set lacks a key that was there to be seen when it was fetched.
func (r *keyResolver) lacks(set *keySet, key *verificationKey) bool {
	return !set.has(key.id) && key.since.Sub(set.landed) <= searchTime
}
