package mockidp

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// groupLimit is how many groups fit into a token; in answers of the authorize endpoint, far fewer.
const (
	groupLimit         = 200
	implicitGroupLimit = 5
)

// grant is what tokens are made from: who, for whom, through which application.
type grant struct {
	srv     *Server
	tenant  *tenant
	origin  string // of v2 issuers
	policy  string
	client  *application
	proof   string   // azpacr: how the client authenticated, "0" not at all, "1" with a secret, "2" with an assertion
	user    *account // nil: the application itself
	asked   *asked
	granted []string // short names of scopes; app roles without a user
	v1      bool     // the endpoint's version, which ID tokens follow
	claims  claimsRequest
	nonce   string
	signed  signedIn
	front   bool // straight from the authorize endpoint
}

// lifetime is how long an access token lives.
func (g *grant) lifetime() time.Duration {
	if api := g.asked.api; api != nil && api.TokenLifetime > 0 {
		return time.Duration(api.TokenLifetime) * time.Second
	}
	return time.Hour
}

// accessToken is made the way [TenantHandle.Token] makes one, with what the directory knows instead of the usual example.
func (g *grant) accessToken() string {
	api := g.asked.api
	if api == nil { // OpenID Connect's scopes alone are Graph's
		api = graphOf(g.tenant.cloud)
	}
	opts := g.kinds()
	if g.user == nil {
		opts = append(opts, AppOnly(g.granted...))
	}
	switch {
	case g.tenant.Kind == B2C:
	case api.isGraph() && g.tenant.Kind == Workforce && g.tenant.ID != PersonalAccounts:
		opts = append(opts, ForGraph())
	case api.TokenVersion < 2 && g.tenant.ID != PersonalAccounts:
		opts = append(opts, V1())
	default:
		opts = append(opts, g.issuedBy())
	}
	opts = append(opts, Audience(g.audience(api)), ClientID(g.client.ID), ExpiresIn(g.lifetime()), tokenOption(func(b *builder) {
		if g.tenant.Kind != B2C {
			b.claims.set(b.clientClaim()+"acr", g.proof)
		}
		if g.user == nil {
			g.appClaims(b, api)
		} else {
			g.accessClaims(b, api)
		}
	}))
	return g.handle().Token(opts...)
}

func (g *grant) handle() *TenantHandle { return &TenantHandle{srv: g.srv, t: g.tenant} }

// kinds are the options that both tokens share.
func (g *grant) kinds() []TokenOption {
	var opts []TokenOption
	if g.tenant.ID == PersonalAccounts {
		opts = append(opts, PersonalAccount())
	}
	if g.tenant.Kind == B2C {
		opts = append(opts, Policy(g.policy), g.issuedBy())
	}
	if u := g.user; u != nil && u.HomeTenant != "" {
		opts = append(opts, Guest(u.HomeTenant))
	}
	return opts
}

// issuedBy is not for v1, whose issuer is the same wherever the tenant is reached.
func (g *grant) issuedBy() TokenOption {
	if g.origin == "" {
		return TokenOption{}
	}
	return IssuedBy(g.origin)
}

// audience is the client ID of the API; in v1 tokens the resource as it was asked for.
func (g *grant) audience(api *application) string {
	switch {
	case api.isGraph():
		return "https://" + g.tenant.cloud.graph
	case api.TokenVersion >= 2 || g.tenant.Kind == B2C || g.tenant.ID == PersonalAccounts:
		return api.ID
	}
	return g.asked.resource
}

// appClaims: the service principal is the user.
func (g *grant) appClaims(b *builder, api *application) {
	id := g.client.principal(g.tenant)
	b.claims.set("oid", id)
	b.claims.set("sub", id)
	if g.tenant.Kind != B2C && !slices.Contains(api.OptionalClaims, "idtyp") {
		b.claims.remove("idtyp")
	}
}

// accessClaims are those of a user's access token.
func (g *grant) accessClaims(b *builder, api *application) {
	g.userClaims(b, api)
	if g.tenant.Kind == B2C {
		Scopes(g.granted...).apply(b)
		return
	}
	b.claims.set("sub", g.user.subject(api.ID))
	scopes := g.granted
	if g.asked.api == nil {
		scopes = slices.DeleteFunc(slices.Clone(g.asked.oidc), func(s string) bool { return s == "offline_access" })
	}
	Scopes(scopes...).apply(b)
	if len(g.claims.acrs) > 0 {
		b.claims.set("acrs", g.claims.acrs)
	}
	if len(g.claims.capabilities) > 0 && slices.Contains(api.OptionalClaims, "xms_cc") {
		b.claims.set("xms_cc", g.claims.capabilities)
	}
}

