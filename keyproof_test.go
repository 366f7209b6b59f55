package identity_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// customers are n External ID tenants, each with a key set of its own.
func customers(n int) ([]mockidp.Tenant, *identity.Registry) {
	var theirs []mockidp.Tenant
	var ours []identity.Tenant
	for i := range n {
		theirs = append(theirs, mockidp.Tenant{ID: numbered(i), Kind: mockidp.External, Domain: fmt.Sprintf("customer%d", i)})
		ours = append(ours, identity.Tenant{ID: numbered(i), External: &identity.External{}})
	}
	return theirs, identity.NewRegistry(ours...)
}

func (a *keyAPI) customer(i int) string { return a.idp.TenantOf(mockidp.External, numbered(i)).Token() }

// unsigned replaces the signature of a token.
func unsigned(token string) string {
	return token[:strings.LastIndexByte(token, '.')+1] + strings.Repeat("A", 342)
}

// keysOf counts the requests for the key set of a tenant.
func (a *keyAPI) keysOf(i int) int {
	return a.idp.CountIf(func(r mockidp.Request) bool {
		return r.Endpoint == mockidp.JWKS && strings.Contains(r.Host+r.Path, numbered(i))
	})
}

// C23: tokens that nobody signed push out one key set that is in use at most, however many tenants they name.
func TestUnsignedTokensEvictNothing(t *testing.T) {
	t.Parallel()
	for _, cached := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(fetchTimeout)
			theirs, ours := customers(20)
			a := newKeyAPI(t, mockidp.New(mockidp.WithTenants(theirs...)), func(cfg *identity.Config) {
				cfg.Tenants, cfg.Keys.MaxSets = ours, 4
				cfg.TokenCache.MaxBytes = cached
			})
			for round := range 5 {
				for i := range 3 {
					a.get(a.customer(i)).accepted(t)
				}
				for i := range 20 {
					a.get(unsigned(a.customer(i))).refused(t, identity.ErrSignature)
					time.Sleep(time.Second)
				}
				for i := range 3 {
					if n := a.keysOf(i); n != 1 {
						t.Fatalf("round %d: key set %d was fetched: got=%d times, want=1", round, i, n)
					}
				}
			}
			a.get(a.customer(7)).accepted(t) // the neighbour: a signed token takes its place
			before := a.keysOf(7)
			for i := 8; i < 20; i++ {
				a.get(unsigned(a.customer(i))).refused(t, identity.ErrSignature)
			}
			a.get(a.customer(7)).accepted(t)
			if n := a.keysOf(7); n != before {
				t.Fatalf("the key set of tenant 7: got=%d fetches, want=%d", n, before)
			}
		})
	}
}

