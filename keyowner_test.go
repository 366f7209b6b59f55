package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// The tenants with key sets of their own. Each of them issues tokens of its own kind for the same API.
var (
	governmentTenant = mockidp.Tenant{ID: "a0a0a0a0-0000-4000-8000-000000000001", Domain: "agency", Cloud: mockidp.USGovernment}
	appKeysTenant    = mockidp.Tenant{ID: "a0a0a0a0-0000-4000-8000-000000000002", Domain: "mapped"}
	shopTenant       = mockidp.Tenant{ID: mockidp.Shop, Kind: mockidp.B2C, Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}}
	appTenant        = mockidp.Tenant{ID: mockidp.Customers, Kind: mockidp.External, Domain: "contosocx"}
)

// owner is a tenant, and what says which keys are its own.
type owner struct {
	name   string
	tenant *mockidp.TenantHandle
	keys   *mockidp.KeySet
	opts   []mockidp.TokenOption
	asks   string // part of the address of its key set
}

func owners(idp *mockidp.Server) []owner {
	public, government, mapped := idp.Tenant(tenantA), idp.Tenant(governmentTenant.ID), idp.Tenant(appKeysTenant.ID)
	shop, app := idp.Tenant(mockidp.Shop), idp.Tenant(mockidp.Customers)
	return []owner{
		{"public cloud", public, public.Keys(), nil, "login.microsoftonline.com/common/discovery"},
		{"government cloud", government, government.Keys(), nil, "login.microsoftonline.us/common/discovery"},
		{"B2C policy", shop, shop.Keys(), nil, "contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1_susi/discovery"},
		{"another B2C policy", shop, shop.PolicyKeys("B2C_1A_custom"), []mockidp.TokenOption{mockidp.Policy("B2C_1A_custom")},
			"contosob2c.b2clogin.com/" + mockidp.Shop + "/b2c_1a_custom/discovery"},
		{"External ID", app, app.Keys(), nil, mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/discovery"},
		{"AppKeys", mapped, mapped.AppKeys(mockidp.API), nil, "login.microsoftonline.com/" + appKeysTenant.ID + "/discovery"},
	}
}

func (o owner) signed(key *mockidp.Key) string {
	return o.tenant.Token(append([]mockidp.TokenOption{mockidp.SignedBy(key), mockidp.ExpiresIn(24 * time.Hour)}, o.opts...)...)
}

// asked counts the requests for the owner's key set.
func (o owner) asked(idp *mockidp.Server) int {
	return idp.CountIf(func(r mockidp.Request) bool {
		return r.Endpoint == mockidp.JWKS && strings.HasPrefix(r.Host+r.Path, o.asks)
	})
}

func newOwnersAPI(t testing.TB) *keyAPI {
	t.Helper()
	idp := mockidp.New(mockidp.WithTenants(mockidp.Tenant{ID: tenantA, Domain: "contoso"}, governmentTenant, appKeysTenant, shopTenant, appTenant))
	return newKeyAPI(t, idp, func(cfg *identity.Config) {
		tenants := allKinds()
		if err := tenants.Add(
			identity.Tenant{ID: governmentTenant.ID, Cloud: identity.USGovernment},
			identity.Tenant{ID: appKeysTenant.ID, AppKeys: true},
		); err != nil {
			t.Fatal(err)
		}
		cfg.Tenants = tenants
	})
}

// B21: different keys under one kid, in the sets of tenants that have nothing to do with each other.
func TestSameKidInDifferentSets(t *testing.T) {
	t.Parallel()
	a := newOwnersAPI(t)
	all := owners(a.idp)
	keys := make([]*mockidp.Key, len(all))
	for i, o := range all {
		keys[i] = o.keys.NewKey().WithID("shared")
		o.keys.Publish(keys[i])
	}
	for i, o := range all {
		for j, key := range keys {
			got := a.get(o.signed(key))
			if i == j {
				got.accepted(t)
			} else if got.refused(t, identity.ErrSignature); got.status == 0 {
				t.Fatalf("%s accepts the key of %s", o.name, all[j].name)
			}
		}
	}
	for _, o := range all {
		if got := o.asked(a.idp); got != 1 {
			t.Fatalf("%s: got=%d fetches, want=1", o.name, got)
		}
	}
	a.fetched(t, len(all), len(all))
}

// B22: a kid that only another tenant's set knows makes a tenant ask for its own set once, and for no other.
func TestKidOfAnotherSet(t *testing.T) {
	t.Parallel()
	a := newOwnersAPI(t)
	all := owners(a.idp)
	for _, o := range all {
		a.get(o.signed(o.keys.Signing())).accepted(t)
	}
	for i, o := range all {
		for j, other := range all {
			if i == j {
				continue
			}
			before := other.asked(a.idp)
			a.get(o.signed(other.keys.Signing())).refused(t, identity.ErrKeyNotFound)
			if other.asked(a.idp) != before {
				t.Fatalf("a token of %s made us ask for the keys of %s", o.name, other.name)
			}
		}
		if got := o.asked(a.idp); got != 2 {
			t.Fatalf("%s: got=%d fetches, want=2: the first, and a forced one", o.name, got)
		}
	}
	for _, o := range all {
		a.get(o.signed(o.keys.Signing())).accepted(t)
	}
}

// C25: a tenant with AppKeys is asked for the keys of this API's registration, in both documents.
func TestAppKeys(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{false, true} {
		id, tenant := tenantA, identity.Tenant{ID: tenantA, AppKeys: true}
		if external {
			id, tenant = mockidp.Customers, identity.Tenant{ID: mockidp.Customers, AppKeys: true, External: &identity.External{Domain: "contosocx"}}
		}
		idp := mockidp.New()
		own := idp.Tenant(id).Token(mockidp.SignedBy(idp.Tenant(id).AppKeys(mockidp.API).Signing()))
		common := idp.Tenant(id).Token()

		a := newKeyAPI(t, idp, func(cfg *identity.Config) {
			cfg.Tenants = identity.NewRegistry(tenant)
			cfg.ClientID = strings.ToUpper(mockidp.API)
		})
		a.get(own).accepted(t)
		a.fetched(t, 1, 1)
		for _, r := range idp.Requests() {
			if r.RawQuery != "appid="+mockidp.API || r.Tenant != id {
				t.Fatalf("asked %s%s?%s, want the tenant's own document with appid", r.Host, r.Path, r.RawQuery)
			}
		}
		a.get(common).refused(t, identity.ErrKeyNotFound)

		tenant.AppKeys = false // the neighbour
		b := newKeyAPI(t, idp, func(cfg *identity.Config) { cfg.Tenants = identity.NewRegistry(tenant) })
		b.get(common).accepted(t)
		b.get(own).refused(t, identity.ErrKeyNotFound)
	}
}
