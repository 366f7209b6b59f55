package mockidp

import (
	"fmt"
	"slices"
	"strings"
)

// The identifiers of the default directory and of the tokens made for it. They are fake, but for [PersonalAccounts].
const (
	Contoso          = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa" // workforce tenant contoso.onmicrosoft.com
	Fabrikam         = "bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb" // workforce tenant fabrikam.onmicrosoft.com
	Shop             = "b2cb2cb2-7777-4777-8777-b2cb2cb2b2cb" // B2C tenant contosob2c, policies B2C_1_susi and B2C_1A_custom
	Customers        = "c1a0c1a0-8888-4888-8888-c1a0c1a0c1a0" // External ID tenant contosocx
	API              = "cccccccc-3333-4333-8333-cccccccccccc" // the audience of tokens
	Client           = "dddddddd-4444-4444-8444-dddddddddddd" // the client that tokens were issued to
	User             = "eeeeeeee-5555-4555-8555-eeeeeeeeeeee" // the object ID of the user
	GuestUser        = "99999999-9999-4999-8999-999999999999" // the object ID of a guest in the tenant that invited it
	ServicePrincipal = "ffffffff-6666-4666-8666-ffffffffffff" // the object ID in app-only tokens
	PersonalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad" // Microsoft's real tenant of personal accounts
)

// Kind is the product that a tenant belongs to. The zero value is [Workforce].
type Kind int

// The kinds of tenants.
const (
	Workforce Kind = iota // Entra ID
	B2C                   // Azure AD B2C
	External              // Entra External ID (CIAM)
)

// String names the kind, for messages.
func (k Kind) String() string {
	switch k {
	case Workforce:
		return "Workforce"
	case B2C:
		return "B2C"
	case External:
		return "External"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Tenant describes a tenant. It is plain data: a server copies it, later changes have no effect.
type Tenant struct {
	// ID is the tenant's GUID, in any case. Required.
	ID string
	// Kind is the product. Zero means [Workforce].
	Kind Kind
	// Domain is the first label of the initial domain ("contoso" for contoso.onmicrosoft.com), or a whole domain name. B2C needs it
	// unless Hosts or a private Cloud is set; elsewhere empty means that the tenant is reached by its GUID alone.
	Domain string
	// Cloud is where the tenant lives. Zero means [Public].
	Cloud Cloud
	// Hosts are custom domains, "host" or "host:port", for B2C and External ID. The issuer on them names them. To have an External
	// ID tenant issue from its name host, list it here ("contosocx.ciamlogin.com").
	Hosts []string
	// Policies are the names of B2C user flows and custom policies. B2C needs at least one.
	Policies []string
}

// defaultTenants is the directory of a server made without WithTenants.
func defaultTenants() []Tenant {
	return []Tenant{
		{ID: Contoso, Domain: "contoso"},
		{ID: Fabrikam, Domain: "fabrikam"},
		{ID: Shop, Kind: B2C, Domain: "contosob2c", Policies: []string{"B2C_1_susi", "B2C_1A_custom"}},
		{ID: Customers, Kind: External, Domain: "contosocx"},
	}
}

// tenant is a checked Tenant. It is immutable: changing a tenant puts a new one in its place.
type tenant struct {
	Tenant
	cloud *cloudFacts
}

// checked copies and checks what the caller described. It panics on a mistake.
func (t Tenant) checked() *tenant {
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("mockidp: tenant %q: ", t.ID) + fmt.Sprintf(format, args...))
	}
	t.ID = strings.ToLower(t.ID)
	t.Domain = strings.ToLower(t.Domain)
	t.Hosts, t.Policies = slices.Clone(t.Hosts), slices.Clone(t.Policies)
	for i, h := range t.Hosts {
		t.Hosts[i] = strings.ToLower(h)
		if h == "" || strings.ContainsAny(h, "/@?# ") {
			fail("Hosts: %q is not a host", h)
		}
	}
	switch {
	case !isGUID(t.ID):
		fail("ID is not a GUID")
	case t.ID == PersonalAccounts:
		fail("the tenant of personal accounts is part of every cloud")
	case t.Kind < Workforce || t.Kind > External:
		fail("unknown %v", t.Kind)
	case t.Kind == Workforce && len(t.Hosts) > 0:
		fail("Hosts: a workforce tenant has no custom domain")
	case t.Kind != B2C && len(t.Policies) > 0:
		fail("Policies: only B2C has policies")
	case t.Kind == B2C && len(t.Policies) == 0:
		fail("Policies: B2C needs at least one")
	}
	valid := &tenant{Tenant: t, cloud: t.Cloud.facts()}
	if len(valid.hosts()) == 0 {
		fail("Domain, Hosts or a private Cloud is needed to reach a B2C tenant")
	}
	return valid
}

// isGUID checks the shape 8-4-4-4-12 of lower-case hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c < '0' || c > 'f' || (c > '9' && c < 'a'):
			return false
		}
	}
	return true
}