// Whoever verifies signatures with golang-jwt does not say what came of it, so that a key that was handed out counts as used.
func TestKeySetsInUseByKeyFunc(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(fetchTimeout)
		theirs, ours := customers(20)
		a := newKeyAPI(t, mockidp.New(mockidp.WithTenants(theirs...)), func(cfg *identity.Config) {
			cfg.Tenants, cfg.Keys.MaxSets = ours, 4
		})
		for range 3 {
			for i := range 3 {
				if _, err := a.verifier.KeyFunc(&jwt.Token{Raw: a.customer(i)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			for i := 3; i < 20; i++ {
				a.get(unsigned(a.customer(i))).refused(t, identity.ErrSignature)
				time.Sleep(time.Second)
			}
		}
		for i := range 3 {
			if n := a.keysOf(i); n != 1 {
				t.Errorf("key set %d was fetched: got=%d times, want=1", i, n)
			}
		}
		if n := a.keysOf(19); n < 2 { // the neighbour: a set that nothing was verified with makes room
			t.Errorf("key set 19 was fetched: got=%d times, want at least 2", n)
		}
	})
}

// No more than 32 key sets that were never proven are fetched at one time. Those in use are not affected, nor is the one that all
// workforce tenants share.
func TestFirstFetchesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		theirs, ours := customers(50)
		if err := ours.Add(identity.Tenant{ID: tenantA}); err != nil {
			t.Fatal(err)
		}
		idp := mockidp.New(mockidp.WithTenants(append(theirs, mockidp.Tenant{ID: tenantA})...))
		a := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = ours })
		a.get(a.customer(0)).accepted(t)
		idp.Inject(mockidp.Fault{Delay: 2 * time.Second})
		go a.atOnce(40, func(i int) string { return unsigned(a.customer(i + 1)) })
		time.Sleep(time.Second)
		before := a.verifier.Stats()
		if before.Fetches != 1+32 {
			t.Fatalf("fetches: got=%d, want=33", before.Fetches)
		}
		took(t, 0, func() {
			got := a.get(a.customer(49))
			got.refused(t, identity.ErrKeysUnavailable)
			if got.status != http.StatusServiceUnavailable {
				t.Fatalf("status: got=%d, want=503", got.status)
			}
			a.get(a.customer(0)).accepted(t)
		})
		a.get(a.good()).accepted(t) // the shared set: a fetch all the same
		time.Sleep(10 * time.Second)
		a.get(a.customer(49)).accepted(t) // nothing of the refusal is remembered
		time.Sleep(fetchTimeout)
	})
}

// Two tenants that state the same domain share no failure.
func TestSharedDomain(t *testing.T) {
	t.Parallel()
	b2c := &identity.B2C{Domain: "contosob2c.onmicrosoft.com", Policies: []string{"B2C_1_susi"}}
	external := &identity.External{Domain: "contosocx"}
	tests := []struct {
		name string
		kind mockidp.Kind
		id   string
		ours func(id string) identity.Tenant
	}{
		{"B2C", mockidp.B2C, mockidp.Shop, func(id string) identity.Tenant { return identity.Tenant{ID: id, B2C: b2c} }},
		{"External ID", mockidp.External, mockidp.Customers, func(id string) identity.Tenant { return identity.Tenant{ID: id, External: external} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
				cfg.Tenants = identity.NewRegistry(tt.ours(tt.id), tt.ours(tenantX))
			})
			good := a.idp.TenantOf(tt.kind, tt.id).Token()
			other := forged(good, 1, func(claims string) string { return strings.ReplaceAll(claims, tt.id, tenantX) })
			a.get(other).refused(t, identity.ErrKeysUnavailable)
			a.get(good).accepted(t)
			a.get(other).refused(t, identity.ErrKeysUnavailable)
			a.get(good).accepted(t)
		})
	}
}

// A transport that does not honour the end of its context hangs nobody.
func TestDeafTransport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		release := make(chan struct{})
		defer time.Sleep(fetchTimeout)
		defer close(release)
		var deaf atomic.Bool
		a := newKeyAPI(t, idp, func(cfg *identity.Config) {
			cfg.Keys.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if deaf.Load() {
					<-release
				}
				return idp.Transport().RoundTrip(r.WithContext(t.Context()))
			})}
		})
		good := a.good()
		deaf.Store(true)
		took(t, fetchTimeout+time.Second, func() { a.get(good).refused(t, identity.ErrKeysUnavailable) })
		took(t, 0, func() { a.get(good).refused(t, identity.ErrKeysUnavailable) })
		deaf.Store(false)
		time.Sleep(time.Minute)
		a.get(good).accepted(t)
		deaf.Store(true)
		time.Sleep(2 * time.Hour) // idle: the request waits for a refresh, then the old set serves
		took(t, fetchTimeout+time.Second, func() { a.get(good).accepted(t) })
		took(t, 0, func() { a.get(good).accepted(t) })
		took(t, fetchTimeout+time.Second, func() { a.get(a.unknown(0)).refused(t, identity.ErrKeysUnavailable) })
	})
}
