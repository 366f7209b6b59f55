package identity_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// slowSource is a tenant source that counts, waits where it is told to, and can change its mind.
type slowSource struct {
	took time.Duration // how long a look-up takes on the fake clock

	mu      sync.Mutex
	gate    chan struct{} // each look-up waits for it, unless nil
	known   map[string]identity.Tenant
	failure error
	asked   map[string]int // issuers
	total   int
}

func newSlowSource(tenants ...string) *slowSource {
	s := &slowSource{known: make(map[string]identity.Tenant), asked: make(map[string]int)}
	for _, id := range tenants {
		s.known[id] = identity.Tenant{ID: id}
	}
	return s
}

func (s *slowSource) Tenant(ctx context.Context, iss identity.Issuer) (*identity.Tenant, error) {
	// What the source knows is what it knew when it was asked.
	s.mu.Lock()
	t, known := s.known[iss.TenantID]
	failure, gate := s.failure, s.gate
	s.asked[iss.Raw]++
	s.total++
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if s.took > 0 {
		select {
		case <-time.After(s.took):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch {
	case failure != nil:
		return nil, failure
	case !known:
		return nil, identity.ErrUnknownTenant
	}
	return &t, nil
}

// change replaces what is known.
func (s *slowSource) change(failure error, tenants ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = failure
	clear(s.known)
	for _, id := range tenants {
		s.known[id] = identity.Tenant{ID: id}
	}
}

// setGate lets later look-ups wait for another gate, and returns the one before.
func (s *slowSource) setGate(gate chan struct{}) (before chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.gate = s.gate, gate
	return before
}

func (s *slowSource) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *slowSource) wantCount(t testing.TB, want int) {
	t.Helper()
	if got := s.count(); got != want {
		t.Fatalf("look-ups: got=%d, want=%d", got, want)
	}
}

// cachedAPI is an API whose tenants come from a cached source.
func cachedAPI(t testing.TB, source identity.TenantSource, ttl time.Duration) (*api, *identity.TenantCache) {
	t.Helper()
	cache := identity.CachedTenants(source, ttl)
	return newAPI(t, func(cfg *identity.Config) { cfg.Tenants = cache }), cache
}

// Both kinds of answers are remembered for the ttl, and no longer.
func TestCachedTenantsTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		a, _ := cachedAPI(t, source, time.Minute)
		known, unknown := a.token(), a.idp.Tenant(tenantB).Token()
		for range 10 {
			a.get(known).accepted(t)
			a.get(unknown).refused(t, identity.ErrUnknownTenant)
		}
		source.wantCount(t, 2)
		source.change(nil, tenantB)
		time.Sleep(time.Minute - time.Second)
		a.get(known).accepted(t)
		a.get(unknown).refused(t, identity.ErrUnknownTenant)
		source.wantCount(t, 2)
		time.Sleep(time.Second)
		a.get(known).refused(t, identity.ErrUnknownTenant)
		a.get(unknown).accepted(t)
		source.wantCount(t, 4)
		// The newer answers hold, though older ones of the other kind are still held.
		a.get(known).refused(t, identity.ErrUnknownTenant)
		a.get(unknown).accepted(t)
		source.wantCount(t, 4)
	})
}

// The ttl counts from the answer of the source; reading does not prolong it.
func TestCachedTenantsNotSliding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		a, _ := cachedAPI(t, source, time.Minute)
		for range 12 { // every 10 seconds for two minutes
			a.get(a.token()).accepted(t)
			time.Sleep(10 * time.Second)
		}
		source.wantCount(t, 2)
	})
}

// An error is answered with 503 and not remembered, neither instead of an answer nor as one.
func TestCachedTenantsErrors(t *testing.T) {
	t.Parallel()
	source := newSlowSource(tenantA)
	a, _ := cachedAPI(t, source, time.Hour)
	source.change(errors.New("database on fire"), tenantA)
	for n := range 3 {
		a.get(a.token()).refused(t, identity.ErrTenantsUnavailable)
		source.wantCount(t, n+1)
	}
	source.change(nil, tenantA)
	a.get(a.token()).accepted(t)
	source.wantCount(t, 4)
	source.change(errors.New("database on fire"), tenantA)
	a.get(a.token()).accepted(t)
	source.wantCount(t, 4)
}

