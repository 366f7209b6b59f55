package identity_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// tenantFault is a tenant that must not be registered, and what its message must begin with behind the tenant.
type tenantFault struct {
	name   string
	tenant identity.Tenant
	want   string
}

func b2cWith(change func(*identity.B2C)) identity.Tenant {
	d := &identity.B2C{Domain: "contosob2c", Policies: []string{"B2C_1_susi"}}
	change(d)
	return identity.Tenant{ID: tenantA, B2C: d}
}

func tenantFaults() []tenantFault {
	workforce := func(change func(*identity.Tenant)) identity.Tenant {
		t := identity.Tenant{ID: tenantA}
		change(&t)
		return t
	}
	id := func(s string) identity.Tenant { return identity.Tenant{ID: s} }
	cloud := func(c identity.Cloud) identity.Tenant { return identity.Tenant{ID: tenantA, Cloud: c} }
	hosts := func(s string) identity.Tenant { return b2cWith(func(d *identity.B2C) { d.Hosts = []string{s} }) }
	external := func(s string) identity.Tenant {
		return identity.Tenant{ID: tenantA, External: &identity.External{Hosts: []string{s}}}
	}
	return []tenantFault{
		// D22
		{"ID empty", id(""), "ID: "},
		{"ID common", id("common"), "ID: "},
		{"ID organizations", id("organizations"), "ID: "},
		{"ID consumers", id("consumers"), "ID: "},
		{"ID domain", id("contoso.onmicrosoft.com"), "ID: "},
		{"ID in braces", id("{" + tenantA + "}"), "ID: "},
		{"ID without hyphens", id(strings.ReplaceAll(tenantA, "-", "")), "ID: "},
		{"ID with a blank", id(tenantA + " "), "ID: "},
		{"ID template", id("{tenantid}"), "ID: "},
		// D30
		{"Cloud with a path", cloud("https://login.microsoftonline.us/common"), "Cloud: "},
		{"Cloud with a query", cloud("https://login.microsoftonline.us?x"), "Cloud: "},
		{"Cloud with an empty query", cloud("https://login.microsoftonline.us?"), "Cloud: "},
		{"Cloud with a fragment", cloud("https://login.microsoftonline.us#x"), "Cloud: "},
		{"Cloud with user-info", cloud("https://u:p@login.microsoftonline.us"), "Cloud: "},
		{"Cloud over http", cloud("http://login.microsoftonline.us"), "Cloud: "},
		{"Cloud of another scheme", cloud("ftp://login.microsoftonline.us"), "Cloud: "},
		{"Cloud without a host", cloud("https://"), "Cloud: "},
		{"Cloud blank", cloud(" "), "Cloud: "},
		{"Cloud with a wildcard", cloud("https://*.example"), "Cloud: "},
		{"B2C host with a path", hosts("https://login.contoso.example/x"), "B2C.Hosts[0]: "},
		{"B2C host with a query", hosts("login.contoso.example?x"), "B2C.Hosts[0]: "},
		{"B2C host with user-info", hosts("u@login.contoso.example"), "B2C.Hosts[0]: "},
		{"B2C host over http", hosts("http://login.contoso.example"), "B2C.Hosts[0]: "},
		{"B2C host empty", hosts(""), "B2C.Hosts[0]: "},
		{"B2C host with a port that is none", hosts("login.contoso.example:x"), "B2C.Hosts[0]: "},
		{"External host with a path", external("https://login.contoso.example/x"), "External.Hosts[0]: "},
		{"External host with a query", external("login.contoso.example?x"), "External.Hosts[0]: "},
		{"External host with user-info", external("https://u@login.contoso.example"), "External.Hosts[0]: "},
		{"External host over http", external("http://login.contoso.example"), "External.Hosts[0]: "},
		// The rest of a directory.
		{"B2C without a domain and hosts", b2cWith(func(d *identity.B2C) { d.Domain = "" }), "B2C.Domain: "},
		{"B2C domain that is a host", b2cWith(func(d *identity.B2C) { d.Domain = "contosob2c.b2clogin.com" }), "B2C.Domain: "},
		{"B2C domain that is an address", b2cWith(func(d *identity.B2C) { d.Domain = "https://contosob2c" }), "B2C.Domain: "},
		{"B2C without policies", b2cWith(func(d *identity.B2C) { d.Policies = nil }), "B2C.Policies: "},
		{"B2C policy", b2cWith(func(d *identity.B2C) { d.Policies = []string{"B2C_1_susi", "susi"} }), "B2C.Policies[1]: "},
		{"External domain", identity.Tenant{ID: tenantA, External: &identity.External{Domain: "contosocx.ciamlogin.com"}}, "External.Domain: "},
		// Contradictions.
		{"two kinds", workforce(func(t *identity.Tenant) {
			t.B2C, t.External = &identity.B2C{Domain: "d", Policies: []string{"B2C_1_x"}}, new(identity.External)
		}), "External: excludes B2C"},
		{"Version 3", workforce(func(t *identity.Tenant) { t.Version = 3 }), "Version: "},
		{"Version -1", workforce(func(t *identity.Tenant) { t.Version = -1 }), "Version: "},
		{"Version of B2C", identity.Tenant{ID: tenantA, Version: 1, B2C: &identity.B2C{Domain: "d", Policies: []string{"B2C_1_x"}}}, "Version: "},
		{"Version of External", identity.Tenant{ID: tenantA, Version: 2, External: new(identity.External)}, "Version: "},
		// E19
		{"DenyGuests of B2C", identity.Tenant{ID: tenantA, DenyGuests: true, B2C: &identity.B2C{Domain: "d", Policies: []string{"B2C_1_x"}}}, "DenyGuests: "},
		{"AppKeys of B2C", identity.Tenant{ID: tenantA, AppKeys: true, B2C: &identity.B2C{Domain: "d", Policies: []string{"B2C_1_x"}}}, "AppKeys: "},
		// Lists.
		{"audience empty", workforce(func(t *identity.Tenant) { t.Audiences = []string{"api://x", ""} }), "Audiences[1]: "},
		{"audience wildcard", workforce(func(t *identity.Tenant) { t.Audiences = []string{"*"} }), "Audiences[0]: "},
		{"audience with a blank", workforce(func(t *identity.Tenant) { t.Audiences = []string{"api://x "} }), "Audiences[0]: "},
		{"client", workforce(func(t *identity.Tenant) { t.Clients = []string{mockidp.Client, "app"} }), "Clients[1]: "},
	}
}

