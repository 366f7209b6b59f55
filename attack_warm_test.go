package identity_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
)

// warmAttack is a token that has been verified, and is in the cache, when something changes. Where a key changes, the change counts
// with the next refresh of its set.
type warmAttack struct {
	name, source string
	tenant       string // whose token it is; default contoso
	opts         []mockidp.TokenOption
	change       func(t *testing.T, w *warmWorld)
	ofKeys       bool
	want         error
}

// warmWorld is what can change.
type warmWorld struct {
	*keyAPI
	tenants *identity.Registry
}

// set replaces a tenant of everyKind.
func (w *warmWorld) set(t *testing.T, tenant identity.Tenant) {
	t.Helper()
	if err := w.tenants.Add(tenant); err != nil {
		t.Fatal(err)
	}
}

func (w *warmWorld) keySet(id string) *mockidp.KeySet { return w.idp.Tenant(id).Keys() }

// replaced publishes one key in the place of contoso's.
func replaced(change func(key *mockidp.Key) *mockidp.Key) func(*testing.T, *warmWorld) {
	return func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(tenantA)
		keys.Replace(change(keys.Signing()), keys.NewKey())
	}
}

// member publishes contoso's key with a change of its JWK.
func member(name string, value any) func(*testing.T, *warmWorld) {
	return replaced(func(key *mockidp.Key) *mockidp.Key { return key.WithJWK(name, value) })
}

const (
	revoked     = "RFC 7009 §1: revocation must mean it; RFC 7662 §4: what is cached outlives its token"
	rotation    = "RFC 7517 §4; NIST SP 800-57 part 1 §8.3: revocation of keys"
	newRules    = "CWE-613: rules that a cached decision has outlived"
	storm0558   = "Storm-0558, July 2023"
	republished = "RFC 7517 §4.2 to §4.4"
)

var warmAttacks = []warmAttack{
	{name: "its tenant is removed", source: revoked, want: identity.ErrUnknownTenant, change: func(_ *testing.T, w *warmWorld) { w.tenants.Remove(tenantA) }},
	{name: "all tenants are replaced", source: revoked, want: identity.ErrUnknownTenant, change: func(t *testing.T, w *warmWorld) {
		if err := w.tenants.Replace(identity.Tenant{ID: tenantB}); err != nil {
			t.Fatal(err)
		}
	}},
	{name: "its B2C directory is removed", source: revoked, tenant: mockidp.Shop, want: identity.ErrUnknownTenant, change: func(_ *testing.T, w *warmWorld) { w.tenants.Remove(mockidp.Shop) }},
	{name: "its customers' directory is removed", source: revoked, tenant: mockidp.Customers, want: identity.ErrUnknownTenant,
		change: func(_ *testing.T, w *warmWorld) { w.tenants.Remove(mockidp.Customers) }},

	{name: "its policy is removed", source: newRules, tenant: mockidp.Shop, want: identity.ErrPolicy, change: func(t *testing.T, w *warmWorld) {
		w.set(t, shop(func(tenant *identity.Tenant) { tenant.B2C.Policies = []string{"B2C_1A_custom"} }))
	}},
	{name: "its B2C host is another one", source: newRules, tenant: mockidp.Shop, want: identity.ErrIssuer, change: func(t *testing.T, w *warmWorld) {
		w.set(t, shop(func(tenant *identity.Tenant) { tenant.B2C.Domain = "fabrikamb2c" }))
	}},
	{name: "its tenant moves to another cloud", source: newRules, want: identity.ErrIssuer, change: func(t *testing.T, w *warmWorld) {
		w.set(t, identity.Tenant{ID: tenantA, Cloud: identity.USGovernment})
	}},
	{name: "its tenant accepts v1.0 alone", source: newRules, want: identity.ErrVersion, change: func(t *testing.T, w *warmWorld) { w.set(t, identity.Tenant{ID: tenantA, Version: 1}) }},
	{name: "its tenant accepts v2.0 alone", source: newRules, opts: options(mockidp.V1()), want: identity.ErrVersion,
		change: func(t *testing.T, w *warmWorld) { w.set(t, identity.Tenant{ID: tenantA, Version: 2}) }},
	{name: "its audience is another one", source: newRules, want: identity.ErrAudience, change: func(t *testing.T, w *warmWorld) {
		w.set(t, identity.Tenant{ID: tenantA, Audiences: []string{"api://other"}})
	}},
	{name: "its client is locked out", source: newRules, want: identity.ErrClient, change: func(t *testing.T, w *warmWorld) {
		w.set(t, identity.Tenant{ID: tenantA, Clients: []string{mockidp.WebClient}})
	}},
	{name: "its guest is locked out", source: newRules, opts: options(mockidp.Guest(tenantB)), want: identity.ErrGuest,
		change: func(t *testing.T, w *warmWorld) { w.set(t, identity.Tenant{ID: tenantA, DenyGuests: true}) }},
	{name: "permissions are asked for again", source: newRules, tenant: tenantB, opts: options(mockidp.Scopes()), want: identity.ErrNoPermissions,
		change: func(t *testing.T, w *warmWorld) { w.set(t, identity.Tenant{ID: tenantB}) }},
	{name: "its tenant gets keys of its own", source: newRules, want: identity.ErrKeyNotFound,
		change: func(t *testing.T, w *warmWorld) { w.set(t, identity.Tenant{ID: tenantA, AppKeys: true}) }},

	{name: "it expires", source: "RFC 7519 §4.1.4", want: identity.ErrExpired, change: func(_ *testing.T, w *warmWorld) { w.at(301 * 24 * time.Hour) }},
	{name: "its B2C token expires", source: "RFC 7519 §4.1.4", tenant: mockidp.Shop, want: identity.ErrExpired, change: func(_ *testing.T, w *warmWorld) { w.at(301 * 24 * time.Hour) }},

	{name: "its key is withdrawn", source: rotation, ofKeys: true, want: identity.ErrKeyNotFound, change: func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(tenantA)
		old := keys.Signing()
		keys.Rotate()
		keys.Withdraw(old)
	}},
	{name: "its policy's key is withdrawn", source: rotation, tenant: mockidp.Shop, ofKeys: true, want: identity.ErrKeyNotFound, change: func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(mockidp.Shop)
		keys.Replace(keys.NewKey())
	}},
	{name: "its directory's key is withdrawn", source: rotation, tenant: mockidp.Customers, ofKeys: true, want: identity.ErrKeyNotFound, change: func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(mockidp.Customers)
		keys.Replace(keys.NewKey())
	}},
	{name: "another key takes its kid", source: rotation, ofKeys: true, want: identity.ErrSignature, change: func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(tenantA)
		keys.Replace(keys.NewKey().WithID(keys.Signing().ID()))
	}},
	{name: "a second key takes its kid too", source: rotation + "; RFC 7517 §4.5", ofKeys: true, want: identity.ErrKeyUnusable, change: func(_ *testing.T, w *warmWorld) {
		keys := w.keySet(tenantA)
		keys.Publish(keys.NewKey().WithID(keys.Signing().ID()))
		keys.Publish(keys.NewKey())
	}},
	{name: "its key is for encryption now", source: republished, ofKeys: true, want: identity.ErrKeyUnusable, change: member("use", "enc")},
	{name: "its key is for another algorithm now", source: republished, ofKeys: true, want: identity.ErrKeyUnusable, change: member("alg", "PS256")},
	{name: "its key may only sign now", source: republished, ofKeys: true, want: identity.ErrKeyUnusable, change: member("key_ops", []string{"sign"})},
	{name: "its key is published whole", source: "RFC 7517 §9.2: anybody can sign", ofKeys: true, want: identity.ErrKeyUnusable, change: member("d", "AQAB")},
	{name: "its key has a small exponent now", source: "CVE-2006-4339", ofKeys: true, want: identity.ErrKeyUnusable, change: member("e", "Aw")},
	{name: "its key is a symmetric one now", source: "CVE-2015-9235", ofKeys: true, want: identity.ErrKeyUnusable, change: member("kty", "oct")},
	{name: "its key is another cloud's now", source: storm0558, ofKeys: true, want: identity.ErrKeyUnusable, change: member("cloud_instance_name", "microsoftonline.us")},
	{name: "its key is for personal accounts now", source: storm0558, ofKeys: true, want: identity.ErrKeyIssuer, change: replaced(func(key *mockidp.Key) *mockidp.Key {
		return key.WithIssuer("https://login.microsoftonline.com/" + mockidp.PersonalAccounts + "/v2.0")
	})},
	{name: "its key is for another tenant now", source: storm0558, ofKeys: true, want: identity.ErrKeyIssuer, change: replaced(func(key *mockidp.Key) *mockidp.Key {
		return key.WithIssuer("https://login.microsoftonline.com/" + tenantB + "/v2.0")
	})},
}

