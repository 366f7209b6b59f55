package mockidp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SignIn is a sign-in without a page.
type SignIn struct {
	// Client is the client ID of the application. Empty means [Client].
	Client string
	// Login is the login name of the user; no password is asked for. Required.
	Login string
	// Scopes are requested as a client would: "api://…/Orders.Read". Those of OpenID Connect are not added. Required.
	Scopes []string
	// Policy is the B2C policy. Empty means the first one.
	Policy string
	// Origin is where the tenant is reached, which B2C, External ID and v2 issuers follow: [Server.URL] for instance. Empty means the
	// tenant's own host, as for [TenantHandle.Token].
	Origin string
	// Claims is the claims parameter, JSON. Empty means none.
	Claims string
}

// Tokens is what a client is given. What was not asked for is empty.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	ClientInfo   string `json:"client_info"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// SignIn signs a user in and gives the tokens that a client would be given, all consents included. The error is the refusal that
// the client would see, or says that the tenant was removed.
func (t *TenantHandle) SignIn(how SignIn) (Tokens, error) {
	x, err := t.srv.exchangeAt(t.endpoint(how.Origin, how.Policy, "token"))
	if err != nil {
		return Tokens{}, err
	}
	if how.Client == "" {
		how.Client = Client
	}
	app, r := x.findClient(how.Client)
	if r != nil {
		return Tokens{}, r
	}
	a, ok := x.srv.accountByLogin(x.rt, app, how.Login)
	if !ok {
		return Tokens{}, unknownUser(x.tenantName())
	}
	scope := strings.Join(how.Scopes, " ")
	x.form = url.Values{"client_info": {"1"}, "claims": {how.Claims}, "scope": {scope}}
	if r := x.consentTo(a, app, scope); r != nil {
		return Tokens{}, r
	}
	c := &caller{app, "0"}
	p := app.likelyPlatform()
	if p == webPlatform {
		c.proof = "1"
	}
	i, r := x.issueTo(c, given{account: a.key(), signed: signedIn{accountKey: a.key(), sid: newGUID(), when: x.srv.now()}, platform: p}, scope)
	if r != nil {
		return Tokens{}, r
	}
	var tokens Tokens
	if err := json.Unmarshal(x.issued(i, "headless").body, &tokens); err != nil {
		return Tokens{}, fmt.Errorf("mockidp: %w", err)
	}
	return tokens, nil
}

// likelyPlatform is what the application would sign in as.
func (a *application) likelyPlatform() platform {
	switch {
	case a.confidential():
		return webPlatform
	case len(a.RedirectURIs.SPA) > 0:
		return spaPlatform
	}
	return nativePlatform
}

// endpoint is an address of the tenant.
func (t *TenantHandle) endpoint(origin, policy, name string) string {
	if origin == "" {
		origin = t.t.origin()
	}
	address := strings.TrimSuffix(origin, "/") + "/" + t.t.ID
	if t.t.Kind == B2C {
		if policy == "" {
			policy = t.t.Policies[0]
		}
		address += "/" + url.PathEscape(strings.ToLower(policy))
	}
	return address + "/oauth2/v2.0/" + name
}

// AuthorizeURL is the address of the tenant's authorization endpoint; for B2C the one of the first policy. Parameters can be
// appended after a question mark.
func (t *TenantHandle) AuthorizeURL() string { return t.endpoint("", "", "authorize") }

// TokenURL is the address of the tenant's token endpoint; for B2C the one of the first policy.
func (t *TenantHandle) TokenURL() string { return t.endpoint("", "", "token") }

// exchangeAt is a request that nobody sent.
func (s *Server) exchangeAt(address string) (*exchange, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("mockidp: %w", err)
	}
	in, err := asReceived(r)
	if err != nil {
		return nil, err
	}
	rt := s.route(in)
	x := s.newExchange(&rt, in)
	if policy := rt.policy; rt.tenant != nil && rt.tenant.Kind == B2C {
		if _, ok := rt.tenant.policy(policy); !ok {
			return nil, fmt.Errorf("mockidp: %s: the tenant has no policy %q", address, policy)
		}
	}
	if !rt.known || !x.served() {
		return nil, fmt.Errorf("mockidp: %s: no such tenant", address)
	}
	return x, nil
}

// consentTo agrees to everything that a scope parameter asks for.
func (x *exchange) consentTo(user account, app *application, scope string) *refusal {
	a, r := x.understand(user.tenant, app, scope, true)
	if r != nil {
		return r
	}
	_, missing, r := x.grantedScopes(user, app, a)
	if r == nil && len(missing) > 0 && user.tenant.Kind != B2C {
		x.srv.consent(user, app, a.api, missing)
	}
	return r
}

// Redirect is the answer of the authorization endpoint: where the browser goes, and with what.
type Redirect struct {
	// URL is the address, with the values in its query or fragment as the response mode says. With form_post it is the bare
	// redirect URI, and the browser posts Values there.
	URL *url.URL
	// Mode is query, fragment or form_post.
	Mode string
	// Values are code, state and the rest; or error and error_description.
	Values url.Values
}