// idToken is for the client. Its version is the endpoint's, and what it tells about the user depends on the scopes.
func (g *grant) idToken(also ...TokenOption) string {
	opts := append(g.kinds(), IDToken())
	if g.v1 && g.tenant.Kind != B2C && g.tenant.ID != PersonalAccounts {
		opts = append(opts, V1())
	} else if g.tenant.Kind != B2C {
		opts = append(opts, g.issuedBy())
	}
	opts = append(opts, Audience(g.client.ID), tokenOption(func(b *builder) {
		b.claims.remove("nonce")
		g.userClaims(b, g.client)
		if g.nonce != "" {
			b.claims.set("nonce", g.nonce)
		}
		if g.tenant.Kind == B2C {
			return
		}
		b.claims.set("sub", g.user.subject(g.client.ID))
		if !g.asked.has("profile") {
			for _, name := range []string{"name", "oid", "preferred_username", "family_name", "given_name", "unique_name", "upn"} {
				b.claims.remove(name)
			}
		}
		if g.asked.has("email") {
			b.claims.set("email", g.user.email())
		}
		if len(g.claims.idACRs) > 0 {
			b.claims.set("acrs", g.claims.idACRs)
		}
		for _, name := range g.claims.idToken {
			g.optional(b, name)
		}
	}))
	return g.handle().Token(append(opts, also...)...)
}

// userClaims replace the example user of the token by the real one. app is the application that the token is for, whose
// registration says what else is told.
func (g *grant) userClaims(b *builder, app *application) {
	u := g.user
	b.claims.set("oid", u.ID)
	b.claims.set("name", u.displayName())
	if g.tenant.Kind == B2C {
		g.attributes(b)
		return
	}
	for _, name := range []string{"acct", "email"} {
		b.claims.remove(name)
	}
	if b.v1 {
		given, family, _ := strings.Cut(u.displayName(), " ")
		b.claims.set("given_name", given)
		b.claims.set("family_name", family)
		b.claims.set("unique_name", u.uniqueName())
		b.claims.set("upn", u.principalName())
		if family == "" {
			b.claims.remove("family_name")
		}
	} else {
		b.claims.remove("upn")
		b.claims.set("preferred_username", u.Login)
	}
	g.roles(b, app)
	g.groups(b, app)
	for _, name := range app.OptionalClaims {
		g.optional(b, name)
	}
}

// attributes are the claims of a B2C policy.
func (g *grant) attributes(b *builder) {
	b.claims.set("sub", g.user.ID)
	b.claims.set("emails", []string{g.user.email()})
	if !g.signed.when.IsZero() {
		b.claims.set("auth_time", g.signed.when.Unix())
	}
	for _, name := range slices.Sorted(maps.Keys(g.user.Claims)) {
		if !protectedClaims[name] {
			b.claims.set(name, g.user.Claims[name])
		}
	}
}

// roles are the app roles of the user.
func (g *grant) roles(b *builder, app *application) {
	var roles []string
	for _, r := range g.user.Roles {
		if r.Application == app.ID {
			roles = append(roles, r.Role)
		}
	}
	Roles(roles...).apply(b)
}

// groups are named, or where they do not fit, where to ask for them.
func (g *grant) groups(b *builder, app *application) {
	groups := g.user.Groups
	switch {
	case !app.GroupClaims || len(groups) == 0:
	case g.front && len(groups) > implicitGroupLimit:
		b.claims.set("hasgroups", true)
	case len(groups) > groupLimit:
		endpoint := "https://graph.windows.net/" + g.tenant.ID + "/users/" + g.user.ID + "/getMemberObjects"
		b.claims.set("_claim_names", object{{"groups", "src1"}})
		b.claims.set("_claim_sources", object{{"src1", object{{"endpoint", endpoint}}}})
	default:
		b.claims.set("groups", groups)
	}
}

// optional sets a claim that the application, or the request, wants by name, when there is a value.
func (g *grant) optional(b *builder, name string) {
	u := g.user
	switch name {
	case "idtyp", "xms_cc", "acrs", "groups", "roles": // set where they belong
	case "acct":
		b.claims.set("acct", map[bool]int{true: 1}[u.HomeTenant != ""])
	case "email":
		b.claims.set("email", u.email())
	case "upn":
		b.claims.set("upn", u.principalName())
	case "login_hint":
		b.claims.set("login_hint", u.loginHint())
	case "sid":
		if g.signed.sid != "" {
			b.claims.set("sid", g.signed.sid)
		}
	case "auth_time":
		if !g.signed.when.IsZero() {
			b.claims.set("auth_time", g.signed.when.Unix())
		}
	case "wids":
		if roles := u.wids(); len(roles) > 0 {
			b.claims.set(name, roles)
		}
	case "tenant_region_scope":
		b.claims.set(name, g.tenant.cloud.region)
	default:
		if value, ok := u.Claims[name]; ok && !protectedClaims[name] {
			b.claims.set(name, value)
		}
	}
}

// protectedClaims are never an attribute of a user.
var protectedClaims = map[string]bool{"iss": true, "aud": true, "sub": true, "tid": true, "oid": true, "exp": true, "iat": true, "nbf": true, "ver": true,
	"azp": true, "appid": true, "scp": true, "nonce": true, "idp": true}

// principalName is the upn: of guests, one that says where they come from.
func (a account) principalName() string {
	if a.HomeTenant == "" {
		return a.Login
	}
	return strings.ReplaceAll(a.Login, "@", "_") + "#EXT#@" + a.tenant.upnDomain()
}

// uniqueName is v1's name for the user.
func (a account) uniqueName() string {
	if a.HomeTenant == PersonalAccounts {
		return "live.com#" + a.Login
	}
	return a.Login
}