// D22, D30, E19: every fault of a tenant is found when it is registered, whichever way, and named with the tenant.
func TestTenantFaults(t *testing.T) {
	t.Parallel()
	for _, row := range tenantFaults() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.tenant.Name = "the bad one"
			good := identity.Tenant{ID: tenantB}
			want := "Tenants[1] (the bad one)." + row.want
			_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: identity.NewRegistry(good, row.tenant)})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("New: got=%v, want=%q", err, want)
			}
			registry := identity.NewRegistry(good)
			for name, change := range map[string]func(...identity.Tenant) error{"Add": registry.Add, "Replace": registry.Replace} {
				if err := change(good, row.tenant); err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("%s: got=%v, want=%q", name, err, want)
				}
			}
		})
	}
}

// D22: a duplicate within a kind is a fault; a directory of two kinds is none.
func TestDuplicateTenant(t *testing.T) {
	t.Parallel()
	b2c := b2cWith(func(*identity.B2C) {})
	external := identity.Tenant{ID: tenantA, External: new(identity.External)}
	for _, kind := range []identity.Tenant{{ID: tenantA}, b2c, external} {
		twin := kind
		twin.ID = strings.ToUpper(tenantA)
		_, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: identity.NewRegistry(kind, twin)})
		if err == nil || !strings.Contains(err.Error(), "Tenants[1].ID: ") {
			t.Fatalf("got=%v, want a fault of Tenants[1].ID", err)
		}
	}
	if _, err := identity.New(identity.Config{ClientID: mockidp.API, Tenants: identity.NewRegistry(identity.Tenant{ID: tenantA}, b2c, external)}); err != nil {
		t.Fatal(err)
	}
}

