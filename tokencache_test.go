package identity_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// hits counts verifications that came from the cache.
func hits(n *atomic.Int64, change func(*identity.Config)) func(*identity.Config) {
	return func(cfg *identity.Config) {
		if change != nil {
			change(cfg)
		}
		cfg.Observe.Trace.Verified = func(_ context.Context, info identity.VerifyInfo) {
			if info.Cached {
				n.Add(1)
			}
		}
	}
}

func wantHits(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	if got := n.Load(); got != want {
		t.Fatalf("verifications from the cache: got=%d, want=%d", got, want)
	}
}

// The second request with a token is answered from the cache, unless that is off.
func TestTokenCache(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		maxBytes int64
		want     int64
	}{
		"default": {0, 9},
		"small":   {1 << 20, 9},
		"off":     {-1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			a := newAPI(t, hits(&n, func(cfg *identity.Config) { cfg.TokenCache.MaxBytes = row.maxBytes }))
			good := a.token()
			for range 10 {
				a.get(good).accepted(t)
			}
			wantHits(t, &n, row.want)
		})
	}
}

// Only what has been verified is remembered: a refused token is refused by the pipeline each time.
func TestRefusedTokensAreNotCached(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	a := newAPI(t, hits(&n, nil))
	forgery := a.token(mockidp.SignedBy(a.idp.Tenant(tenantA).Keys().Signing().WithID("other")))
	a.get(a.token()).accepted(t)
	for range 3 {
		a.get(forgery).refused(t, identity.ErrKeyNotFound)
	}
	wantHits(t, &n, 0)
}

// A token is remembered as a whole: whatever else ends like it is none of its kind. Each forgery carries the signature of a warm
// token, whole or its end.
func TestForgeryOfAWarmToken(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	a := newAPI(t, hits(&n, nil))
	warm := a.token(mockidp.Scopes("Orders.Read"))
	header, _, _ := strings.Cut(warm, ".")
	_, payload, _ := strings.Cut(a.token(mockidp.Scopes("Orders.Write")), ".")
	payload = payload[:strings.LastIndexByte(payload, '.')]
	signature := warm[strings.LastIndexByte(warm, '.')+1:]
	a.get(warm).accepted(t)
	for name, row := range map[string]struct {
		token    string
		sentinel error
	}{
		"another payload": {header + "." + payload + "." + signature, identity.ErrSignature},
		"only the end":    {"a.b." + signature[len(signature)-32:], identity.ErrTokenMalformed},
		"nothing but it":  {signature[len(signature)-32:], identity.ErrTokenMalformed},
		"longer":          {"A" + warm, identity.ErrTokenMalformed},
		"too long":        {strings.Repeat("A", 1<<20) + warm, identity.ErrTokenTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			a.get(row.token).refused(t, row.sentinel)
		})
	}
	wantHits(t, &n, 0)
	a.get(warm).accepted(t)
	wantHits(t, &n, 1)
}

