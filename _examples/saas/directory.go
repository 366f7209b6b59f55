package main

import "github.com/echo-identity/identity/mockidp"

// The registration of the service. In Microsoft's portal: multi-tenant, two redirect URIs of the web platform, a client secret, a scope,
// and groupMembershipClaims "DirectoryRole" in the manifest.
const (
	serviceID     = "cccccccc-3333-4333-8333-cccccccccccc"
	serviceSecret = "a-secret-of-the-example" // in production from a vault
	publisher     = "0de50de5-0000-4000-8000-000000000001"
	ordersScope   = "api://" + serviceID + "/Orders.ReadWrite"
)

// customer is a company with a tenant, in which one user is an administrator and another is not.
type customer struct {
	name, tenant, domain string
	admin, member        string
}

var (
	contoso   = customer{"Contoso", mockidp.Contoso, "contoso", "pat@contoso.example", "jo@contoso.example"}
	fabrikam  = customer{"Fabrikam", mockidp.Fabrikam, "fabrikam", "ada@fabrikam.example", "kim@fabrikam.example"}
	customers = []customer{contoso, fabrikam}
)

// directory is what the stand-in for Microsoft knows.
func directory(service string) mockidp.Directory {
	d := mockidp.Directory{Tenants: []mockidp.Tenant{{ID: publisher, Domain: "ordersinc", Applications: []mockidp.Application{{
		ID: serviceID, Name: "Orders for everybody", MultiTenant: true, NeedsAdminConsent: true, TokenVersion: 2, Secrets: []string{serviceSecret},
		RedirectURIs: mockidp.RedirectURIs{Web: []string{service + "/consented", service + "/signed-in"}},
		Scopes:       []string{"Orders.ReadWrite"}, OptionalClaims: []string{"wids"},
		Permissions: []mockidp.Permission{{API: serviceID, Scopes: []string{"Orders.ReadWrite"}}},
	}}}}}
	names := []string{"Pat Poe", "Jo Doe", "Ada Fabri", "Kim Guest"}
	for i, c := range customers {
		d.Tenants = append(d.Tenants, mockidp.Tenant{ID: c.tenant, Domain: c.domain, Users: []mockidp.Account{
			{ID: "eeeeeeee-5555-4555-8555-00000000000" + string(rune('1'+2*i)), Name: names[2*i], Login: c.admin, DirectoryRoles: []string{mockidp.GlobalAdministrator}},
			{ID: "eeeeeeee-5555-4555-8555-00000000000" + string(rune('2'+2*i)), Name: names[2*i+1], Login: c.member},
		}})
	}
	return d
}
