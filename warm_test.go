package identity_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// Warm fetches every key set that tokens of the listed tenants can need, each once; afterwards no request waits.
func TestWarm(t *testing.T) {
	t.Parallel()
	a := newOwnersAPI(t)
	if err := a.verifier.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := owners(a.idp)
	a.fetched(t, len(all), len(all))
	for _, o := range all {
		a.get(o.signed(o.keys.Signing())).accepted(t)
		if got := o.asked(a.idp); got != 1 {
			t.Fatalf("%s: got=%d fetches, want=1", o.name, got)
		}
	}
	if err := a.verifier.Warm(t.Context()); err != nil { // again: all is there
		t.Fatal(err)
	}
	a.fetched(t, len(all), len(all))
}

// A thousand tenants of one cloud need one key set; a B2C tenant one for each host and policy, External ID one for each host.
func TestWarmFetchesEachSetOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		tenants func() (*mockidp.Server, *identity.Registry)
		want    int
	}{
		{"one cloud", func() (*mockidp.Server, *identity.Registry) {
			tenants := identity.NewRegistry()
			for i := range 1000 {
				if err := tenants.Add(identity.Tenant{ID: fmt.Sprintf("a0a0a0a0-0000-4000-8000-%012x", i)}); err != nil {
					panic(err)
				}
			}
			return mockidp.New(), tenants
		}, 1},
		{"custom domains", customDomains, 1 + 3*2 + 2},
		{"none", func() (*mockidp.Server, *identity.Registry) { return mockidp.New(), identity.NewRegistry() }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idp, tenants := tt.tenants()
			a := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = tenants })
			if err := a.verifier.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.fetched(t, tt.want, tt.want)
			if stats := a.verifier.Stats(); stats.KeySets != tt.want || stats.Fetches != uint64(tt.want) || stats.ForcedFetches != 0 {
				t.Fatalf("got=%+v, want=%d key sets", stats, tt.want)
			}
		})
	}
}

// KeySets names, by tenant, what Warm fetches; AppKeys makes a set a tenant's own.
func TestKeySets(t *testing.T) {
	t.Parallel()
	idp, tenants := customDomains()
	const fabrikam = "https://login.microsoftonline.com/" + tenantB + "/v2.0/.well-known/openid-configuration?appid=" + mockidp.API
	if err := tenants.Add(identity.Tenant{ID: tenantB, AppKeys: true}); err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex // guards fetched
		fetched []identity.KeySet
	)
	a := newKeyAPI(t, idp, func(cfg *identity.Config) {
		cfg.Tenants = tenants
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) {
			mu.Lock()
			defer mu.Unlock()
			fetched = append(fetched, identity.KeySet{Metadata: info.Metadata, TenantID: info.TenantID})
		}
	})
	var named []identity.KeySet
	counts := map[string]int{}
	for tenant, sets := range a.verifier.KeySets() {
		named = append(named, sets...)
		counts[tenant.ID] = len(sets)
	}
	if want := map[string]int{tenantA: 1, tenantB: 1, mockidp.Shop: 3 * 2, mockidp.Customers: 2}; !maps.Equal(counts, want) {
		t.Fatalf("got=%v, want=%v", counts, want)
	}
	for _, want := range []identity.KeySet{{Metadata: "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"}, {Metadata: fabrikam, TenantID: tenantB}} {
		if !slices.Contains(named, want) {
			t.Errorf("got=%v, want=%v in it", named, want)
		}
	}
	if got := a.idp.Count(mockidp.AnyEndpoint); got != 0 {
		t.Fatalf("requests: got=%d, want=0", got)
	}
	a.verifier.Warm(t.Context()) // the mock does not know tenant B
	byAddress := func(a, b identity.KeySet) int { return strings.Compare(a.Metadata, b.Metadata) }
	slices.SortFunc(named, byAddress)
	slices.SortFunc(fetched, byAddress)
	if !slices.Equal(named, fetched) {
		t.Fatalf("named: %v\nfetched: %v", named, fetched)
	}
	for range a.verifier.KeySets() {
		break // a loop may end early
	}
	source := identity.TenantFunc(func(context.Context, identity.Issuer) (*identity.Tenant, error) { return nil, nil })
	b := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = source })
	for tenant := range b.verifier.KeySets() {
		t.Errorf("a source that lists nothing: got=%v", tenant)
	}
}

// Eight at a time.
func TestWarmAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shop := shopTenant
		shop.Policies = nil
		for i := range 20 {
			shop.Policies = append(shop.Policies, fmt.Sprintf("B2C_1_policy%d", i))
		}
		idp := mockidp.New(mockidp.WithTenants(shop))
		var mu sync.Mutex // guards now and most
		now, most := 0, 0
		enter := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			now += by
			most = max(most, now)
		}
		a := newKeyAPI(t, idp, func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: mockidp.Shop, B2C: &identity.B2C{Domain: "contosob2c", Policies: shop.Policies}})
			cfg.Keys.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				enter(1)
				defer enter(-1)
				time.Sleep(500 * time.Millisecond)
				// One key set for all policies: it takes long to make twenty keys.
				r = r.Clone(r.Context())
				if strings.HasSuffix(r.URL.Path, "/keys") {
					r.URL.Path = "/" + mockidp.Shop + "/b2c_1_policy0/discovery/v2.0/keys"
				}
				return idp.Transport().RoundTrip(r)
			})}
		})
		took(t, 3*time.Second, func() { // 20 sets, eight at a time, of two documents
			if err := a.verifier.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		a.fetched(t, 20, 20)
		if most != 8 {
			t.Fatalf("at once: got=%d, want=8", most)
		}
	})
}