// A token that is kept has nothing of what taking it apart needed: the tokens after it use the same memory.
func TestWarmTokenKeepsItsSignature(t *testing.T) {
	t.Parallel()
	tenants := workforceA()
	a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = tenants })
	warm, next := a.token(), a.token(mockidp.Claim("uti", "another"))
	for i := range 20 { // what is used again may be another piece of memory now and then
		if err := tenants.Replace(identity.Tenant{ID: tenantA, Name: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		a.get(warm).accepted(t)
		a.get(next).accepted(t)
		a.get(unsigned(next)).refused(t, identity.ErrSignature)
	}
}

// A warm token is judged by the tenant as it is now: removed, changed in one rule, or replaced by an equal one.
func TestWarmTokenFollowsItsTenant(t *testing.T) {
	t.Parallel()
	tenants := workforceA()
	var n atomic.Int64
	a := newAPI(t, hits(&n, func(cfg *identity.Config) { cfg.Tenants = tenants }))
	guest := a.token(mockidp.Guest(tenantB))
	set := func(change identity.Tenant) {
		t.Helper()
		change.ID = tenantA
		if err := tenants.Replace(change); err != nil {
			t.Fatal(err)
		}
	}
	accepted := func() {
		t.Helper()
		a.get(guest).accepted(t)
	}
	accepted()
	accepted()
	wantHits(t, &n, 1)

	tenants.Remove(tenantA)
	a.get(guest).refused(t, identity.ErrUnknownTenant)
	for name, row := range map[string]struct {
		tenant identity.Tenant
		want   error
	}{
		"guests":   {identity.Tenant{DenyGuests: true}, identity.ErrGuest},
		"version":  {identity.Tenant{Version: 1}, identity.ErrVersion},
		"clients":  {identity.Tenant{Clients: []string{tenantX}}, identity.ErrClient},
		"audience": {identity.Tenant{Audiences: []string{"api://other"}}, identity.ErrAudience},
		"cloud":    {identity.Tenant{Cloud: identity.China}, identity.ErrIssuer},
		"kind":     {identity.Tenant{External: &identity.External{}}, identity.ErrIssuer},
	} {
		set(identity.Tenant{})
		accepted()
		accepted()
		before := n.Load()
		set(row.tenant)
		a.get(guest).refused(t, row.want)
		if n.Load() != before {
			t.Errorf("%s: the answer came from the cache", name)
		}
	}

	set(identity.Tenant{Name: "renamed"})
	if name := a.get(guest).accepted(t).Tenant().Name; name != "renamed" {
		t.Fatalf("tenant: got=%q, want the renamed one", name)
	}
	before := n.Load()
	set(identity.Tenant{Name: "renamed"}) // another object, the same in everything
	accepted()
	wantHits(t, &n, before+1)
}

// A source that makes its tenant anew for each request loses nothing by it.
func TestWarmTokenWithFreshTenants(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	a := newAPI(t, hits(&n, func(cfg *identity.Config) {
		cfg.Tenants = identity.TenantFunc(func(_ context.Context, iss identity.Issuer) (*identity.Tenant, error) {
			return &identity.Tenant{ID: iss.TenantID, Clients: []string{mockidp.Client}, B2C: nil}, nil
		})
	}))
	good := a.token()
	for range 3 {
		a.get(good).accepted(t)
	}
	wantHits(t, &n, 2)
}

// A warm token expires when it says so.
func TestWarmTokenExpires(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) { cfg.Leeway = -1 }, func(t *testing.T, a *keyAPI) {
		brief := a.token(mockidp.ExpiresIn(10 * time.Minute))
		a.get(brief).accepted(t)
		a.at(10*time.Minute - time.Second)
		a.get(brief).accepted(t)
		a.at(10 * time.Minute)
		a.get(brief).refused(t, identity.ErrExpired)
	})
}

// C14: a withdrawn key stops working with the next refresh, for cached verifications too, and a cached verification drives
// that refresh. A key that stays is not verified with anew.
func TestWarmTokenOfAWithdrawnKey(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	inBubble(t, hits(&n, nil), func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		old := keys.Signing()
		withdrawn := a.good()
		keys.Rotate()
		stays := a.good()
		a.get(withdrawn).accepted(t)
		a.get(stays).accepted(t)
		keys.Withdraw(old)
		a.at(40 * time.Minute)
		a.get(withdrawn).accepted(t)
		a.fetched(t, 1, 1)

		a.at(49 * time.Minute) // the refresh is due, and this request begins it
		a.get(withdrawn).accepted(t)
		a.at(50 * time.Minute)
		a.fetched(t, 2, 2)
		before := n.Load()
		a.get(stays).accepted(t)
		wantHits(t, &n, before+1)
		a.get(withdrawn).refused(t, identity.ErrKeyNotFound)
		wantHits(t, &n, before+1)
	})
}