// A tenant that cannot be used is not remembered either.
func TestCachedTenantsInvalid(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	a, _ := cachedAPI(t, identity.TenantFunc(func(_ context.Context, iss identity.Issuer) (*identity.Tenant, error) {
		if calls.Add(1) == 1 {
			return &identity.Tenant{ID: iss.TenantID, Version: 7}, nil
		}
		return &identity.Tenant{ID: iss.TenantID}, nil
	}), time.Hour)
	a.get(a.token()).refused(t, identity.ErrTenantInvalid)
	a.get(a.token()).accepted(t)
	a.get(a.token()).accepted(t)
	if n := calls.Load(); n != 2 {
		t.Fatalf("look-ups: got=%d, want=2", n)
	}
}

// Forget makes a change count at once, for tenants and strangers, and for that tenant alone.
func TestForget(t *testing.T) {
	t.Parallel()
	source := newSlowSource(tenantA, tenantB)
	a, cache := cachedAPI(t, source, time.Hour)
	tokenA, tokenV1, tokenB := a.token(), a.token(mockidp.V1()), a.idp.Tenant(tenantB).Token()
	for _, token := range []string{tokenA, tokenV1, tokenB} {
		a.get(token).accepted(t)
	}
	source.wantCount(t, 3)
	source.change(nil)
	cache.Forget("AAAAAAAA" + tenantA[8:]) // in any case
	a.get(tokenA).refused(t, identity.ErrUnknownTenant)
	a.get(tokenV1).refused(t, identity.ErrUnknownTenant)
	source.wantCount(t, 5)
	a.get(tokenB).accepted(t) // still remembered
	source.wantCount(t, 5)
	source.change(nil, tenantA)
	a.get(tokenA).refused(t, identity.ErrUnknownTenant) // remembered as well
	cache.Forget(tenantA)
	a.get(tokenA).accepted(t)
	source.wantCount(t, 6)
	cache.Forget(tenantX)
	a.get(tokenA).accepted(t)
	source.wantCount(t, 6)
}

// A look-up that began before Forget does not answer a request that began after it, nor is it remembered.
func TestForgetDuringLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		gate := make(chan struct{})
		source.setGate(gate)
		a, cache := cachedAPI(t, source, time.Hour)
		token := a.token()
		var before, after *answer
		var requests sync.WaitGroup
		requests.Go(func() { before = a.get(token) })
		synctest.Wait()
		source.wantCount(t, 1)
		source.change(nil)
		cache.Forget(tenantA)
		requests.Go(func() { after = a.get(token) })
		synctest.Wait()
		source.wantCount(t, 2) // not joined
		close(gate)
		requests.Wait()
		before.accepted(t)
		after.refused(t, identity.ErrUnknownTenant)
		a.get(token).refused(t, identity.ErrUnknownTenant)
		source.wantCount(t, 2)
	})
}

// The same, when the older look-up is the later one to end.
func TestForgetLateAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		source.setGate(make(chan struct{}))
		a, cache := cachedAPI(t, source, time.Hour)
		token := a.token()
		var old sync.WaitGroup
		old.Go(func() { a.get(token).accepted(t) })
		synctest.Wait()
		source.change(nil)
		cache.Forget(tenantA)
		slow := source.setGate(nil) // what follows does not wait
		a.get(token).refused(t, identity.ErrUnknownTenant)
		close(slow)
		old.Wait()
		a.get(token).refused(t, identity.ErrUnknownTenant)
		source.wantCount(t, 2)
	})
}

