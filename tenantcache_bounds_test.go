package identity_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const maxRemembered = 10_000 // answers of either kind

// numbered is a tenant ID.
func numbered(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", i) }

// Strangers that nobody knows, and hosts that are not the tenant's, evict no tenant however many they are; and they are
// not all remembered.
func TestStrangersEvictNobody(t *testing.T) {
	t.Parallel()
	const tenants = 500
	source := newSlowSource()
	for i := range tenants {
		source.known[numbered(i)] = identity.Tenant{ID: numbered(i)}
	}
	cache := identity.CachedTenants(source, time.Hour)
	var own, strange []identity.Issuer
	for i := range tenants {
		own = append(own, issuerOf(t, numbered(i)))
	}
	for i := range maxRemembered + 2000 {
		iss := issuerOf(t, numbered(tenants+i))
		if i%2 == 0 { // a known tenant behind a host of the stranger's
			var err error
			if iss, err = identity.ParseIssuer(fmt.Sprintf("https://h%d.attacker.example/%s/v2.0", i, numbered(i%tenants))); err != nil {
				t.Fatal(err)
			}
		}
		strange = append(strange, iss)
	}
	ask := func(list []identity.Issuer) (lookups int) {
		before := source.count()
		for _, iss := range list {
			if _, err := cache.Tenant(t.Context(), iss); err != nil && !errors.Is(err, identity.ErrUnknownTenant) {
				t.Fatal(err)
			}
		}
		return source.count() - before
	}
	if n := ask(own); n != tenants {
		t.Fatalf("look-ups of tenants: got=%d, want=%d", n, tenants)
	}
	if n := ask(strange); n != len(strange) {
		t.Fatalf("look-ups of strangers: got=%d, want=%d", n, len(strange))
	}
	if n := ask(own); n != 0 {
		t.Fatalf("tenants looked up again: got=%d, want=0", n)
	}
	if n := ask(strange); n < len(strange)-maxRemembered {
		t.Fatalf("strangers looked up again: got=%d, want=%d or more", n, len(strange)-maxRemembered)
	}
	if n := ask(own); n != 0 {
		t.Fatalf("tenants looked up again: got=%d, want=0", n)
	}
}

// A stranger can write any policy into a TFP issuer of a B2C directory, and a registered one in upper and lower case. None of them
// evicts a tenant, and the policies themselves count as the tenant's.
func TestPoliciesEvictNobody(t *testing.T) {
	t.Parallel()
	const directory = "b2cb2cb2-7777-4777-8777-b2cb2cb2b2cb"
	issuer := func(policy string) identity.Issuer {
		iss, err := identity.ParseIssuer("https://contosob2c.b2clogin.com/tfp/" + directory + "/" + policy + "/v2.0/")
		if err != nil {
			t.Fatal(err)
		}
		return iss
	}
	source := newSlowSource()
	source.known[directory] = identity.Tenant{ID: directory, B2C: &identity.B2C{
		Domain: "contosob2c", Policies: []string{"B2C_1_signinorsignup", "B2C_1_reset"}, TFPIssuers: true,
	}}
	own := []identity.Issuer{issuer("B2C_1_signinorsignup"), issuer("B2C_1_reset")}
	for i := range 500 {
		source.known[numbered(i)] = identity.Tenant{ID: numbered(i)}
		own = append(own, issuerOf(t, numbered(i)))
	}
	cache := identity.CachedTenants(source, time.Hour)
	ask := func(list []identity.Issuer) (lookups int) {
		before := source.count()
		for _, iss := range list {
			if _, err := cache.Tenant(t.Context(), iss); err != nil {
				t.Fatal(err)
			}
		}
		return source.count() - before
	}
	if n := ask(own); n != len(own) {
		t.Fatalf("look-ups of tenants: got=%d, want=%d", n, len(own))
	}
	for _, policy := range []func(i int) string{
		func(i int) string { return fmt.Sprintf("B2C_1_x%d", i) },
		func(i int) string { return "b2C_1_" + spelling("signinorsignup", i) },
	} {
		for i := range maxRemembered + 2000 {
			made := issuer(policy(i))
			ask([]identity.Issuer{made, made, made, made}) // often asked for, to look worth keeping
		}
		if n := ask(own); n != 0 {
			t.Fatalf("tenants looked up again: got=%d, want=0", n)
		}
	}
}

// spelling writes letters in upper or lower case, by the bits of i.
func spelling(s string, i int) string {
	letters := []byte(s)
	for n := range letters {
		if i>>n&1 == 1 {
			letters[n] -= 'a' - 'A'
		}
	}
	return string(letters)
}

// Tenants are bounded too. What fits is remembered whole.
func TestCachedTenantsBound(t *testing.T) {
	t.Parallel()
	source := newSlowSource()
	for i := range maxRemembered + 2000 {
		source.known[numbered(i)] = identity.Tenant{ID: numbered(i)}
	}
	cache := identity.CachedTenants(source, time.Hour)
	ask := func(n int) (lookups int) {
		before := source.count()
		for i := range n {
			if _, err := cache.Tenant(t.Context(), issuerOf(t, numbered(i))); err != nil {
				t.Fatal(err)
			}
		}
		return source.count() - before
	}
	ask(maxRemembered)
	if n := ask(maxRemembered); n != 0 {
		t.Fatalf("looked up again though there is room: got=%d, want=0", n)
	}
	ask(maxRemembered + 2000)
	if n := ask(maxRemembered + 2000); n < 2000 {
		t.Fatalf("looked up again: got=%d, want=%d or more", n, 2000)
	}
}

// What is remembered holds no part of the tokens that it was asked for. Not parallel: it measures the whole process.
func TestCachedTenantsHoldNoToken(t *testing.T) {
	const tokens, padding = 400, 40_000
	v := verifierOn(t, mockidp.New(), func(cfg *identity.Config) {
		cfg.Tenants = identity.CachedTenants(identity.AnyTenant(func(context.Context, identity.Issuer) error { return nil }), time.Hour)
	})
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	header, fill := encode(`{"alg":"RS256","kid":"k"}`), strings.Repeat("x", padding)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range tokens {
		payload := fmt.Sprintf(`{"iss":"https://login.microsoftonline.com/%s/v2.0","x":"%s"}`, numbered(i), fill)
		if _, err := v.Verify(t.Context(), header+"."+encode(payload)+".AAAA"); !errors.Is(err, identity.ErrTenantMismatch) {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > tokens*padding/4 {
		t.Fatalf("bytes held for %d tenants: got=%d", tokens, grown)
	}
	runtime.KeepAlive(v)
}

// A request that is cancelled while it waits ends at once; the look-up goes on for those who wait with it, and the answer is
// remembered.
func TestCachedTenantsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		source.took = 5 * time.Second
		a, _ := cachedAPI(t, source, time.Hour)
		token := a.token()
		var requests sync.WaitGroup
		began := time.Now()
		requests.Go(func() { // the one that begins the look-up
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			a.do(bearer(token).WithContext(ctx)).refused(t, identity.ErrTenantsUnavailable)
			if took := time.Since(began); took != time.Second {
				t.Errorf("the cancelled request took %v, want=1s", took)
			}
		})
		synctest.Wait()
		requests.Go(func() {
			a.get(token).accepted(t)
			if took := time.Since(began); took != 5*time.Second {
				t.Errorf("the other request took %v, want=5s", took)
			}
		})
		requests.Wait()
		a.get(token).accepted(t)
		source.wantCount(t, 1)
	})
}

