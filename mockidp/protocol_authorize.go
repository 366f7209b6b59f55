package mockidp

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authRequest is an authorization request that holds: whatever goes wrong from here on is told to the redirect URI.
type authRequest struct {
	app          *application
	redirectURI  string
	platform     platform
	mode, state  string
	wants        wanted
	scope        string
	resource     string // v1's
	nonce        string
	prompt       []string
	loginHint    string
	domainHint   string
	sid          string
	challenge    string
	method       string
	claims       claimsRequest
	clientInfo   bool
	oidc         bool // openid was asked for
	mayRedirect  bool // the redirect URI belongs to the client
	consentAsked bool // prompt=consent, not yet answered
	forTenant    bool // an administrator is to consent for the whole tenant
}

// wanted is the response type.
type wanted struct{ code, idToken, token bool }

// parameters are those of an endpoint that takes them as a query or as a form, which wins. It is false for other methods.
func (x *exchange) parameters() (params url.Values, ok bool) {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		return x.query, true
	case http.MethodPost:
		params = maps.Clone(x.query)
		if params == nil {
			params = url.Values{}
		}
		maps.Copy(params, x.form)
		return params, true
	}
	return nil, false
}

// authorize is the authorization endpoint. Its parameters may come as a query or as a form (OpenID Connect Core 1.0 §3.1.2.1).
func (x *exchange) authorize() answer {
	params, ok := x.parameters()
	if !ok {
		return x.wrongMethod("GET, POST")
	}
	if !x.served() {
		return x.errorPage(unknownTenant(x.rt.pathTenant), nil)
	}
	req, r := x.authRequest(params)
	switch {
	case r != nil && !req.mayRedirect:
		return x.errorPage(r, req.app)
	case r != nil:
		return x.denied(req, r)
	}
	return x.begin(req)
}

func (x *exchange) wrongMethod(allowed string) answer {
	a := x.refused(refuse("invalid_request", 900561, "The endpoint only accepts %s requests. Received a %s request.", strings.ReplaceAll(allowed, ",", " and"), x.r.Method))
	a.header.Set("Allow", allowed+", OPTIONS")
	return a
}

// authRequest checks the parameters of the authorization endpoint.
func (x *exchange) authRequest(params url.Values) (*authRequest, *refusal) {
	req, r := x.returnAddress(params)
	if r != nil {
		return req, r
	}
	return req, x.fillRequest(req, params)
}

// returnAddress begins with a request. Until client and redirect URI are known to belong together, it may not redirect.
func (x *exchange) returnAddress(params url.Values) (*authRequest, *refusal) {
	req := &authRequest{redirectURI: params.Get("redirect_uri"), state: params.Get("state"), mode: params.Get("response_mode")}
	r := x.readable(params)
	if r == nil {
		req.app, r = x.findClient(params.Get("client_id"))
	}
	if r != nil {
		return req, r
	}
	registered := false
	req.platform, registered = req.app.redirect(req.redirectURI)
	switch {
	case req.redirectURI == "":
		return req, missingParameter("redirect_uri")
	case !registered:
		return req, refuse("invalid_request", 50011, "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. "+
			"Make sure the redirect URI sent in the request matches one added to your application.", req.redirectURI, req.app.ID).
			inB2C(90006, "The redirect URI '%s' provided in the request is not registered for the client id '%s'.", req.redirectURI, req.app.ID).
			advise("Add it to redirectURIs.web, .spa or .native of the application.")
	case req.mode == "form_post" && !isWeb(req.redirectURI): // nothing else can be posted to
		return req, refuse("invalid_request", 70007, "'form_post' is not a supported value of 'response_mode' for this redirect URI.").
			inB2C(90007, "The response mode 'form_post' is not supported for this redirect URI.")
	}
	req.mayRedirect = true
	return req, nil
}

// denied tells the application.
func (x *exchange) denied(req *authRequest, r *refusal) answer {
	return x.denial(req, r).answer()
}

func (x *exchange) denial(req *authRequest, r *refusal) *authorizeResponse {
	resp, t := &authorizeResponse{redirectURI: req.redirectURI, mode: req.mode}, x.tell(r)
	resp.add("error", t.kind)
	resp.add("error_description", t.description)
	if !x.b2c() {
		resp.add("error_uri", x.rt.base()+"/error?code="+t.code[len("AADSTS"):])
	}
	resp.add("error_subcode", r.suberror)
	if req.forTenant {
		resp.add("admin_consent", "True") // in refusals, too
	}
	resp.add("state", req.state)
	return resp
}

// fillRequest reads what is left. It settles the response mode first, so that errors have a way.
func (x *exchange) fillRequest(req *authRequest, params url.Values) *refusal {
	asked := req.mode
	known := x.responseType(req, params.Get("response_type"))
	front := req.wants.idToken || req.wants.token
	switch {
	case slices.Contains(responseModes, req.mode) && !(front && req.mode == "query"):
	case front:
		req.mode = "fragment"
	default:
		req.mode = "query"
	}
	switch {
	case known != nil:
		return known
	case asked != "" && asked != req.mode:
		return refuse("unsupported_response_mode", 70007, "'%s' is not a supported value of 'response_mode' when requesting a token.", asked).
			inB2C(90007, "The response mode '%s' is not supported for this response type.", asked)
	}
	req.scope, req.resource = strings.Join(strings.Fields(params.Get("scope")), " "), params.Get("resource")
	req.nonce, req.challenge, req.method = params.Get("nonce"), params.Get("code_challenge"), params.Get("code_challenge_method")
	req.loginHint, req.domainHint, req.sid = hinted(params.Get("login_hint")), params.Get("domain_hint"), params.Get("sid")
	req.clientInfo = params.Get("client_info") == "1"
	var r *refusal
	if req.claims, r = parseClaims(params.Get("claims")); r != nil {
		return r
	}
	for _, check := range []func(*authRequest, url.Values) *refusal{x.checkPrompt, x.checkScope, x.checkImplicit, x.checkChallenge} {
		if r := check(req, params); r != nil {
			return r
		}
	}
	return nil
}