// All faults come in one message, and the registry serves nothing.
func TestTenantFaultsTogether(t *testing.T) {
	t.Parallel()
	var tenants []identity.Tenant
	rows := tenantFaults()
	for _, row := range rows {
		tenants = append(tenants, row.tenant)
	}
	tenants = append(tenants, identity.Tenant{ID: tenantB})
	registry := identity.NewRegistry(tenants...)
	_, err := identity.New(identity.Config{ClientID: "x", Tenants: registry})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, row := range rows {
		want := fmt.Sprintf("Tenants[%d].%s", i, row.want)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in:\n%s", want, err)
		}
	}
	if len(lines) < len(rows)+1 || !strings.Contains(err.Error(), "Config.ClientID: ") {
		t.Errorf("lines: got=%d, want=%d and Config.ClientID among them:\n%s", len(lines), len(rows)+1, err)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "identity: Config.") {
			t.Errorf("does not say where it belongs: %q", line)
		}
	}
	iss, err := identity.ParseIssuer("https://login.microsoftonline.com/" + tenantB + "/v2.0")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := registry.Tenant(t.Context(), iss); !errors.Is(err, identity.ErrUnknownTenant) || registry.Len() != 0 {
		t.Fatalf("got=%+v, %v of %d tenants, want none", found, err, registry.Len())
	}
}

// sourceRow is an answer of a tenant source, to a good token of tenant A.
type sourceRow struct {
	name   string
	answer func(ctx context.Context, iss identity.Issuer) (*identity.Tenant, error)
	want   error
	log    string // must be in the log, must not be in the answer
}

var errSource = errors.New("database on fire")