// A look-up that nobody waits for any more ends within ten seconds; nothing runs on.
func TestCachedTenantsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSlowSource(tenantA)
		source.took = time.Hour
		a, _ := cachedAPI(t, source, time.Hour)
		began := time.Now()
		a.get(a.token()).refused(t, identity.ErrTenantsUnavailable)
		if took := time.Since(began); took != 10*time.Second {
			t.Fatalf("took %v, want=10s", took)
		}
		source.took = 0
		a.get(a.token()).accepted(t)
	})
}

// A source that ignores its context holds nobody up for longer. What it says too late is no answer, and the next request asks anew.
func TestCachedTenantsDeafSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		release := make(chan struct{})
		a, _ := cachedAPI(t, identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) {
			if calls.Add(1) == 1 {
				<-release
				return &identity.Tenant{ID: tenantA, DenyGuests: true}, nil
			}
			return &identity.Tenant{ID: tenantA}, nil
		}), time.Hour)
		token := a.token(mockidp.Guest(tenantB))
		began := time.Now()
		a.get(token).refused(t, identity.ErrTenantsUnavailable)
		if took := time.Since(began); took != 11*time.Second {
			t.Fatalf("took %v, want=11s", took)
		}
		a.get(token).accepted(t)
		close(release)
		synctest.Wait()
		a.get(token).accepted(t)
		if n := calls.Load(); n != 2 {
			t.Fatalf("look-ups: got=%d, want=2", n)
		}
	})
}

// A cache starts nothing that stays: the bubble would wait for it.
func TestCachedTenantsGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache := identity.CachedTenants(newSlowSource(tenantA), time.Hour)
		for n := range 50 {
			if _, err := cache.Tenant(t.Context(), issuerOf(t, numbered(n))); !errors.Is(err, identity.ErrUnknownTenant) {
				t.Fatal(err)
			}
		}
		cache.Forget(numbered(0))
	})
}

func TestCachedTenantsFaults(t *testing.T) {
	t.Parallel()
	source := newSlowSource(tenantA)
	for _, row := range []struct {
		name   string
		source identity.TenantSource
		want   []string // none: no fault
	}{
		{"good", identity.CachedTenants(source, time.Minute), nil},
		{"no source", identity.CachedTenants(nil, time.Minute), []string{"CachedTenants: the source is required"}},
		{"no ttl", identity.CachedTenants(source, 0), []string{"ttl of 0s"}},
		{"negative ttl", identity.CachedTenants(source, -time.Second), []string{"ttl of -1s"}},
		{"both", identity.CachedTenants(nil, 0), []string{"the source is required", "ttl of 0s"}},
		{
			"faults of the source", identity.CachedTenants(identity.NewRegistry(identity.Tenant{ID: "common"}, identity.Tenant{ID: tenantA, Version: 9}), 0),
			[]string{"ttl of 0s", "Tenants[0].ID: ", "Tenants[1].Version: "},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: row.source})
			if len(row.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, "identity: Config.Tenants: ") {
					t.Errorf("does not say where it belongs: %q", line)
				}
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
		})
	}
}
