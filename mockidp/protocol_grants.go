package mockidp

import (
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// clientCredentials: the application itself, with the roles that it was granted.
func (x *exchange) clientCredentials(c *caller) (*issue, *refusal) {
	if r := c.mustProve(); r != nil {
		return nil, r
	}
	if r := x.crossOrigin(c.application, webPlatform); r != nil {
		return nil, r
	}
	t := x.rt.tenant
	if t == nil { // at common there is no tenant to be an application of
		return nil, noTenant()
	}
	resource, r := x.wholeResource(c, t)
	if r != nil {
		return nil, r
	}
	if !x.srv.installed(c.application, t) {
		return nil, refuse("invalid_client", 7000229, "The client application %s is missing service principal in the tenant %s.", c.ID, t.ID).
			advise("Let an administrator of the tenant consent.")
	}
	api := x.srv.api(c.application, t, resource)
	if api == nil {
		return nil, unknownResource(resource, t)
	}
	_, listed := c.permission(api.ID)
	if t.Kind == B2C && !listed && api.ID != c.ID {
		return nil, consentMissing("unauthorized_client", c.application, []string{resource})
	}
	return &issue{grant: grant{srv: x.srv, tenant: t, origin: x.rt.issuerBase(), policy: x.policyName(), client: c.application, proof: c.proof,
		asked: &asked{api: api, resource: resource, all: true}, granted: x.srv.consentedByAdmin(t, c.application, api.ID).Roles, v1: x.rt.v1}}, nil
}

// wholeResource is the one resource of a client credentials request. MSAL Go adds OpenID Connect's scopes to it.
func (x *exchange) wholeResource(c *caller, t *tenant) (string, *refusal) {
	if x.rt.v1 {
		if resource := x.form.Get("resource"); resource != "" {
			return resource, nil
		}
		return "", missingParameter("resource")
	}
	scope := x.form.Get("scope")
	words := slices.DeleteFunc(strings.Fields(scope), func(s string) bool { return slices.Contains(oidcScopes, strings.ToLower(s)) })
	if len(words) == 0 && scope == "" {
		return "", missingParameter("scope").inB2C(90010, "The request does not contain a scope parameter.")
	}
	if len(words) == 1 {
		if resource, ok := strings.CutSuffix(words[0], "/.default"); ok && resource != "" {
			return resource, nil
		}
	}
	return "", refuse("invalid_scope", 1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource "+
		"identifier (application ID URI).", scope).inB2C(90117, "The scope '%s' provided in request is not supported.", scope)
}

// passwordGrant is for accounts with a password in a known tenant (RFC 6749 §4.3).
func (x *exchange) passwordGrant(c *caller) (*issue, *refusal) {
	switch {
	case x.rt.shared && x.rt.pathTenant != "organizations":
		return nil, refuse("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
	case x.rt.tenant != nil && x.rt.tenant.Kind == External:
		return nil, refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type 'password'.")
	}
	for _, name := range []string{"username", "password"} {
		if x.form.Get(name) == "" {
			return nil, missingParameter(name)
		}
	}
	if r := c.mayBePublic(); r != nil {
		return nil, r
	}
	if r := x.crossOrigin(c.application, nativePlatform); r != nil {
		return nil, r
	}
	a, ok := x.srv.accountByLogin(x.rt, c.application, x.form.Get("username"))
	if !ok || a.HomeTenant != "" {
		return nil, unknownUser(x.tenantName())
	}
	if r := checkPassword(a, x.form.Get("password")); r != nil {
		return nil, r
	}
	scope := x.form.Get("scope")
	if scope == "" && !x.rt.v1 {
		return nil, missingParameter("scope").inB2C(90010, "The request does not contain a scope parameter.")
	}
	signed := signedIn{accountKey: a.key(), sid: newGUID(), when: x.srv.now()}
	return x.issueTo(c, given{account: a.key(), signed: signed, platform: x.platformOf(c)}, scope)
}

// platformOf is the platform of the grants without a redirect URI: it decides what the refresh token will ask for.
func (x *exchange) platformOf(c *caller) platform {
	if c.PublicClient {
		return nativePlatform
	}
	return webPlatform
}

func disabledUser() *refusal {
	return refuse("invalid_grant", 50057, "The user account is disabled.").inB2C(90225, "The username or password provided in the request are invalid.")
}

func checkPassword(a account, password string) *refusal {
	switch {
	case a.Disabled:
		return disabledUser()
	case a.Password == "" || a.Password != password:
		return refuse("invalid_grant", 50126, "Error validating credentials due to invalid username or password.").
			inB2C(90225, "The username or password provided in the request are invalid.")
	case a.NeedsMFA:
		return refuse("invalid_grant", 50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor "+
			"authentication to access the resource.").sub("basic_action").inB2C(90225, "The user has to use multi-factor authentication.")
	}
	return nil
}

// onBehalfOf exchanges a token for the calling API into one for the next (RFC 7523 §2.1).
func (x *exchange) onBehalfOf(c *caller) (*issue, *refusal) {
	if x.b2c() {
		return nil, refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", grantOnBehalfOf).
			inB2C(90086, "The supplied grant_type [%s] is not supported.", grantOnBehalfOf)
	}
	if r := c.mustProve(); r != nil {
		return nil, r
	}
	if r := x.crossOrigin(c.application, webPlatform); r != nil {
		return nil, r
	}
	raw := x.form.Get("assertion")
	switch {
	case raw == "":
		return nil, missingParameter("assertion")
	case x.form.Get("requested_token_use") != "on_behalf_of":
		return nil, missingParameter("requested_token_use")
	case x.form.Get("scope") == "" && !x.rt.v1:
		return nil, missingParameter("scope")
	}
	key, r := x.assertedUser(c, raw)
	if r != nil {
		return nil, r
	}
	return x.issueTo(c, given{account: key, signed: signedIn{accountKey: key}}, x.form.Get("scope"))
}

// assertedUser verifies the token of an on-behalf-of request and finds its user.
func (x *exchange) assertedUser(c *caller, raw string) (accountKey, *refusal) {
	claims, kind, err := x.srv.verifyOwn(x.facts(), raw)
	if err != nil {
		return accountKey{}, refuse("invalid_grant", 50013, "Assertion failed signature validation. [Reason - The key was not found., or the signature does not fit.]")
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	audience := strings.ToLower(strings.TrimSuffix(text("aud"), "/"))
	if audience != c.ID && !slices.ContainsFunc(c.identifiers(), func(uri string) bool { return strings.EqualFold(uri, audience) }) {
		return accountKey{}, refuse("invalid_grant", 500131, "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '%s' and "+
			"the expected audience is '%s' or one of the Application Uris of this application with App ID '%s'(%s). The downstream client must request a token for the "+
			"expected audience (the application that made the OBO request) and this application should use that token as the assertion.", text("aud"), c.ID, c.ID, c.displayName())
	}
	expires, _ := claims["exp"].(float64)
	if x.srv.now().Unix() >= int64(expires) {
		return accountKey{}, refuse("invalid_grant", 500133, "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, "+
			"or request a new token.")
	}
	if text("scp") == "" {
		return accountKey{}, refuse("invalid_grant", 50013, "Assertion is not a user's access token: it has no scopes.")
	}
	return accountKey{kind, x.facts().cloud, text("tid"), text("oid")}, nil
}

func (x *exchange) facts() *cloudFacts { return x.rt.facts() }

// verifyOwn checks that a token is one of the server's, and tells whose key signed it: a workforce cloud's, or an External ID
// tenant's, which may have the same ID as a workforce tenant. Tokens for Microsoft Graph are signed over another header than theirs.
func (s *Server) verifyOwn(c *cloudFacts, raw string) (jwt.MapClaims, Kind, error) {
	unverified, _, err := jwt.NewParser().ParseUnverified(raw, jwt.MapClaims{})
	if err != nil {
		return nil, 0, err
	}
	parts := strings.Split(raw, ".")
	input := parts[0] + "." + parts[1]
	if nonce, ok := unverified.Header["nonce"].(string); ok {
		header, err := jwt.NewParser().DecodeSegment(parts[0])
		if err != nil {
			return nil, 0, err
		}
		input = base64url([]byte(hashNonce(string(header), nonce))) + "." + parts[1]
	}
	signature, err := jwt.NewParser().DecodeSegment(parts[2])
	if err != nil {
		return nil, 0, err
	}
	claims := unverified.Claims.(jwt.MapClaims)
	if unverified.Header["alg"] != "RS256" {
		return nil, 0, errNoKey
	}
	for _, kind := range []Kind{Workforce, External} {
		for _, set := range s.keySetsOfToken(c, kind, claims) {
			for _, k := range set.Published() {
				if k.ID() == unverified.Header["kid"] {
					return claims, kind, jwt.SigningMethodRS256.Verify(input, signature, k.Public())
				}
			}
		}
	}
	return nil, 0, errNoKey
}

// keySetsOfToken are the sets of a kind that could have signed it.
func (s *Server) keySetsOfToken(c *cloudFacts, kind Kind, claims jwt.MapClaims) []*KeySet {
	if kind == Workforce {
		return []*KeySet{s.CloudKeys(c.cloud)}
	}
	tid, _ := claims["tid"].(string)
	s.mu.RLock()
	t := s.directory.tenants[tenantID{kind, tid}]
	s.mu.RUnlock()
	if t == nil {
		return nil
	}
	return s.keySetsOf(t)
}
