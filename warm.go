package identity

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const warmAtOnce = 8

// Warm fetches the key sets of all tenants that the source lists, as a [Registry] does: eight at a time, each once. A service
// may call it before it reports ready, so that no first request waits. It returns what failed, and nil for a source that
// lists no tenants.
func (v *Verifier) Warm(ctx context.Context) error {
	source, ok := v.tenants.(lister)
	if !ok {
		return nil
	}
	var (
		group  errgroup.Group
		mu     sync.Mutex
		faults []error
		seen   = make(map[string]bool)
	)
	group.SetLimit(warmAtOnce)
	fault := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		faults = append(faults, err)
	}
	for tenant := range source.All() {
		t, err := tenant.sealed()
		if err != nil {
			fault(err)
			continue
		}
		for _, request := range v.keyRequests(t) {
			if seen[request.name] {
				continue
			}
			seen[request.name] = true
			group.Go(func() error {
				if _, err := v.keys.current(ctx, v.keys.now(), v.keys.handle(request.name), request); err != nil {
					fault(fmt.Errorf("%s: %w", request.metadata, err))
				}
				return nil
			})
		}
	}
	group.Wait()
	return errors.Join(faults...)
}

// KeySet names a key set.
type KeySet struct {
	// Metadata is the address of its discovery document.
	Metadata string
	// TenantID is the tenant's whose own set it is: of B2C and External ID, and with AppKeys. Empty means that all other workforce
	// tenants of a cloud share it.
	TenantID string
}

// KeySets yields the tenants that the source lists, each with the key sets that its tokens can need: those that Warm fetches. It
// asks nobody.
func (v *Verifier) KeySets() iter.Seq2[Tenant, []KeySet] {
	return func(yield func(Tenant, []KeySet) bool) {
		source, ok := v.tenants.(lister)
		if !ok {
			return
		}
		for tenant := range source.All() {
			t, err := tenant.sealed()
			if err != nil {
				continue // none of its tokens is ever accepted
			}
			var sets []KeySet
			for _, request := range v.keyRequests(t) {
				sets = append(sets, request.keySet())
			}
			if !yield(tenant, sets) {
				return
			}
		}
	}
}

// keyRequests are the key sets that tokens of a tenant can need.
func (v *Verifier) keyRequests(t *Tenant) (requests []keyRequest) {
	switch t.kind() {
	case b2c:
		for _, origin := range t.B2C.origins {
			for _, policy := range t.B2C.Policies {
				requests = append(requests, keyRequestOf(t, Issuer{origin: origin}, policy, v.clientID))
			}
		}
	case external:
		for _, origin := range t.External.origins {
			requests = append(requests, keyRequestOf(t, Issuer{origin: origin}, "", v.clientID))
		}
	default:
		requests = append(requests, keyRequestOf(t, Issuer{}, "", v.clientID))
	}
	return requests
}

// Stats are counters since the verifier was made, and what it holds now.
type Stats struct {
	// KeySets and Keys count what is held.
	KeySets, Keys int
	// SkippedKeys counts the entries of the held key sets that cannot verify tokens.
	SkippedKeys int
	// Fetches counts fetches of key sets, ForcedFetches those that an unknown kid asked for, FailedFetches those that failed.
	Fetches, ForcedFetches, FailedFetches uint64
	// KeyAge is how old the oldest key set was when it last verified a token, of those that did so within the last [KeyOptions.TTL]:
	// below the TTL as long as refreshes succeed. A key set that no token needs is not refreshed, and does not count.
	KeyAge time.Duration
	// CachedTokens counts the verified tokens that are remembered, CachedBytes the memory that they retain.
	CachedTokens int
	CachedBytes  uint64
}

// Stats returns the counters. It walks over the key sets: call it for a metric, not for each request.
func (v *Verifier) Stats() Stats {
	r := v.keys
	s := Stats{Fetches: r.fetches.Load(), ForcedFetches: r.forced.Load(), FailedFetches: r.failed.Load()}
	s.CachedTokens, s.CachedBytes = v.cache.size()
	now := r.now()
	for _, item := range r.sets.Items() {
		h := item.Object.(*keyHandle)
		set := h.set.Load()
		if set == nil {
			continue
		}
		if used := r.start.Add(time.Duration(h.used.Load()) * time.Second); h.proven() && now.Sub(used) < r.options.TTL {
			s.KeyAge = max(s.KeyAge, used.Sub(set.fetched))
		}
		s.KeySets++
		s.SkippedKeys += set.skipped
		for _, keys := range set.keys {
			s.Keys += len(keys)
		}
	}
	return s
}