// The same kid with other material is another key.
func TestWarmTokenOfAReplacedKey(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		keys := a.idp.Tenant(tenantA).Keys()
		good := a.good()
		a.get(good).accepted(t)
		impostor := keys.NewKey().WithID(keys.Signing().ID())
		keys.Replace(impostor)
		a.at(50 * time.Minute)
		a.get(good).accepted(t) // begins the refresh
		a.at(51 * time.Minute)
		a.get(good).refused(t, identity.ErrSignature)
		a.get(a.good(mockidp.SignedBy(impostor))).accepted(t)
	})
}

// C10: when the keys are too old to be used, they are too old for cached verifications.
func TestWarmTokenInALongOutage(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		good := a.good()
		a.get(good).accepted(t)
		remove := a.idp.Inject(mockidp.Fault{Status: 502})
		a.at(23 * time.Hour)
		a.get(good).accepted(t)
		a.at(25 * time.Hour)
		a.get(good).refused(t, identity.ErrKeysUnavailable)
		remove()
		a.at(25*time.Hour + time.Minute)
		a.get(good).accepted(t)
	})
}

// A key set that had to make room takes its cached verifications with it: nothing would refresh it any more.
func TestWarmTokenOfAnEvictedSet(t *testing.T) {
	t.Parallel()
	inBubble(t, func(cfg *identity.Config) {
		cfg.Keys.MaxSets = 1
		cfg.Tenants = identity.NewRegistry(
			identity.Tenant{ID: tenantA},
			identity.Tenant{ID: mockidp.Customers, External: &identity.External{}},
		)
	}, func(t *testing.T, a *keyAPI) {
		a.get(a.good()).accepted(t)
		warm := a.good()
		a.get(warm).accepted(t)
		a.get(a.idp.Tenant(mockidp.Customers).Token()).accepted(t) // evicts
		keys := a.idp.Tenant(tenantA).Keys()
		old := keys.Signing()
		keys.Rotate()
		keys.Withdraw(old)
		a.get(warm).refused(t, identity.ErrKeyNotFound)
	})
}

// L6: what a handler does to the principal of a warm token the next request does not see.
func TestWarmPrincipalsShareNothing(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	a := newAPI(t, hits(&n, nil))
	token := a.token(mockidp.Scopes("a", "b"), mockidp.Roles("r"), mockidp.Groups("g", "h"), mockidp.Claim("list", []string{"x"}))
	for range 3 {
		p := a.get(token).accepted(t)
		if len(p.Scopes) != 2 || p.Scopes[0] != "a" || p.Roles[0] != "r" || p.Groups[1] != "h" || p.TenantID != tenantA {
			t.Fatalf("got=%v %v %v %s", p.Scopes, p.Roles, p.Groups, p.TenantID)
		}
		p.Scopes[0], p.Roles[0], p.Groups[1], p.TenantID = "admin", "admin", "admin", tenantB
		p.Scopes = append(p.Scopes, "c")
		p.Claim("list").([]any)[0] = "y"
		if x := p.Claim("list").([]any)[0]; x != "x" {
			t.Fatalf("claim: got=%v, want=x", x)
		}
	}
	wantHits(t, &n, 2)
}

// The tenant source is asked once for each request: for a token that is new, for a warm one, and for a warm one whose tenant has changed.
func TestTenantSourceIsAskedOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	tenants := workforceA()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.TenantFunc(func(ctx context.Context, iss identity.Issuer) (*identity.Tenant, error) {
			asked.Add(1)
			return tenants.Tenant(ctx, iss)
		})
	})
	good := a.token()
	for i, change := range []identity.Tenant{{}, {}, {Name: "renamed"}, {Name: "renamed"}, {DenyGuests: true}} {
		if change.ID = tenantA; i > 1 {
			if err := tenants.Replace(change); err != nil {
				t.Fatal(err)
			}
		}
		a.get(good).accepted(t)
		if got := asked.Load(); got != int64(i+1) {
			t.Fatalf("request %d: got=%d calls, want=%d", i, got, i+1)
		}
	}
}