// Under load, what Forget has forgotten is never seen again.
func TestForgetUnderLoad(t *testing.T) {
	t.Parallel()
	var registered atomic.Bool
	source := identity.TenantFunc(func(_ context.Context, iss identity.Issuer) (*identity.Tenant, error) {
		if !registered.Load() {
			return nil, nil
		}
		runtime.Gosched()
		return &identity.Tenant{ID: iss.TenantID}, nil
	})
	cache := identity.CachedTenants(source, time.Hour)
	iss := issuerOf(t, tenantA)
	var load sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		load.Go(func() {
			for !stop.Load() {
				cache.Tenant(context.Background(), iss)
				runtime.Gosched()
			}
		})
	}
	defer load.Wait()
	defer stop.Store(true)
	for range 100 {
		registered.Store(true)
		cache.Forget(tenantA)
		if _, err := cache.Tenant(t.Context(), iss); err != nil {
			t.Fatalf("after it was registered: %v", err)
		}
		registered.Store(false)
		cache.Forget(tenantA)
		for range 3 {
			if found, err := cache.Tenant(t.Context(), iss); !errors.Is(err, identity.ErrUnknownTenant) {
				t.Fatalf("after it was removed: got=%+v, %v", found, err)
			}
		}
	}
}

// Requests for one issuer share a look-up.
func TestCachedTenantsOneFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		source.took = time.Second
		a, _ := cachedAPI(t, source, time.Hour)
		token := a.token()
		var requests sync.WaitGroup
		answers := make([]*answer, 100)
		for i := range answers {
			requests.Go(func() { answers[i] = a.get(token) })
		}
		requests.Wait()
		for _, got := range answers {
			got.accepted(t)
		}
		source.wantCount(t, 1)
	})
}

// 32 look-ups run at once; a request that needs another fails with 503, and one that does not is served.
func TestCachedTenantsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA, tenantB)
		a, cache := cachedAPI(t, source, time.Hour)
		a.get(a.token()).accepted(t)
		gate := make(chan struct{})
		source.setGate(gate)
		strangers := make([]identity.Issuer, 32)
		var requests sync.WaitGroup
		for i := range strangers {
			strangers[i] = issuerOf(t, fmt.Sprintf("99999999-0000-4000-8000-%012d", i))
			for range 2 { // the second one shares the look-up of the first
				requests.Go(func() {
					if _, err := cache.Tenant(t.Context(), strangers[i]); !errors.Is(err, identity.ErrUnknownTenant) {
						t.Errorf("stranger %d: got=%v, want=%v", i, err, identity.ErrUnknownTenant)
					}
				})
			}
		}
		synctest.Wait()
		source.wantCount(t, 33)
		tokenB := a.idp.Tenant(tenantB).Token()
		a.get(tokenB).refused(t, identity.ErrTenantsUnavailable) // at once, without a look-up
		source.wantCount(t, 33)
		a.get(a.token()).accepted(t)
		close(gate)
		requests.Wait()
		a.get(tokenB).accepted(t) // the failure was not remembered
		source.wantCount(t, 34)
	})
}

// A panic of the source inside a look-up that many wait for is a 500 for each of them, not remembered, and takes no slot.
func TestCachedTenantsPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var calm atomic.Bool
		a, _ := cachedAPI(t, identity.TenantFunc(func(_ context.Context, iss identity.Issuer) (*identity.Tenant, error) {
			<-gate
			if calm.Load() {
				return &identity.Tenant{ID: iss.TenantID}, nil
			}
			panic("out of paper")
		}), time.Hour)
		token := a.token()
		var requests sync.WaitGroup
		answers := make([]*answer, 8)
		for i := range answers {
			requests.Go(func() { answers[i] = a.get(token) })
		}
		synctest.Wait()
		close(gate)
		requests.Wait()
		for _, got := range answers {
			got.refused(t, identity.ErrInternal)
		}
		for range 40 { // more than there are slots
			a.get(token).refused(t, identity.ErrInternal)
		}
		calm.Store(true)
		a.get(token).accepted(t)
	})
}
