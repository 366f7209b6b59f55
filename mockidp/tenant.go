package mockidp

import (
	"fmt"
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
	ID string `json:"id"`
	// Kind is the product. Zero means [Workforce].
	Kind Kind `json:"kind,omitempty"`
	// Domain is the first label of the initial domain ("contoso" for contoso.onmicrosoft.com), or a whole domain name. B2C needs it
	// unless Hosts or a private Cloud is set; elsewhere empty means that the tenant is reached by its GUID alone.
	Domain string `json:"domain,omitempty"`
	// Cloud is where the tenant lives. Zero means [Public].
	Cloud Cloud `json:"cloud,omitempty"`
	// Hosts are custom domains, "host" or "host:port", for B2C and External ID. The issuer on them names them. To have an External
	// ID tenant issue from its name host, list it here ("contosocx.ciamlogin.com").
	Hosts []string `json:"hosts,omitempty"`
	// Policies are the names of B2C user flows and custom policies. B2C needs at least one.
	Policies []string `json:"policies,omitempty"`
	// Users and Applications are who can sign in, and where to. Tokens made with [TenantHandle.Token] need neither.
	Users        []Account     `json:"users,omitempty"`
	Applications []Application `json:"applications,omitempty"`
	// EnterpriseApplications are what an administrator of the tenant has consented to for everybody in it. Only for workforce tenants.
	EnterpriseApplications []EnterpriseApplication `json:"enterpriseApplications,omitempty"`
}

// tenant is a checked Tenant. It is immutable: changing a tenant puts a new one in its place.
type tenant struct {
	Tenant
	cloud *cloudFacts

	added    int                     // when, counted: the order of lists
	accounts map[string]*Account     // by login, in lower case
	apps     map[string]*application // by client ID
	apis     map[string]*application // by Application ID URI, in lower case, and by client ID
}

// checked copies and checks what the caller described. It panics on a mistake.
func (t Tenant) checked() *tenant {
	t = t.clone()
	var p problems
	t.check(&p, "")
	if len(p) > 0 {
		panic(fmt.Sprintf("mockidp: tenant %q: %s", t.ID, strings.Join(p.texts(), "; ")))
	}
	valid := &tenant{Tenant: t, cloud: t.Cloud.facts()}
	valid.index()
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
	at  string // origin of issuers; empty: the tenant's own
}

// servedAt is the handle of the same tenant as clients see it that reach it at origin: issuers are there.
func (t *TenantHandle) servedAt(origin string) *TenantHandle {
	return &TenantHandle{srv: t.srv, t: t.t, at: origin}
}

// origin is the scheme and host of v2 issuers.
func (t *TenantHandle) origin() string {
	if t.at != "" {
		return t.at
	}
	return t.t.origin()
}

// ID is the tenant's GUID, in lower case.
func (t *TenantHandle) ID() string { return t.t.ID }

// Kind is the product that the tenant belongs to.
func (t *TenantHandle) Kind() Kind { return t.t.Kind }

// Tenant is a copy of the tenant's description.
func (t *TenantHandle) Tenant() Tenant {
	return t.t.Tenant.clone()
}

// Issuer is the issuer of the tenant's v2 tokens: the final slash of B2C included.
func (t *TenantHandle) Issuer() string { return t.t.issuerAt(t.origin()) }

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