// hosts lists where the tenant is reached, the canonical one first. For workforce tenants those are the cloud's.
func (t *tenant) hosts() []string {
	label := strings.SplitN(t.Domain, ".", 2)[0]
	switch {
	case t.Kind == Workforce:
		return t.cloud.hosts
	case !t.cloud.known():
		return append([]string{hostOf(t.cloud.origin)}, t.Hosts...)
	case t.Kind == External && label != "":
		return append([]string{t.ID + ".ciamlogin.com", label + ".ciamlogin.com"}, t.Hosts...)
	case t.Kind == External:
		return append([]string{t.ID + ".ciamlogin.com"}, t.Hosts...)
	case label != "":
		return append([]string{label + t.cloud.b2c}, t.Hosts...)
	}
	return t.Hosts
}

// origin is the scheme and host of the tenant's default issuer.
func (t *tenant) origin() string {
	if t.Kind == Workforce || !t.cloud.known() {
		return t.cloud.origin
	}
	return "https://" + t.hosts()[0]
}

// domain is the tenant's initial domain, or empty.
func (t *tenant) domain() string {
	if t.Domain == "" || strings.Contains(t.Domain, ".") {
		return t.Domain
	}
	return t.Domain + t.cloud.domain
}

// policy finds the configured spelling of a policy; names compare without case.
func (t *tenant) policy(name string) (string, bool) {
	for _, p := range t.Policies {
		if strings.EqualFold(p, name) {
			return p, true
		}
	}
	return "", false
}

// issuerAt is the v2 issuer when the tenant issues from origin.
func (t *tenant) issuerAt(origin string) string {
	if t.Kind == B2C {
		return origin + "/" + t.ID + "/v2.0/"
	}
	return origin + "/" + t.ID + "/v2.0"
}

// v1Issuer is the same whatever host the tenant is reached at.
func (t *tenant) v1Issuer() string {
	return t.cloud.sts + "/" + t.ID + "/"
}

// TenantHandle makes tokens of one tenant and reaches its keys. It stays usable when the tenant is removed from the server, so
// that a test can present the token of a tenant that is no longer there. It is safe for concurrent use.
type TenantHandle struct {
	srv *Server
	t   *tenant
}

// ID is the tenant's GUID, in lower case.
func (t *TenantHandle) ID() string { return t.t.ID }

// Kind is the product that the tenant belongs to.
func (t *TenantHandle) Kind() Kind { return t.t.Kind }

// Tenant is a copy of the tenant's description.
func (t *TenantHandle) Tenant() Tenant {
	d := t.t.Tenant
	d.Hosts, d.Policies = slices.Clone(d.Hosts), slices.Clone(d.Policies)
	return d
}

// Issuer is the issuer of the tenant's v2 tokens: the final slash of B2C included.
func (t *TenantHandle) Issuer() string { return t.t.issuerAt(t.t.origin()) }

// V1Issuer is the issuer of the tenant's v1 tokens.
func (t *TenantHandle) V1Issuer() string { return t.t.v1Issuer() }

// DiscoveryURL is the address of the v2 document; for B2C the one of the first policy.
func (t *TenantHandle) DiscoveryURL() string {
	base := t.t.origin() + "/" + t.t.ID
	if t.t.Kind == B2C {
		base += "/" + strings.ToLower(t.t.Policies[0])
	}
	return base + "/v2.0/.well-known/openid-configuration"
}

// Keys is the set that the tenant's tokens are signed from: that of its cloud, of its first B2C policy, or its own (External ID).
func (t *TenantHandle) Keys() *KeySet {
	switch t.t.Kind {
	case B2C:
		return t.PolicyKeys(t.t.Policies[0])
	case External:
		return t.srv.keySet(keySetID{kind: External, tenant: t.t.ID, cloud: t.t.cloud.cloud})
	}
	return t.srv.CloudKeys(t.t.cloud.cloud)
}

// PolicyKeys is the set of a B2C policy, which is served on all hosts of the tenant. It panics when the tenant has no such policy.
func (t *TenantHandle) PolicyKeys(policy string) *KeySet {
	name, ok := t.t.policy(policy)
	if !ok {
		panic(fmt.Sprintf("mockidp: tenant %s has no policy %q", t.t.ID, policy))
	}
	return t.srv.keySet(keySetID{kind: B2C, tenant: t.t.ID, policy: strings.ToLower(name), cloud: t.t.cloud.cloud})
}

// AppKeys is the set of an application with signing keys of its own, served with ?appid=. Tokens are signed from it only when
// told so: SignedBy(t.AppKeys(id).Signing()). It panics for B2C and when appID is not a GUID.
func (t *TenantHandle) AppKeys(appID string) *KeySet {
	appID = strings.ToLower(appID)
	if t.t.Kind == B2C || !isGUID(appID) {
		panic(fmt.Sprintf("mockidp: tenant %s: no keys of an application %q", t.t.ID, appID))
	}
	return t.srv.keySet(keySetID{kind: t.t.Kind, tenant: t.t.ID, app: appID, cloud: t.t.cloud.cloud})
}
