package identity_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// D25: the answers of the function that admits tenants, by itself and behind a cache.
func TestAnyTenant(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		admit func() error
		want  error
	}{
		{"nil", func() error { return nil }, nil},
		{"unknown", func() error { return identity.ErrUnknownTenant }, identity.ErrUnknownTenant},
		{"error", func() error { return errors.New("no answer from the database") }, identity.ErrTenantsUnavailable},
		{"panic", func() error { panic("no answer at all") }, identity.ErrInternal},
	} {
		for _, ttl := range []time.Duration{0, time.Hour} {
			t.Run(row.name+" "+ttl.String(), func(t *testing.T) {
				t.Parallel()
				a := newAPI(t, func(cfg *identity.Config) {
					cfg.Tenants = identity.AnyTenant(func(context.Context, identity.Issuer) error { return row.admit() })
					if ttl > 0 {
						cfg.Tenants = identity.CachedTenants(cfg.Tenants, ttl)
					}
				})
				got := a.get(a.token())
				if row.want == nil {
					if p := got.accepted(t); p.TenantID != tenantA {
						t.Fatalf("TenantID: got=%q, want=%q", p.TenantID, tenantA)
					}
					a.get(a.idp.Tenant(tenantB).Token(mockidp.V1())).accepted(t)
					return
				}
				e := got.refused(t, row.want)
				requireNoFetch(t, a.idp)
				if text := "no answer"; strings.Contains(got.body+e.Description, text) {
					t.Fatalf("the cause is in the answer: %s", got.body)
				}
				if !errors.Is(row.want, identity.ErrUnknownTenant) && !strings.Contains(a.log.String(), "no answer") {
					t.Fatalf("the cause is not in the log: %s", a.log)
				}
			})
		}
	}
}

// D26
func TestAnyTenantWithoutFunction(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]identity.TenantSource{
		"alone":  identity.AnyTenant(nil),
		"cached": identity.CachedTenants(identity.AnyTenant(nil), time.Hour),
	} {
		_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: source})
		if err == nil || !strings.Contains(err.Error(), "Config.Tenants: ") || !strings.Contains(err.Error(), "AnyTenant") {
			t.Errorf("%s: got=%v, want a fault of Config.Tenants", name, err)
		}
	}
	admit := func(context.Context, identity.Issuer) error { return nil }
	if _, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: identity.AnyTenant(admit)}); err != nil {
		t.Fatal(err)
	}
}

// G9: none of the tenants that AnyTenant admits has audiences of its own.
func TestAnyTenantWithoutAudience(t *testing.T) {
	t.Parallel()
	admit := func(context.Context, identity.Issuer) error { return nil }
	for name, source := range map[string]identity.TenantSource{
		"alone":  identity.AnyTenant(admit),
		"cached": identity.CachedTenants(identity.AnyTenant(admit), time.Hour),
	} {
		if _, err := identity.New(identity.Config{Tenants: source}); err == nil || !strings.Contains(err.Error(), "Config.Tenants: ") {
			t.Errorf("%s: got=%v, want a fault of Config.Tenants", name, err)
		}
		if _, err := identity.New(identity.Config{Audiences: []string{"https://api.example"}, Tenants: source}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// D27: the function gets the issuer and the context of the request. It is not called for tokens that cannot be from the
// public cloud.
func TestAnyTenantArguments(t *testing.T) {
	t.Parallel()
	type key struct{}
	var calls atomic.Int32
	var last identity.Issuer
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.AnyTenant(func(ctx context.Context, iss identity.Issuer) error {
			calls.Add(1)
			last = iss
			if ctx.Value(key{}) != "of the request" {
				return errors.New("another context")
			}
			return nil
		})
	})
	send := func(opts ...mockidp.TokenOption) *answer {
		r := bearer(a.token(opts...))
		return a.do(r.WithContext(context.WithValue(r.Context(), key{}, "of the request")))
	}
	send().accepted(t)
	const v2, v1 = "https://login.microsoftonline.com/" + tenantA + "/v2.0", "https://sts.windows.net/" + tenantA + "/"
	if want := (identity.Issuer{Raw: v2, Host: "login.microsoftonline.com", TenantID: tenantA, Form: identity.FormV2}); !sameIssuer(last, want) {
		t.Fatalf("got=%+v, want=%+v", last, want)
	}
	send(mockidp.V1()).accepted(t)
	if want := (identity.Issuer{Raw: v1, Host: "sts.windows.net", TenantID: tenantA, Form: identity.FormV1}); !sameIssuer(last, want) {
		t.Fatalf("got=%+v, want=%+v", last, want)
	}
	if n := calls.Load(); n != 2 {
		t.Fatalf("calls: got=%d, want=2", n)
	}
	for _, row := range []struct {
		iss  string
		want error
	}{
		{"https://login.attacker.example/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.us/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://login.windows-ppe.net/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://sts.windows.net/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.com/" + tenantA + "/", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.com/" + tenantA + "/v2.0/", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.com/tfp/" + tenantA + "/B2C_1_x/v2.0/", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.com:443/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://" + tenantA + ".ciamlogin.com/" + tenantA + "/v2.0", identity.ErrUnknownTenant},
		{"https://login.microsoftonline.com/common/v2.0", identity.ErrIssuer},
		{"https://login.microsoftonline.com/{tenantid}/v2.0", identity.ErrIssuer},
		{"http://login.microsoftonline.com/" + tenantA + "/v2.0", identity.ErrIssuer},
	} {
		send(mockidp.Claim("iss", row.iss)).refused(t, row.want)
	}
	if n := calls.Load(); n != 2 {
		t.Fatalf("calls for other hosts: got=%d, want=0", n-2)
	}
}

// sameIssuer compares what an Issuer shows.
func sameIssuer(a, b identity.Issuer) bool {
	return a.Raw == b.Raw && a.Host == b.Host && a.TenantID == b.TenantID && a.Form == b.Form && a.Policy == b.Policy
}

// D27: any source gets the context of the request; behind a cache its values, but not its end.
func TestTenantFuncContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	source := identity.TenantFunc(func(ctx context.Context, iss identity.Issuer) (*identity.Tenant, error) {
		if ctx.Value(key{}) != "of the request" {
			return nil, errors.New("another context")
		}
		return &identity.Tenant{ID: iss.TenantID}, nil
	})
	for _, s := range []identity.TenantSource{source, identity.CachedTenants(source, time.Hour)} {
		a := newAPI(t, func(cfg *identity.Config) { cfg.Tenants = s })
		r := bearer(a.token())
		a.do(r).refused(t, identity.ErrTenantsUnavailable)
		a.do(r.WithContext(context.WithValue(r.Context(), key{}, "of the request"))).accepted(t)
	}
}

// A source that is nil behind its interface is found at start-up, not by the first request.
func TestNilSources(t *testing.T) {
	t.Parallel()
	for want, source := range map[string]identity.TenantSource{
		"the *Registry is nil": (*identity.Registry)(nil),
		"TenantFunc is nil":    identity.TenantFunc(nil),
	} {
		_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: source})
		if err == nil || err.Error() != "identity: Config.Tenants: "+want {
			t.Errorf("got=%v, want=%s", err, want)
		}
	}
}
