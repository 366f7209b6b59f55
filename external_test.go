package identity_test

import (
	"slices"
	"testing"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

const (
	customersHost   = mockidp.Customers + ".ciamlogin.com"
	customersName   = "contosocx.ciamlogin.com"
	customersDomain = "login.contosocx.example"
)

// customersAPI is an API that trusts the External ID directory, which the mock also serves on a custom domain.
func customersAPI(t testing.TB, external identity.External, change func(*identity.Tenant)) *api {
	t.Helper()
	idp := mockidp.New()
	idp.AddTenant(mockidp.Tenant{ID: mockidp.Customers, Kind: mockidp.External, Domain: "contosocx", Hosts: []string{customersDomain}})
	tenant := identity.Tenant{ID: mockidp.Customers, Name: "app", External: &external}
	if change != nil {
		change(&tenant)
	}
	return newAPIOn(t, idp, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(tenant) })
}

// customersRow is a token of the External ID directory.
type customersRow struct {
	name     string
	external identity.External
	change   func(*identity.Tenant)
	opts     []mockidp.TokenOption
	want     error
	host     string // that is asked for keys; empty means the tenant's own
}

func (row customersRow) run(t *testing.T) {
	t.Parallel()
	a := customersAPI(t, row.external, row.change)
	got := a.get(a.idp.Tenant(mockidp.Customers).Token(row.opts...))
	if row.want != nil {
		got.refused(t, row.want)
		requireNoFetch(t, a.idp)
		return
	}
	if p := got.accepted(t); p.TenantID != mockidp.Customers || p.Version != "2.0" {
		t.Fatalf("got=%s, version %s", p.TenantID, p.Version)
	}
	if row.host == "" {
		row.host = customersHost
	}
	// F5
	var asked []string
	for _, r := range a.idp.Requests() {
		if r.Host == "login.microsoftonline.com" {
			t.Errorf("asked %s%s", r.Host, r.Path)
		}
		if r.Endpoint == mockidp.Discovery {
			asked = append(asked, r.Scheme+"://"+r.Host+r.Path)
		}
	}
	if want := []string{"https://" + row.host + "/" + mockidp.Customers + "/v2.0/.well-known/openid-configuration"}; !slices.Equal(asked, want) {
		t.Errorf("discovery: got=%q, want=%q", asked, want)
	}
}

func TestExternal(t *testing.T) {
	t.Parallel()
	claim := mockidp.Claim
	domain := identity.External{Domain: "contosocx"}
	iss := func(host, tenant string) []mockidp.TokenOption {
		return options(claim("iss", "https://"+host+"/"+tenant+"/v2.0"))
	}
	const stranger = tenantX + ".ciamlogin.com"
	for _, row := range []customersRow{
		{name: "F1", external: domain},
		{name: "F1 without a domain"},
		{name: "F1 whole domain", external: identity.External{Domain: "contosocx.onmicrosoft.com"}},
		{name: "F2", external: identity.External{Hosts: []string{customersDomain}}, opts: options(mockidp.IssuedBy(customersDomain)), host: customersDomain},
		{name: "F2 origin", external: identity.External{Hosts: []string{"https://" + customersDomain + "/"}}, opts: options(mockidp.IssuedBy(customersDomain)), host: customersDomain},
		{name: "F2 and the tenant's own host", external: identity.External{Hosts: []string{customersDomain}}},
		{name: "F3", external: domain, opts: iss(customersHost, mockidp.Customers)},
		{name: "F4", external: domain, opts: options(mockidp.IssuedBy(customersName)), want: identity.ErrIssuer},
		{name: "F4 listed", external: identity.External{Hosts: []string{customersName}}, opts: options(mockidp.IssuedBy(customersName)), host: customersName},
		{name: "F4 another name", external: identity.External{Hosts: []string{customersName}}, opts: iss("attacker.ciamlogin.com", mockidp.Customers), want: identity.ErrIssuer},
		{name: "F6", external: domain, opts: iss(customersHost, tenantX), want: identity.ErrUnknownTenant},
		{name: "F6 reversed", external: domain, opts: iss(stranger, mockidp.Customers), want: identity.ErrIssuer},
		{name: "F6 with the tid of the path", external: domain, opts: append(iss(customersHost, tenantX), claim("tid", tenantX)), want: identity.ErrUnknownTenant},
		{name: "F7 not registered", external: domain, opts: options(mockidp.IssuedBy(customersDomain)), want: identity.ErrIssuer},
		{name: "F7 another custom domain", external: identity.External{Hosts: []string{customersDomain}}, opts: iss("login.attacker.example", mockidp.Customers), want: identity.ErrIssuer},

		{name: "workforce issuer", external: domain, opts: iss("login.microsoftonline.com", mockidp.Customers), want: identity.ErrIssuer},
		{name: "final slash", external: domain, opts: options(claim("iss", "https://"+customersHost+"/"+mockidp.Customers+"/v2.0/")), want: identity.ErrUnknownTenant},
		{name: "v1 form", external: domain, opts: options(claim("iss", "https://"+customersHost+"/"+mockidp.Customers+"/"), claim("ver", "1.0")), want: identity.ErrIssuer},
		{name: "v1 token", external: domain, opts: options(mockidp.V1()), want: identity.ErrIssuer},
		{name: "ver 1.0", external: domain, opts: options(claim("ver", "1.0")), want: identity.ErrVersion},
		{name: "tid missing", external: domain, opts: options(mockidp.Without("tid")), want: identity.ErrTenantMismatch},
		{name: "tid of another tenant", external: domain, opts: options(claim("tid", tenantA)), want: identity.ErrTenantMismatch},
	} {
		t.Run(row.name, row.run)
	}
}