// hinted is the login name in a hint, which may be the opaque login_hint claim of an ID token.
func hinted(hint string) string {
	if encoded, ok := strings.CutPrefix(hint, "O."); ok {
		if login := eitherBase64(encoded); login != nil {
			return string(login)
		}
	}
	return hint
}

// responseType reads response_type, whose words have any order.
func (x *exchange) responseType(req *authRequest, text string) *refusal {
	if text == "" {
		return missingParameter("response_type")
	}
	for _, word := range strings.Fields(text) {
		switch word {
		case "code":
			req.wants.code = true
		case "id_token":
			req.wants.idToken = true
		case "token":
			req.wants.token = true
		default:
			return unsupportedType(text)
		}
	}
	if w := req.wants; !x.b2c() && w.code && w.token { // Entra has no hybrid with an access token
		return unsupportedType(text)
	}
	return nil
}

func unsupportedType(text string) *refusal {
	return refuse("unsupported_response_type", 70005, "The response_type '%s' is not supported.", text).inB2C(90009, "The response type '%s' is not supported.", text)
}

func (x *exchange) checkPrompt(req *authRequest, params url.Values) *refusal {
	req.prompt = strings.Fields(strings.ToLower(params.Get("prompt")))
	allowed := []string{"login", "none", "consent", "select_account", "create", "admin_consent"}
	for _, p := range req.prompt {
		if !slices.Contains(allowed, p) || p == "none" && len(req.prompt) > 1 {
			return refuse("invalid_request", 90023, "Unsupported 'prompt' value: '%s'.", params.Get("prompt")).inB2C(90043, "The prompt included in the request contains invalid values.")
		}
	}
	req.consentAsked = req.has("consent") || req.has("admin_consent")
	return nil
}

func (req *authRequest) has(prompt string) bool { return slices.Contains(req.prompt, prompt) }

// checkScope needs the tenant for the resources in it; at common, whose tenant is not known before somebody signs in, it is the
// one of the application.
func (x *exchange) checkScope(req *authRequest, params url.Values) *refusal {
	if x.rt.v1 {
		req.oidc = true
		_, r := x.resourceOnly(req.app, x.likelyTenant(req.app), req.resource)
		return r
	}
	if params.Has("resource") {
		return refuse("invalid_request", 901002, "The 'resource' request parameter is not supported.")
	}
	if req.scope == "" {
		return missingParameter("scope").inB2C(90010, "The request does not contain a scope parameter.")
	}
	asked, r := x.understand(x.likelyTenant(req.app), req.app, req.scope, true)
	if r != nil {
		return r
	}
	req.oidc = asked.has("openid")
	if req.wants.idToken && !req.oidc {
		return badScope(req.scope).inB2C(90010, "The request does not contain the scope openid.")
	}
	return nil
}

// likelyTenant is the tenant of the address, or where there is none, the client's.
func (x *exchange) likelyTenant(app *application) *tenant {
	switch {
	case x.rt.tenant != nil:
		return x.rt.tenant
	case personalOnly(x.rt):
		return personalTenant(x.rt.cloud)
	}
	return app.home
}

// checkImplicit: tokens from the authorize endpoint are switched on per application, and bound to the request by a nonce.
func (x *exchange) checkImplicit(req *authRequest, _ url.Values) *refusal {
	switch {
	case req.wants.idToken && !req.app.ImplicitIDTokens:
		return refuse("unsupported_response_type", 700054, "response_type 'id_token' is not enabled for the application.").
			inB2C(90057, "The provided application is not configured to allow the OAuth Implicit flow.").advise("Set implicitIDTokens on the application.")
	case req.wants.token && !req.app.ImplicitAccessTokens:
		return refuse("unsupported_response_type", 700051, "response_type 'token' is not enabled for the application.").
			inB2C(90057, "The provided application is not configured to allow the OAuth Implicit flow.").advise("Set implicitAccessTokens on the application.")
	case req.wants.idToken && req.nonce == "":
		return missingParameter("nonce")
	}
	return nil
}

// checkChallenge is RFC 7636 §4.3. A method that is missing is plain; a challenge that is missing while there is a method was taken
// away.
func (x *exchange) checkChallenge(req *authRequest, params url.Values) *refusal {
	if req.method == "" {
		req.method = "plain"
	}
	switch {
	case req.app.Lenient.NoPKCE:
	case req.challenge == "" && params.Get("code_challenge_method") != "":
		return refuse("invalid_request", 50147, "The size of the code challenge parameter is not valid.").inB2C(90182, "The supplied code_challenge is invalid.")
	case req.challenge == "" && req.wants.code && req.platform == spaPlatform:
		return refuse("invalid_request", 9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption.").
			inB2C(99059, "The supplied request must present a code_challenge.")
	case req.challenge == "":
	case req.method != "plain" && req.method != "S256":
		return refuse("invalid_request", 501491, "The code_challenge_method '%s' is not supported.", req.method).inB2C(90184, "The code_challenge_method is not supported.")
	case len(req.challenge) < 43 || len(req.challenge) > 128 || strings.ContainsFunc(req.challenge, isNotUnreserved):
		return refuse("invalid_request", 501491, "Invalid size of Code_Challenge parameter.").inB2C(90182, "The supplied code_challenge is invalid.")
	}
	return nil
}

// isNotUnreserved: RFC 3986 §2.3.
func isNotUnreserved(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~", r))
}
