package mockidp

import "net/http"

// proceed goes on with a flow whose account is known: consent, and then the answer.
func (x *exchange) proceed(f *flow) answer {
	user, ok := x.srv.accountIn(x.rt, *f.account)
	app := x.appOf(f)
	if !ok || app == nil || user.Disabled {
		return x.errorPage(unknownUser(x.tenantName()), app)
	}
	switch {
	case f.request == nil:
		return x.proceedWithDevice(f, app, user)
	case f.request.forTenant:
		return x.proceedAsAdmin(f, app, user)
	}
	asked, granted, missing, r := x.entitled(f.request, user)
	switch {
	case r != nil:
		return x.denied(f.request, r)
	case x.b2c() && len(missing) > 0:
		return x.denied(f.request, consentMissing("unauthorized_client", app, missing))
	case len(missing) == 0 && !f.request.consentAsked:
		return x.deliver(f, user, asked, granted)
	case f.request.has("none"):
		return x.denied(f.request, consentMissing("consent_required", app, missing))
	case f.request.consentAsked:
		missing = granted
	}
	if !x.srv.installed(app, user.tenant) {
		return x.showAdminNeeded(f, app, user)
	}
	return x.showConsent(f, app, user, asked, missing)
}

func unknownUser(tenant string) *refusal {
	return refuse("invalid_grant", 50034, "The user account does not exist in the %s directory. To sign into this application, the account must be added to the directory.", tenant).
		inB2C(90225, "The username or password provided in the request are invalid.")
}

// entitled is what an authorization request asks for, and how much of it the user and the administrators have agreed to.
func (x *exchange) entitled(req *authRequest, user account) (a *asked, granted, missing []string, r *refusal) {
	if x.rt.v1 {
		a, r = x.resourceOnly(req.app, user.tenant, req.resource)
	} else {
		a, r = x.understand(user.tenant, req.app, req.scope, true)
	}
	if r != nil {
		return nil, nil, nil, r
	}
	granted, missing, r = x.grantedScopes(user, req.app, a)
	if r != nil && x.rt.v1 && r.number == 650057 { // v1 asks for whatever there is; the application may have nothing
		r = nil
	}
	return a, granted, missing, r
}

func (x *exchange) showConsent(f *flow, app *application, user account, a *asked, names []string) answer {
	_, fields := x.remember(f)
	p := consentPage{pageForm: pageForm{x.rt.address("/login"), fields}, pagePlace: x.place(app), Login: user.Login}
	for _, name := range names {
		p.Permissions = append(p.Permissions, pagePermission{Name: name, API: a.api.displayName()})
	}
	if f.request != nil && f.request.consentAsked {
		for _, name := range a.oidc {
			p.Permissions = append(p.Permissions, pagePermission{Name: name, Text: oidcTexts[name]})
		}
	}
	return x.withCookie(pageAnswer(http.StatusOK, p), f.browser)
}

var oidcTexts = map[string]string{
	"openid":         "Sign you in.",
	"profile":        "See your name and your login.",
	"email":          "See your email address.",
	"offline_access": "Stay signed in when you have left.",
}

// consentPosted remembers the consent.
func (x *exchange) consentPosted(f *flow) answer {
	user, ok := x.srv.accountIn(x.rt, *f.account)
	app := x.appOf(f)
	if !ok || app == nil {
		return x.errorPage(unknownUser(x.tenantName()), app)
	}
	switch {
	case f.request == nil:
		x.consentToDevice(f, app, user)
		return x.proceed(f)
	case f.request.forTenant:
		return x.consentAsAdmin(f, app, user)
	}
	if a, _, missing, r := x.entitled(f.request, user); r == nil && a.api != nil && !x.b2c() {
		x.srv.consent(user, app, a.api, missing)
	}
	request := *f.request
	request.consentAsked = false
	f.request = &request
	return x.proceed(f)
}

// deliver answers an authorization request: with a code, tokens, or both.
func (x *exchange) deliver(f *flow, user account, a *asked, granted []string) answer {
	a2 := x.response(f, user, a, granted).answer()
	if f.browser != "" {
		a2 = x.withCookie(a2, f.browser)
	}
	return a2
}

func (x *exchange) response(f *flow, user account, a *asked, granted []string) *authorizeResponse {
	req := f.request
	resp := &authorizeResponse{redirectURI: req.redirectURI, mode: req.mode}
	policy := x.policyName()
	g := &grant{srv: x.srv, tenant: user.tenant, origin: x.rt.issuerBase(), policy: policy, client: req.app, proof: "0", user: &user, asked: a,
		granted: granted, v1: x.rt.v1, claims: req.claims, nonce: req.nonce, signed: f.signed, front: true}
	var bound []TokenOption // what the ID token vouches for
	if req.wants.code {
		value := x.newCode(f, user, policy)
		resp.add("code", value)
		bound = append(bound, Claim("c_hash", halfHash(value)))
	}
	if req.wants.token && (a.api != nil || !x.b2c()) {
		token := g.accessToken()
		bound = append(bound, Claim("at_hash", halfHash(token)))
		resp.add("access_token", token)
		resp.add("token_type", "Bearer")
		resp.add("expires_in", seconds(g.lifetime()))
		resp.add("scope", a.echo(granted))
		g.note("access token", "authorize", token)
	}
	if req.wants.idToken {
		token := g.idToken(bound...)
		resp.add("id_token", token)
		g.note("ID token", "authorize", token)
	}
	resp.add("state", req.state)
	resp.add("session_state", f.signed.sid)
	if req.clientInfo {
		resp.add("client_info", user.clientInfo(policy))
	}
	return resp
}

// policyName is the policy of the address in its configured spelling.
func (x *exchange) policyName() string {
	if x.rt.tenant == nil {
		return ""
	}
	name, _ := x.rt.tenant.policy(x.rt.policy)
	return name
}

func (x *exchange) newCode(f *flow, user account, policy string) string {
	req := f.request
	c := &code{
		given: given{client: req.app.ID, account: user.key(), signed: f.signed, policy: policy, platform: req.platform, v1: x.rt.v1, scope: req.scope,
			resource: req.resource, claims: req.claims, nonce: req.nonce},
		authority: x.rt.authority(), redirectURI: req.redirectURI, challenge: req.challenge, method: req.method,
	}
	value := newSecret("1.A")
	x.srv.sessions.do(func() { x.srv.sessions.codes.put(value, c, x.srv.now().Add(codeLife)) })
	return value
}