// What fails is told, all of it, and keeps nothing else from being fetched.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	a := newOwnersAPI(t)
	all := owners(a.idp)
	removeB2C := a.idp.Inject(mockidp.Fault{Host: "contosob2c.b2clogin.com", Policy: "B2C_1_susi", Endpoint: mockidp.Discovery, Status: 500})
	a.idp.Inject(mockidp.Fault{Host: "login.microsoftonline.us", Endpoint: mockidp.JWKS, Body: []byte("<html>")})
	err := a.verifier.Warm(t.Context())
	if !errors.Is(err, identity.ErrKeysUnavailable) {
		t.Fatalf("got=%v, want=%v", err, identity.ErrKeysUnavailable)
	}
	for _, want := range []string{"b2c_1_susi", "login.microsoftonline.us", "500", "not JSON"} {
		if !strings.Contains(err.Error(), want) {
			t.Fatalf("got=%v, want it to hold %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "login.microsoftonline.com") || strings.Contains(err.Error(), "custom") {
		t.Fatalf("got=%v, want nothing of what did not fail", err)
	}
	if stats := a.verifier.Stats(); stats.KeySets != len(all)-2 || stats.FailedFetches != 2 || stats.Fetches != uint64(len(all)) {
		t.Fatalf("got=%+v, want=%d key sets, 2 failures", stats, len(all)-2)
	}
	removeB2C()
	for _, o := range all {
		if o.name == "public cloud" || o.name == "External ID" {
			a.get(o.signed(o.keys.Signing())).accepted(t)
		}
	}
}

// What many tenants share fails once.
func TestWarmTellsAFailureOnce(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: tenantB}, identity.Tenant{ID: tenantX})
	})
	a.idp.Inject(mockidp.Fault{Status: 500})
	err := a.verifier.Warm(t.Context())
	if err == nil || strings.Count(err.Error(), "/common/v2.0/") != 1 {
		t.Fatalf("got=%v, want the key set of the cloud in it, once", err)
	}
}

// Warm ends with its context.
func TestWarmCancelled(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, a *keyAPI) {
		a.idp.Inject(mockidp.Fault{Silence: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		took(t, time.Second, func() {
			if err := a.verifier.Warm(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got=%v, want=%v", err, context.DeadlineExceeded)
			}
		})
	})
}

// A source that cannot list its tenants has nothing to be warmed.
func TestWarmWithoutAList(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
		tenants := workforceA()
		cfg.Tenants = identity.TenantFunc(tenants.Tenant)
	})
	if err := a.verifier.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.fetched(t, 0, 0)
	a.get(a.token()).accepted(t)
}

// Stats and the Trace callback tell what was fetched.
func TestStats(t *testing.T) {
	t.Parallel()
	var infos []identity.FetchInfo
	idp := mockidp.New()
	a := newKeyAPI(t, idp, func(cfg *identity.Config) {
		cfg.Observe.Trace.KeysFetched = func(_ context.Context, info identity.FetchInfo) { infos = append(infos, info) }
	})
	if got := a.verifier.Stats(); got != (identity.Stats{}) {
		t.Fatalf("got=%+v, want nothing", got)
	}
	idp.Tenant(tenantA).Keys().PublishRaw(map[string]any{"kty": "EC", "kid": "ec"})
	a.get(a.token()).accepted(t)
	idp.Inject(mockidp.Fault{Status: 500, Times: 1})
	a.get(a.token(mockidp.KeyID("unknown"))).refused(t, identity.ErrKeysUnavailable)
	want := identity.Stats{KeySets: 1, Keys: 2, SkippedKeys: 1, Fetches: 2, ForcedFetches: 1, FailedFetches: 1}
	got := a.verifier.Stats()
	if got.CachedTokens != 1 || got.CachedBytes < 1<<10 || got.CachedBytes > 8<<10 {
		t.Fatalf("got=%d tokens of %d bytes, want one of a few KiB", got.CachedTokens, got.CachedBytes)
	}
	want.CachedTokens, want.CachedBytes = got.CachedTokens, got.CachedBytes
	if got != want {
		t.Fatalf("got=%+v, want=%+v", got, want)
	}
	if infos[0].Kind != "workforce" || infos[0].Status != 0 || infos[1].Kind != "workforce" || infos[1].Status != 500 {
		t.Fatalf("got=%+v, want kinds, and the status of the second", infos)
	}
	if len(infos) != 2 || infos[0].Keys != 2 || infos[0].Skipped != 1 || infos[0].Forced || infos[0].Err != nil ||
		!strings.HasPrefix(infos[0].Metadata, "https://login.microsoftonline.com/common/v2.0/") ||
		!infos[1].Forced || !errors.Is(infos[1].Err, identity.ErrKeysUnavailable) {
		t.Fatalf("got=%+v", infos)
	}
}

// A panic in the callback is logged and changes nothing for anybody.
func TestTraceOfFetchesPanics(t *testing.T) {
	t.Parallel()
	a := newKeyAPI(t, mockidp.New(), func(cfg *identity.Config) {
		cfg.Observe.Trace.KeysFetched = func(context.Context, identity.FetchInfo) { panic("boom") }
	})
	a.get(a.token()).accepted(t)
	if log := a.log.String(); !strings.Contains(log, "boom") || !strings.Contains(log, "warm_test.go") {
		t.Fatalf("log: got=%s, want the panic and its stack", log)
	}
}