func sourceRows() []sourceRow {
	sealed := func(tenants ...identity.Tenant) func(context.Context, identity.Issuer) (*identity.Tenant, error) {
		return identity.NewRegistry(tenants...).Tenant
	}
	returns := func(t *identity.Tenant, err error) func(context.Context, identity.Issuer) (*identity.Tenant, error) {
		return func(context.Context, identity.Issuer) (*identity.Tenant, error) { return t, err }
	}
	return []sourceRow{
		{name: "sealed tenant", answer: sealed(identity.Tenant{ID: tenantA})},
		{name: "unsealed tenant", answer: returns(&identity.Tenant{ID: tenantA}, nil)},
		{name: "unsealed tenant in upper case", answer: returns(&identity.Tenant{ID: strings.ToUpper(tenantA)}, nil)},
		{name: "copy of a sealed tenant", answer: changed(func(*identity.Tenant) {})},
		{name: "changed copy of a sealed tenant", answer: changed(func(t *identity.Tenant) { t.Version = 1 }), want: identity.ErrVersion},
		{name: "changed copy for another cloud", answer: changed(func(t *identity.Tenant) { t.Cloud = identity.China }), want: identity.ErrIssuer},
		{
			name: "bad copy of a sealed tenant", answer: changed(func(t *identity.Tenant) { t.Version = 3 }),
			want: identity.ErrTenantInvalid, log: "Version: 3",
		},

		{name: "unknown", answer: returns(nil, identity.ErrUnknownTenant), want: identity.ErrUnknownTenant},
		{name: "unknown with a tenant", answer: returns(&identity.Tenant{ID: tenantA}, identity.ErrUnknownTenant), want: identity.ErrUnknownTenant},
		{name: "unknown wrapped", answer: returns(nil, fmt.Errorf("%w: by the sea", identity.ErrUnknownTenant)), want: identity.ErrUnknownTenant},
		{name: "nothing", answer: returns(nil, nil), want: identity.ErrUnknownTenant},
		{name: "error", answer: returns(nil, errSource), want: identity.ErrTenantsUnavailable, log: "database on fire"},
		{name: "error with a tenant", answer: returns(&identity.Tenant{ID: tenantA}, errSource), want: identity.ErrTenantsUnavailable, log: "database on fire"},
		{name: "context error", answer: returns(nil, context.DeadlineExceeded), want: identity.ErrTenantsUnavailable, log: "deadline"},
		{name: "another refusal", answer: returns(nil, &identity.Error{Status: 200}), want: identity.ErrTenantsUnavailable},
		{name: "a sentinel that is not about tenants", answer: returns(nil, identity.ErrExpired), want: identity.ErrTenantsUnavailable, log: "token_expired"},
		{
			name:   "panic",
			answer: func(context.Context, identity.Issuer) (*identity.Tenant, error) { panic("the sky is falling") },
			want:   identity.ErrInternal, log: "the sky is falling",
		},
		{
			name: "nil pointer",
			answer: func(context.Context, identity.Issuer) (*identity.Tenant, error) {
				return nil, (*identity.Error)(nil).Unwrap()
			},
			want: identity.ErrInternal, log: "nil pointer",
		},

		{name: "another tenant", answer: returns(&identity.Tenant{ID: tenantB}, nil), want: identity.ErrTenantInvalid, log: tenantB},
		{name: "another sealed tenant", answer: func(ctx context.Context, _ identity.Issuer) (*identity.Tenant, error) {
			iss, _ := identity.ParseIssuer("https://login.microsoftonline.com/" + tenantB + "/v2.0")
			return sealed(identity.Tenant{ID: tenantB})(ctx, iss)
		}, want: identity.ErrTenantInvalid, log: tenantB},
		{name: "zero tenant", answer: returns(new(identity.Tenant), nil), want: identity.ErrTenantInvalid, log: "ID: "},
		{name: "tenant by its domain", answer: returns(&identity.Tenant{ID: "contoso.onmicrosoft.com"}, nil), want: identity.ErrTenantInvalid, log: "ID: "},
		{name: "B2C in place of a workforce tenant", answer: returns(new(b2cWith(func(*identity.B2C) {})), nil), want: identity.ErrIssuer},
		{name: "External in place of a workforce tenant", answer: returns(&identity.Tenant{ID: tenantA, External: new(identity.External)}, nil), want: identity.ErrIssuer},
		{name: "other cloud", answer: returns(&identity.Tenant{ID: tenantA, Cloud: identity.USGovernment}, nil), want: identity.ErrIssuer},
	}
}

// changed is a source that answers with a changed copy of what a registry holds.
func changed(change func(*identity.Tenant)) func(context.Context, identity.Issuer) (*identity.Tenant, error) {
	registry := workforceA()
	return func(ctx context.Context, iss identity.Issuer) (*identity.Tenant, error) {
		t, err := registry.Tenant(ctx, iss)
		if err != nil {
			return nil, err
		}
		c := *t
		change(&c)
		return &c, nil
	}
}

// D25: what a source answers, by itself and behind a cache. None of the refusals asks for a key.
func TestTenantSource(t *testing.T) {
	t.Parallel()
	for _, row := range sourceRows() {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s cached=%v", row.name, cached), func(t *testing.T) {
				t.Parallel()
				a := newAPI(t, func(cfg *identity.Config) {
					cfg.Tenants = identity.TenantFunc(row.answer)
					if cached {
						cfg.Tenants = identity.CachedTenants(cfg.Tenants, 1e9)
					}
				})
				for range 2 { // the second time through the cache, where there is one
					got := a.get(a.token())
					if row.want == nil {
						got.accepted(t)
						continue
					}
					e := got.refused(t, row.want)
					requireNoFetch(t, a.idp)
					if !strings.Contains(a.log.String(), row.log) {
						t.Fatalf("%q is not in the log: %s", row.log, a.log)
					}
					if row.log != "" && strings.Contains(got.body+fmt.Sprint(got.header)+e.Description, row.log) {
						t.Fatalf("%q is in the answer: %s", row.log, got.body)
					}
				}
			})
		}
	}
}
