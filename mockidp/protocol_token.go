package mockidp

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	grantOnBehalfOf = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"
)

// token is the token endpoint. Parameters are read from the body alone: MSAL JS puts others into the query.
func (x *exchange) token() answer {
	if x.r.Method != http.MethodPost {
		return x.wrongMethod("POST")
	}
	if !x.served() {
		return x.refused(unknownTenant(x.rt.pathTenant))
	}
	if r := x.readable(x.form); r != nil {
		return x.refused(r)
	}
	grantType := x.form.Get("grant_type")
	if grantType == "" {
		return x.refused(missingParameter("grant_type"))
	}
	handler := map[string]func(*caller) (*issue, *refusal){
		"authorization_code": x.redeemCode,
		"refresh_token":      x.redeemRefreshToken,
		"client_credentials": x.clientCredentials,
		grantOnBehalfOf:      x.onBehalfOf,
		grantDeviceCode:      x.redeemDeviceCode,
		"device_code":        x.redeemDeviceCode,
		"password":           x.passwordGrant,
	}[grantType]
	if handler == nil {
		return x.refused(refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", grantType).
			inB2C(90086, "The supplied grant_type [%s] is not supported.", grantType))
	}
	c, r := x.caller()
	if r != nil {
		return x.refused(r)
	}
	if !x.rt.v1 && x.form.Has("resource") {
		return x.refused(refuse("invalid_request", 901002, "The 'resource' request parameter is not supported."))
	}
	i, r := handler(c)
	if r != nil {
		return x.refused(r)
	}
	return x.readableBy(c.application, x.issued(i, grantType))
}

// issue is a grant that was given, and what its answer has besides tokens.
type issue struct {
	grant
	given   given // what a refresh token will stand for
	ends    time.Time
	refresh bool
}

// stranger refuses a user who exists, but is no guest in this tenant; or who does not exist any more.
func (x *exchange) stranger(k accountKey, app *application) *refusal {
	a, ok := x.srv.accountByKey(k)
	if !ok || x.rt.tenant == nil || x.rt.tenant.Kind != Workforce {
		return unknownUser(x.tenantName())
	}
	home := a.tenant.cloud.sts + "/" + a.tenant.ID + "/"
	if a.personal() {
		home = "live.com"
	}
	return refuse("invalid_grant", 50020, "User account '%s' from identity provider '%s' does not exist in tenant '%s' and cannot access the application '%s'(%s) in that "+
		"tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Microsoft Entra user account.",
		a.Login, home, x.tenantName(), app.ID, app.displayName())
}

// issueTo makes the grant of a user, whose entitlement it checks. given says how the user came.
func (x *exchange) issueTo(c *caller, g given, scope string) (*issue, *refusal) {
	user, ok := x.srv.accountIn(x.rt, g.account)
	if !ok {
		return nil, x.stranger(g.account, c.application)
	}
	if user.Disabled {
		return nil, disabledUser()
	}
	later, r := parseClaims(x.form.Get("claims"))
	if r != nil {
		return nil, r
	}
	g.claims = g.claims.and(later)
	var a *asked
	if x.rt.v1 {
		resource := x.form.Get("resource")
		if resource == "" {
			resource = g.resource
		}
		g.resource = resource
		a, r = x.resourceOnly(c.application, user.tenant, resource)
	} else {
		g.scope = scope
		// What several resources were consented to, one token is for; the client names it here.
		a, r = x.understand(user.tenant, c.application, scope, x.form.Get("scope") == "")
	}
	if r != nil {
		return nil, r
	}
	granted, missing, r := x.grantedScopes(user, c.application, a)
	if r != nil && !(x.rt.v1 && r.number == 650057) {
		return nil, r
	}
	if len(missing) > 0 {
		return nil, consentMissing("invalid_grant", c.application, missing)
	}
	g.client, g.account, g.policy, g.v1 = c.ID, user.key(), x.policyName(), x.rt.v1
	i := &issue{given: g, refresh: a.has("offline_access")}
	i.grant = grant{srv: x.srv, tenant: user.tenant, origin: x.rt.issuerBase(), policy: g.policy, client: c.application, proof: c.proof, user: &user, asked: a,
		granted: granted, v1: x.rt.v1, claims: g.claims, nonce: g.nonce, signed: g.signed}
	i.ends = x.srv.now().Add(refreshLife)
	if g.platform == spaPlatform {
		i.ends = x.srv.now().Add(spaRefreshLife)
	}
	return i, nil
}

// redeemCode: once, by the client it was issued to, with the redirect URI and the verifier that belong to it.
func (x *exchange) redeemCode(c *caller) (*issue, *refusal) {
	value := x.form.Get("code")
	if value == "" {
		return nil, missingParameter("code")
	}
	var found code
	var ok, ended bool
	s := &x.srv.sessions
	s.do(func() {
		var stored *code
		if stored, ok, ended = s.codes.get(value, x.srv.now()); ok {
			found = *stored
		}
	})
	if !ok || found.client != c.ID {
		return nil, badGrant()
	}
	if r := x.checkCode(c, &found, ended); r != nil {
		return nil, r
	}
	scope := x.form.Get("scope")
	if scope == "" {
		scope = found.scope
	}
	i, r := x.issueTo(c, found.given, scope)
	if r != nil {
		return nil, r
	}
	// Nothing was taken before this: of two requests at once, one wins.
	used := false
	s.do(func() {
		if stored, ok, _ := s.codes.get(value, x.srv.now()); ok {
			used, stored.used = stored.used, true
		}
	})
	if used && !c.Lenient.ReusableCodes {
		return nil, codeUsed()
	}
	return i, nil
}