// What was true when a token was verified counts no longer than it is true.
func TestWarmAttacks(t *testing.T) {
	t.Parallel()
	for _, row := range warmAttacks {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			w := &warmWorld{tenants: identity.NewRegistry()}
			inBubble(t, hits(&n, func(cfg *identity.Config) {
				everyKind(cfg)
				w.tenants = cfg.Tenants.(*identity.Registry)
				if err := w.tenants.Add(identity.Tenant{ID: tenantB, AllowNoPermissions: true}); err != nil {
					t.Error(err)
				}
			}), func(t *testing.T, a *keyAPI) {
				w.keyAPI = a
				id := row.tenant
				if id == "" {
					id = tenantA
				}
				token := a.idp.Tenant(id).Token(append(options(mockidp.ExpiresIn(300*24*time.Hour)), row.opts...)...)
				a.get(token).accepted(t)
				a.get(token).accepted(t) // from the cache
				wantHits(t, &n, 1)
				row.change(t, w)
				if row.ofKeys {
					a.at(49 * time.Minute)
					a.get(token).accepted(t) // begins the refresh
					a.at(50 * time.Minute)
				}
				before := n.Load()
				for range 2 {
					a.get(token).refused(t, row.want)
				}
				wantHits(t, &n, before)
				if id != tenantB {
					a.get(a.idp.Tenant(tenantB).Token(mockidp.SignedBy(current(a)))).accepted(t)
				}
			})
		})
	}
}

// current is the latest of the keys that sign for workforce tenants, whatever a test has done to the first one.
func current(a *keyAPI) *mockidp.Key {
	keys := a.idp.CloudKeys(mockidp.Public)
	published := slices.DeleteFunc(keys.Published(), func(key *mockidp.Key) bool { return key.ID() == keys.Consumer().ID() })
	return published[len(published)-1]
}