// Walk takes an authorize URL, or one of the admin consent page, to its end, as a person would who signs in with that login and
// accepts everything; no password is asked for. With prompt=none the answer is that of a browser in which the user is signed in. A
// request that may not be redirected is an error, which is the refusal that a page would show; one that is refused at the redirect
// URI is not.
func (s *Server) Walk(address, login string) (*Redirect, error) {
	return s.walkTo(address, login, true)
}

// Decline is Walk of a person who signs in and then declines, where a page asks.
func (s *Server) Decline(address, login string) (*Redirect, error) {
	return s.walkTo(address, login, false)
}

func (s *Server) walkTo(address, login string, accepts bool) (*Redirect, error) {
	x, err := s.exchangeAt(address)
	if err != nil {
		return nil, err
	}
	var req *authRequest
	var r *refusal
	walk := x.walk
	switch x.rt.endpoint {
	case AuthorizeEndpoint:
		req, r = x.authRequest(x.query)
	case AdminConsentEndpoint:
		req, r = x.adminRequest(x.query)
		walk = x.walkAsAdmin
	default:
		return nil, fmt.Errorf("mockidp: %s: not an authorize URL, nor one of the admin consent page", address)
	}
	if r == nil {
		var resp *authorizeResponse
		if resp, r = walk(req, login, accepts); r == nil {
			return resp.redirect()
		}
	}
	if !req.mayRedirect {
		return nil, r
	}
	return x.denial(req, r).redirect()
}

// walk signs in and consents.
func (x *exchange) walk(req *authRequest, login string, accepts bool) (*authorizeResponse, *refusal) {
	user, ok := x.srv.accountByLogin(x.rt, req.app, login)
	switch {
	case !ok && req.has("none"):
		return nil, refuse("login_required", 50058, "A silent sign-in request was sent but no user is signed in.")
	case !ok:
		return nil, unknownUser(x.tenantName())
	case user.Disabled:
		return nil, disabledUser()
	}
	a, granted, missing, r := x.entitled(req, user)
	if r != nil {
		return nil, r
	}
	if len(missing) > 0 || req.consentAsked {
		switch {
		case len(missing) > 0 && (x.b2c() || req.has("none")):
			return nil, consentMissing("consent_required", req.app, missing)
		case !x.srv.installed(req.app, user.tenant):
			return nil, adminNeeded()
		case !accepts:
			return nil, declined()
		case len(missing) > 0:
			x.srv.consent(user, req.app, a.api, missing)
		}
	}
	k := user.key()
	f := &flow{rt: *x.rt, request: req, account: &k, signed: signedIn{accountKey: k, sid: newGUID(), when: x.srv.now()}}
	return x.response(f, user, a, granted), nil
}

func (a *authorizeResponse) redirect() (*Redirect, error) {
	u, err := url.Parse(a.location())
	if err != nil {
		return nil, fmt.Errorf("mockidp: redirect URI: %w", err)
	}
	values := make(url.Values)
	for _, v := range a.values {
		values.Add(v.Name, v.Value)
	}
	return &Redirect{URL: u, Mode: a.mode, Values: values}, nil
}

// ApproveDeviceCode signs a user in on the device that shows the code, as the page would after consent. No password is asked for.
// It is an error when no device waits with that code, or when its tenant has no such user.
func (s *Server) ApproveDeviceCode(userCode, login string) error {
	d := s.deviceByUserCode(userCode)
	if d == nil {
		return fmt.Errorf("mockidp: no device waits with the code %q", userCode)
	}
	x := s.newExchange(&d.rt, &http.Request{Method: http.MethodGet, URL: &url.URL{}})
	app := s.client(&d.rt, d.client)
	if app == nil {
		return unknownClient(d.client, x.tenantName())
	}
	user, ok := s.accountByLogin(&d.rt, app, login)
	if !ok {
		return unknownUser(x.tenantName())
	}
	if a, missing, r := x.deviceScopes(d, app, user); r == nil && a.api != nil {
		s.consent(user, app, a.api, missing)
	}
	s.decide(d, deviceApproved, user.key(), signedIn{accountKey: user.key(), sid: newGUID(), when: s.now()})
	return nil
}

// DeclineDeviceCode refuses the device that shows the code. It is an error when no device waits with it.
func (s *Server) DeclineDeviceCode(userCode string) error {
	d := s.deviceByUserCode(userCode)
	if d == nil {
		return fmt.Errorf("mockidp: no device waits with the code %q", userCode)
	}
	s.decide(d, deviceDeclined, accountKey{}, signedIn{})
	return nil
}

// PendingDeviceCodes are the user codes that wait for somebody, oldest first.
func (s *Server) PendingDeviceCodes() []string {
	var codes []string
	s.sessions.do(func() {
		for _, key := range s.sessions.devices.order {
			d, ok := s.sessions.devices.live(key, s.now())
			if ok && d.state == devicePending && !slices.Contains(codes, d.userCode) {
				codes = append(codes, d.userCode)
			}
		}
	})
	return codes
}

// SignOutEverybody ends all sessions in browsers. Codes and refresh tokens stay.
func (s *Server) SignOutEverybody() {
	s.sessions.do(func() { s.sessions.browsers = expiring[*browser]{} })
}

var _ error = (*refusal)(nil)