func badGrant() *refusal {
	return refuse("invalid_grant", 70000, "Provided grant is invalid or malformed.").inB2C(90080, "The provided grant is not valid.")
}

func codeUsed() *refusal {
	return refuse("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.").
		inB2C(90080, "The provided grant was already redeemed.")
}

func expiredGrant() *refusal {
	return refuse("invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for "+
		"this user and resource.").inB2C(90080, "The provided grant has expired. Please re-authenticate and try again.")
}

func (x *exchange) checkCode(c *caller, found *code, ended bool) *refusal {
	switch {
	case x.b2c() && !strings.EqualFold(found.policy, x.rt.policy):
		return otherPolicy(found.policy, x.rt.policy)
	case found.authority != x.rt.authority():
		return refuse("invalid_grant", 700005, "Provided Authorization Code is intended to use against other tenant, thus rejected. OAuth2 Authorization Code must be redeemed against "+
			"same tenant it was acquired for (/common or /{tenant-ID} as appropriate).").inB2C(90088, "The provided grant has not been issued for this endpoint.")
	case found.used && !c.Lenient.ReusableCodes:
		return codeUsed()
	case ended:
		return expiredGrant()
	case x.form.Get("redirect_uri") == "":
		return missingParameter("redirect_uri")
	case !sameText(found.redirectURI, x.form.Get("redirect_uri")):
		return refuse("invalid_client", 500112, "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.",
			x.form.Get("redirect_uri"), found.redirectURI).inB2C(90080, "The redirect URI does not match the one of the authorization request.")
	}
	if r := x.crossOrigin(c.application, found.platform); r != nil {
		return r
	}
	if r := c.mustProveFor(found.platform); r != nil {
		return r
	}
	return checkVerifier(c.application, found, x.form.Get("code_verifier"))
}

// authority is the tenant that an address names, whatever it calls it, or all of them: a code is redeemed where it was issued.
func (rt *route) authority() string {
	switch {
	case rt.tenant != nil:
		return rt.tenant.Kind.String() + " " + rt.tenant.ID
	case personalOnly(rt):
		return PersonalAccounts
	}
	return rt.pathTenant
}

func otherPolicy(issued, asked string) *refusal {
	return refuse("invalid_grant", 90088, "The provided grant has not been issued for this policy.").
		inB2C(90088, "The provided grant has not been issued for this endpoint. Actual Value : %s and Expected Value : %s", strings.ToLower(issued), strings.ToLower(asked))
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// checkVerifier is RFC 7636 §4.6. A verifier without a challenge is refused, too: somebody took the challenge away. MSAL Go sends
// an empty one.
func checkVerifier(app *application, found *code, verifier string) *refusal {
	computed := verifier
	if found.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		computed = base64url(sum[:])
	}
	switch {
	case app.Lenient.NoPKCE:
		return nil
	case found.challenge == "" && verifier == "":
		return nil
	case verifier == "":
		return refuse("invalid_grant", 50148, "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE: it is missing.").
			inB2C(90183, "The supplied code_verifier is invalid.")
	case found.challenge == "" || !sameText(computed, found.challenge):
		return refuse("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.").
			inB2C(90183, "The supplied code_verifier does not match associated code_challenge.")
	}
	return nil
}

// redeemRefreshToken: each can be used once; those of single-page applications end after a day, whatever is done.
func (x *exchange) redeemRefreshToken(c *caller) (*issue, *refusal) {
	value := x.form.Get("refresh_token")
	if value == "" {
		return nil, missingParameter("refresh_token")
	}
	var found refreshToken
	var ok, ended bool
	var ends time.Time
	s := &x.srv.sessions
	s.do(func() {
		var stored *refreshToken
		if stored, ok, ended = s.refresh.get(value, x.srv.now()); ok {
			found, ends = *stored, s.refresh.entries[value].ends
		}
	})
	switch {
	case !ok || found.client != c.ID:
		return nil, badGrant().sub("bad_token")
	case x.b2c() && !strings.EqualFold(found.policy, x.rt.policy):
		return nil, otherPolicy(found.policy, x.rt.policy)
	case found.used && !c.Lenient.ReusableRefreshTokens:
		return nil, tokenUsed()
	case ended && found.platform == spaPlatform:
		return nil, refuse("invalid_grant", 700084, "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot "+
			"be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.").inB2C(90080, "The provided grant has expired. Please re-authenticate and try again.")
	case ended:
		return nil, refuse("invalid_grant", 700082, "The refresh token has expired due to inactivity.").inB2C(90080, "The provided grant has expired. Please re-authenticate and try again.")
	}
	if r := x.crossOrigin(c.application, found.platform); r != nil {
		return nil, r
	}
	if r := c.mustProveFor(found.platform); r != nil {
		return nil, r
	}
	scope := x.form.Get("scope")
	if scope == "" {
		scope = found.scope
	}
	g := found.given
	g.nonce = "" // of the first ID token alone
	i, r := x.issueTo(c, g, scope)
	if r != nil {
		return nil, r
	}
	used := false
	s.do(func() {
		if stored, ok, _ := s.refresh.get(value, x.srv.now()); ok {
			used, stored.used = stored.used, true
		}
	})
	if used && !c.Lenient.ReusableRefreshTokens {
		return nil, tokenUsed()
	}
	i.refresh = true
	if g.platform == spaPlatform {
		i.ends = ends
	}
	return i, nil
}

func tokenUsed() *refusal {
	return refuse("invalid_grant", 70000, "Provided grant is invalid or malformed. The refresh token was used before, and replaced by another.").sub("bad_token").
		inB2C(90080, "The provided grant was already redeemed.")
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