// F2, F7: several hosts at once, each with its own documents.
func TestExternalHosts(t *testing.T) {
	t.Parallel()
	a := customersAPI(t, identity.External{Domain: "contosocx", Hosts: []string{customersDomain, customersName}}, nil)
	hosts := []string{customersHost, customersName, customersDomain}
	for range 2 {
		for _, host := range hosts {
			a.get(a.idp.Tenant(mockidp.Customers).Token(mockidp.IssuedBy(host))).accepted(t)
		}
	}
	for _, host := range hosts {
		if n := a.idp.CountIf(func(r mockidp.Request) bool { return r.Host == host && r.Endpoint == mockidp.Discovery }); n != 1 {
			t.Errorf("discovery documents of %s: got=%d, want=1", host, n)
		}
	}
}

// F5: a key of the workforce cloud signs nothing here, and the reverse.
func TestExternalKeys(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) {
		cfg.Tenants = identity.NewRegistry(identity.Tenant{ID: tenantA}, identity.Tenant{ID: mockidp.Customers, External: new(identity.External)})
	})
	customers, workforce := a.idp.Tenant(mockidp.Customers), a.idp.Tenant(tenantA)
	customersKey, workforceKey := customers.Keys().Signing(), workforce.Keys().Signing()
	a.get(customers.Token(mockidp.SignedBy(workforceKey))).refused(t, identity.ErrKeyNotFound)
	a.get(customers.Token(mockidp.SignedBy(workforceKey.WithID(customersKey.ID())))).refused(t, identity.ErrSignature)
	a.get(workforce.Token(mockidp.SignedBy(customersKey))).refused(t, identity.ErrKeyNotFound)
	a.get(customers.Token()).accepted(t)
	a.get(workforce.Token()).accepted(t)
}

// F1: the tenant is the one of the entry, and its rules count.
func TestExternalRules(t *testing.T) {
	t.Parallel()
	a := customersAPI(t, identity.External{Domain: "contosocx"}, func(t *identity.Tenant) { t.Clients = []string{mockidp.Client} })
	customers := a.idp.Tenant(mockidp.Customers)
	if p := a.get(customers.Token()).accepted(t); p.Tenant().Name != "app" {
		t.Fatalf("entry: got=%q, want=app", p.Tenant().Name)
	}
	a.get(customers.Token(mockidp.ClientID(mockidp.User))).refused(t, identity.ErrClient)
}
