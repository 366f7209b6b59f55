package mockidp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

const shopBase = "https://contosob2c.b2clogin.com/"

func TestB2CFlows(t *testing.T) {
	t.Parallel()
	start := time.Now()
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return start }))
	c := idp.Client()
	const scope = "openid profile offline_access https://contosob2c.onmicrosoft.com/" + mockidp.API + "/access_as_user"
	for name, form := range map[string]struct{ base, query string }{
		"path":   {shopBase + "contosob2c.onmicrosoft.com/B2C_1_SUSI", ""},
		"ID":     {shopBase + mockidp.Shop + "/b2c_1_susi", ""},
		"tfp":    {shopBase + "tfp/contosob2c.onmicrosoft.com/b2c_1_susi", ""},
		"query":  {shopBase + "contosob2c.onmicrosoft.com", "p=B2C_1_susi&"},
		"custom": {shopBase + mockidp.Shop + "/b2c_1a_custom", ""},
	} {
		t.Log(name)
		start := form.base + "/oauth2/v2.0/authorize?" + form.query + spaRequest("scope", scope).Encode()
		p := newPerson(t, idp).open(start)
		p.sees(200, "Orders SPA", "contosob2c.onmicrosoft.com").post("loginfmt", pat).sees(200, "Enter password")
		u, v := p.post("loginfmt", pat, "passwd", mockidp.Password).sent()
		if u.Fragment == "" || v.Get("code") == "" || v.Get("state") != "s" {
			t.Fatalf("got=%v", u)
		}
		r := send(t, c, form.base+"/oauth2/v2.0/token?"+form.query, spaRedemption(v.Get("code")), spaOrigin...)
		body := ok(t, r)
		policy := map[bool]string{true: "B2C_1A_custom", false: "B2C_1_susi"}[name == "custom"]
		discovery := shopBase + mockidp.Shop + "/" + policy + discoveryPath
		_, access := mustVerify(t, c, discovery, body["access_token"].(string))
		want(t, access, map[string]any{"iss": shopBase + mockidp.Shop + "/v2.0/", "aud": mockidp.API, "azp": mockidp.Client, "scp": "access_as_user", "tfp": policy, "oid": mockidp.PasswordUser,
			"sub": mockidp.PasswordUser, "emails": []string{pat}})
		absent(t, access, "tid", "azpacr")
		_, id := mustVerify(t, c, discovery, body["id_token"].(string))
		want(t, id, map[string]any{"aud": mockidp.Client, "nonce": "n", "tfp": policy})
		want(t, body, map[string]any{"resource": mockidp.API, "scope": scope, "expires_in": 3600, "id_token_expires_in": 3600, "refresh_token_expires_in": 86400})
		if got := eitherText(body["client_info"]); got != `{"uid":"`+mockidp.PasswordUser+"-"+strings.ToLower(policy)+`","utid":"`+mockidp.Shop+`"}` {
			t.Errorf("client_info: got=%s", got)
		}
		if body["not_before"] == nil || body["expires_on"] == nil || !strings.Contains(eitherText(body["profile_info"]), `"tid":"`+mockidp.Shop+`"`) {
			t.Errorf("got=%v", body)
		}
		if r.header.Get("Access-Control-Allow-Origin") != spaCallback {
			t.Errorf("CORS: got=%v", r.header)
		}
	}
	body := ok(t, send(t, c, shopBase+mockidp.Shop+"/b2c_1_susi/oauth2/v2.0/token", spaRedemption(codeFor(t, idp, shopBase+mockidp.Shop+"/b2c_1_susi", spaRequest("scope", "openid"), jo))))
	absent(t, body, "access_token", "expires_in", "refresh_token")
	want(t, claimsOf(t, body["id_token"].(string)), map[string]any{"given_name": "Jo", "family_name": "Doe"})
	body = ok(t, send(t, c, shopBase+mockidp.Shop+"/b2c_1_susi/oauth2/v2.0/token", spaRedemption(codeFor(t, idp, shopBase+mockidp.Shop+"/b2c_1_susi", spaRequest("scope", "openid "+mockidp.Client), jo))))
	want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"aud": mockidp.Client})
}

func TestB2CRefused(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	c := idp.Client()
	const base, token = shopBase + mockidp.Shop + "/b2c_1_susi", shopBase + mockidp.Shop + "/b2c_1_susi/oauth2/v2.0/token"
	scope := "openid offline_access api://" + mockidp.API + "/access_as_user"
	code := func() string { t.Helper(); return codeFor(t, idp, base, webRequest("scope", scope), jo) }
	for name, row := range map[string]struct {
		with   []string
		at     string
		status int
		error  string
		number int
	}{
		"good":             {},
		"other policy":     {at: shopBase + mockidp.Shop + "/b2c_1a_custom/oauth2/v2.0/token", status: 400, error: "invalid_grant", number: 90088},
		"wrong secret":     {with: []string{"client_secret", "x"}, status: 401, error: "invalid_client", number: 90081},
		"no secret":        {with: []string{"client_secret", ""}, status: 401, error: "invalid_client", number: 90079},
		"unknown code":     {with: []string{"code", "x"}, status: 400, error: "invalid_grant", number: 90080},
		"verifier":         {with: []string{"code_verifier", "x"}, status: 400, error: "invalid_grant", number: 90183},
		"unknown client":   {with: []string{"client_id", mockidp.User}, status: 400, error: "unauthorized_client", number: 90018},
		"no client":        {with: []string{"client_id", ""}, status: 400, error: "invalid_request", number: 90008},
		"grant type":       {with: []string{"grant_type", "magic"}, status: 400, error: "unsupported_grant_type", number: 90086},
		"no grant type":    {with: []string{"grant_type", ""}, status: 400, error: "invalid_request", number: 90083},
		"unknown scope":    {with: []string{"scope", "api://" + mockidp.API + "/x"}, status: 400, error: "invalid_scope", number: 90117},
		"not permitted":    {with: []string{"scope", "api://" + mockidp.API + "/Jobs.Run"}, status: 400, error: "invalid_request", number: 90205},
		"unqualified":      {with: []string{"scope", "User.Read"}, status: 400, error: "invalid_scope", number: 90117},
		"two resources":    {with: []string{"scope", apiScope + " api://" + mockidp.MiddleTier + "/access_as_user"}, status: 400, error: "invalid_request", number: 90146},
		"no such resource": {with: []string{"scope", "https://graph.microsoft.com/User.Read"}, status: 400, error: "invalid_resource", number: 90117},
	} {
		at := row.at
		if at == "" {
			at = token
		}
		t.Log(name)
		r := send(t, c, at, webRedemption(code(), row.with...))
		if row.status == 0 {
			ok(t, r)
		} else {
			b2cRefused(t, r, row.status, row.error, row.number)
		}
	}
	for name, row := range map[string]struct {
		with []string
		code string
	}{
		"not permitted":  {[]string{"scope", "openid api://" + mockidp.API + "/Jobs.Run"}, "AADB2C90205"},
		"silent":         {[]string{"prompt", "none"}, "AADB2C90077"},
		"prompt":         {[]string{"prompt", "x"}, "AADB2C90043"},
		"no scope":       {[]string{"scope", ""}, "AADB2C90010"},
		"implicit":       {[]string{"response_type", "code id_token token"}, "AADB2C90057"},
		"SPA, no PKCE":   {[]string{"client_id", mockidp.Client, "redirect_uri", spaCallback}, "AADB2C99059"},
		"method of PKCE": {[]string{"code_challenge", s256(verifier), "code_challenge_method", "x"}, "AADB2C90184"},
	} {
		t.Log(name)
		p := newPerson(t, idp).open(authorizeURL(base, webRequest(append([]string{"scope", scope}, row.with...)...)))
		if name == "not permitted" {
			p.post("loginfmt", jo)
		}
		if _, v := p.sent(); !strings.HasPrefix(v.Get("error_description"), row.code+": ") {
			t.Errorf("%s: got=%v", name, v)
		}
	}
	newPerson(t, idp).open(authorizeURL(base, webRequest("redirect_uri", "https://x.example/"))).sees(400, "AADB2C90006")
	if r := send(t, c, shopBase+mockidp.Shop+"/b2c_1_other/oauth2/v2.0/token", nil); r.status != 404 {
		t.Errorf("unknown policy: got=%d", r.status)
	}
	if r := send(t, c, shopBase+mockidp.Shop+"/b2c_1_susi/oauth2/v2.0/devicecode", nil); r.status != 404 {
		t.Errorf("device code: got=%d", r.status)
	}
	_, v := newPerson(t, idp).open(authorizeURL(base, webRequest("scope", scope))).post("cancel", "1").sent()
	if !strings.HasPrefix(v.Get("error_description"), "AADB2C90091: ") || v.Get("error") != "access_denied" {
		t.Errorf("cancelled: got=%v", v)
	}
	// Application permissions are in scp; a password works on any policy.
	body := ok(t, send(t, c, token, daemonRequest()))
	want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"scp": "Jobs.Run.All", "sub": mockidp.ServicePrincipal})
	b2cRefused(t, send(t, c, token, daemonRequest("scope", mockidp.MiddleTier+"/.default")), 400, "invalid_request", 90205)
	password := form("grant_type", "password", "client_id", mockidp.Client, "username", pat, "password", mockidp.Password, "scope", scope)
	ok(t, send(t, c, token, password))
	b2cRefused(t, send(t, c, token, but(password, "password", "x")), 400, "invalid_grant", 90225)
}

func TestExternalID(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for _, base := range []string{"https://contosocx.ciamlogin.com/" + mockidp.Customers, "https://contosocx.ciamlogin.com/contosocx.onmicrosoft.com",
		"https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers} {
		body := ok(t, send(t, idp.Client(), base+"/oauth2/v2.0/token", spaRedemption(codeFor(t, idp, base, spaRequest(), jo)), spaOrigin...))
		_, access := mustVerify(t, idp.Client(), base+discoveryPath, body["access_token"].(string))
		want(t, access, map[string]any{"iss": "https://" + mockidp.Customers + ".ciamlogin.com/" + mockidp.Customers + "/v2.0", "tid": mockidp.Customers, "azp": mockidp.Client,
			"oid": mockidp.User, "scp": "access_as_user"})
		if got := eitherText(body["client_info"]); got != `{"uid":"`+mockidp.User+`","utid":"`+mockidp.Customers+`"}` {
			t.Errorf("client_info: got=%s", got)
		}
	}
}

// v1 endpoints ask with resource, answer with strings, and tokens are as the API has them.
func TestV1Endpoints(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	c := idp.Client()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, IdentifierURIs: []string{"https://orders.contoso.example/"},
		Scopes: []string{"user_impersonation"}, AppRoles: []mockidp.AppRole{{Value: "x"}}, TokenLifetime: 600})
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.WebClient, Secrets: []string{mockidp.WebSecret}, RedirectURIs: mockidp.RedirectURIs{Web: []string{webCallback}},
		Permissions: []mockidp.Permission{{API: mockidp.ServicePrincipal, Scopes: []string{"user_impersonation"}, Roles: []string{"x"}, Consented: true}}})
	const resource = "https://orders.contoso.example"
	start := contosoBase + "/oauth2/authorize?" + form("client_id", mockidp.WebClient, "response_type", "code", "redirect_uri", webCallback, "resource", resource).Encode()
	r, err := idp.Walk(start, jo)
	if err != nil {
		t.Fatal(err)
	}
	body := ok(t, send(t, c, contosoBase+"/oauth2/token", webRedemption(r.Values.Get("code"))))
	want(t, body, map[string]any{"expires_in": "600", "ext_expires_in": "600", "resource": resource, "scope": "user_impersonation"})
	if body["expires_on"].(string) <= body["not_before"].(string) || body["refresh_token"] == nil {
		t.Errorf("got=%v", body)
	}
	_, access := mustVerify(t, c, contosoBase+"/.well-known/openid-configuration", body["access_token"].(string))
	want(t, access, map[string]any{"iss": "https://sts.windows.net/" + mockidp.Contoso + "/", "aud": resource, "appid": mockidp.WebClient, "appidacr": "1", "upn": jo, "ver": "1.0",
		"scp": "user_impersonation", "given_name": "Jo", "family_name": "Doe"})
	want(t, claimsOf(t, body["id_token"].(string)), map[string]any{"aud": mockidp.WebClient, "ver": "1.0"})
	// The API decides about the version: a v2 endpoint gives the same, a v2 API gets v2 from here. The resource is as it was asked for.
	v2 := ok(t, send(t, c, contosoToken, daemonRequest("client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret, "scope", resource+"//.default")))
	want(t, claimsOf(t, v2["access_token"].(string)), map[string]any{"ver": "1.0", "aud": resource + "/", "roles": []string{"x"}})
	v1 := form("grant_type", "client_credentials", "client_id", mockidp.Daemon, "client_secret", mockidp.DaemonSecret, "resource", mockidp.API)
	want(t, claimsOf(t, ok(t, send(t, c, contosoBase+"/oauth2/token", v1))["access_token"].(string)), map[string]any{"ver": "2.0", "aud": mockidp.API})
	refusal{400, "invalid_request", 900144}.check(t, send(t, c, contosoBase+"/oauth2/token", but(v1, "resource", "")))
	refusal{400, "invalid_resource", 500011}.check(t, send(t, c, contosoBase+"/oauth2/token", but(v1, "resource", "https://x.example")))
	device := ok(t, send(t, c, contosoBase+"/oauth2/devicecode", form("client_id", mockidp.NativeClient, "resource", mockidp.API)))
	want(t, device, map[string]any{"interval": "5", "verification_url": login + "devicelogin"})
	if err := idp.ApproveDeviceCode(device["user_code"].(string), jo); err != nil {
		t.Fatal(err)
	}
	ok(t, send(t, c, contosoBase+"/oauth2/token", form("grant_type", "device_code", "client_id", mockidp.NativeClient, "code", device["device_code"].(string), "resource", mockidp.API)))
	p := newPerson(t, idp).open(contosoBase + "/oauth2/authorize?" + form("client_id", mockidp.WebClient, "response_type", "code", "redirect_uri", webCallback, "resource", "x").Encode())
	if _, v := p.sent(); v.Get("error") != "invalid_resource" {
		t.Errorf("got=%v", v)
	}
	if r := send(t, c, shopBase+mockidp.Shop+"/b2c_1_susi/oauth2/token", nil); r.status != 404 {
		t.Errorf("B2C has no v1: got=%d", r.status)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	silent := func(p *person) string {
		t.Helper()
		_, v := p.open(authorizeURL(contosoBase, webRequest("prompt", "none"))).sent()
		return v.Get("error")
	}
	for name, row := range map[string]struct {
		query    string
		location string // empty: a page
		stays    bool
	}{
		"bare":               {},
		"registered":         {query: "post_logout_redirect_uri=" + url.QueryEscape("https://web.contoso.example/") + "&state=a%26b", location: "https://web.contoso.example/?state=a%26b"},
		"a redirect URI":     {query: "post_logout_redirect_uri=" + url.QueryEscape("http://localhost:3000/") + "&client-request-id=x&pocd=1", location: "http://localhost:3000/"},
		"not registered":     {query: "post_logout_redirect_uri=https://attacker.example/"},
		"script":             {query: "post_logout_redirect_uri=javascript:alert(1)"},
		"somebody else":      {query: "logout_hint=" + pat, stays: true},
		"named":              {query: "logout_hint=" + jo},
		"by the opaque hint": {query: "logout_hint=O.am9AY29udG9zby5leGFtcGxl"},
	} {
		t.Log(name)
		p := newPerson(t, idp).open(authorizeURL(contosoBase, webRequest())).post("loginfmt", jo)
		if got := silent(p); got != "" {
			t.Fatalf("not signed in: %s", got)
		}
		p.open(contosoBase + "/oauth2/v2.0/logout?" + row.query)
		if row.location == "" {
			p.sees(200, "Signed out")
		} else if u, _ := p.sent(); u.String() != row.location {
			t.Errorf("%s: got=%s", name, u)
		}
		if stays := silent(p) == ""; stays != row.stays {
			t.Errorf("%s: session stays: got=%v, want=%v", name, stays, row.stays)
		}
	}
	if r := send(t, newPerson(t, idp).c, contosoBase+"/oauth2/logout", form("post_logout_redirect_uri", webCallback, "state", "x")); r.status != 302 || r.header.Get("Location") != webCallback+"?state=x" {
		t.Errorf("POST: got=%d %v", r.status, r.header)
	}
	if r := visit(t, idp.Client(), login+"nobody.example/oauth2/v2.0/logout"); r.status != 400 || !strings.Contains(r.text, "AADSTS90002") {
		t.Errorf("unknown tenant: got=%d", r.status)
	}
	refusal{400, "invalid_request", 900561}.check(t, func() reply { r := send(t, idp.Client(), login+"common/discovery/instance", nil); return r }())
}

func TestUserInfo(t *testing.T) {
	both(t, func(t *testing.T, idp *mockidp.Server) {
		contoso := idp.Tenant(mockidp.Contoso)
		tokens, err := contoso.SignIn(mockidp.SignIn{Login: jo, Scopes: []string{"openid", "profile", "email"}})
		if err != nil {
			t.Fatal(err)
		}
		address := document(t, idp.Client(), contoso.DiscoveryURL())["userinfo_endpoint"].(string)
		for _, at := range []string{address, contosoBase + "/openid/userinfo", "https://127.0.0.1:1/oidc/userinfo"} {
			body := ok(t, visit(t, idp.Client(), at, "Authorization", "Bearer "+tokens.AccessToken))
			want(t, body, map[string]any{"sub": claimsOf(t, tokens.IDToken)["sub"], "email": jo, "given_name": "Jo", "family_name": "Doe"})
		}
		other, err := contoso.SignIn(mockidp.SignIn{Login: jo, Scopes: []string{apiScope}})
		if err != nil {
			t.Fatal(err)
		}
		for name, raw := range map[string]string{"none": "", "other audience": other.AccessToken, "expired": contoso.Token(mockidp.ForGraph(), mockidp.ExpiresIn(-1)),
			"changed": tokens.AccessToken[:len(tokens.AccessToken)-8] + "AAAAAAAA", "nonsense": "x", "no such user": contoso.Token(mockidp.ForGraph(), mockidp.ObjectID("x"))} {
			r := visit(t, idp.Client(), address, "Authorization", "Bearer "+raw)
			if inner, _ := r.json["error"].(map[string]any); r.status != 401 || inner["code"] != "InvalidAuthenticationToken" || !strings.HasPrefix(r.header.Get("Www-Authenticate"), "Bearer ") {
				t.Errorf("%s: got=%d %s", name, r.status, r.text)
			}
		}
		if r := visit(t, idp.Client(), "https://graph.microsoft.com/v1.0/me"); r.status != 404 {
			t.Errorf("Graph itself: got=%d", r.status)
		}
	})
}

func TestInstanceDiscovery(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	c := idp.Client()
	ask := func(host, query string) reply {
		t.Helper()
		return visit(t, c, "https://"+host+"/Common/Discovery/Instance?"+query)
	}
	endpoint := func(host string) string {
		return "authorization_endpoint=" + url.QueryEscape("https://"+host+"/contoso.onmicrosoft.com/oauth2/v2.0/authorize")
	}
	for _, host := range []string{"login.microsoftonline.com", "localhost:8443"} {
		body := ok(t, ask(host, "api-version=1.1&"+endpoint(host)))
		want(t, body, map[string]any{"tenant_discovery_endpoint": "https://" + host + "/contoso.onmicrosoft.com" + discoveryPath, "api-version": "1.1"})
		if text := ask(host, "api-version=1.1&"+endpoint(host)).text; !strings.Contains(text, `"aliases":["login.microsoftonline.com","login.windows.net"`) || !strings.Contains(text, `"`+host+`"`) {
			t.Errorf("%s: got=%s", host, text)
		}
	}
	body := ok(t, ask("login.microsoftonline.com", "api-version=1.0&issuer=https://login.microsoftonline.us/common"))
	want(t, body, map[string]any{"tenant_discovery_endpoint": "https://login.microsoftonline.us/common/.well-known/openid-configuration"})
	absent(t, body, "metadata", "api-version")
	for query, w := range map[string]refusal{
		"api-version=1.1&" + endpoint("idp.example"):               {400, "invalid_instance", 50049},
		endpoint("login.microsoftonline.com"):                      {400, "invalid_request", 500501},
		"api-version=2.0&" + endpoint("login.microsoftonline.com"): {400, "invalid_request", 500501},
		"api-version=1.1": {400, "invalid_request", 500502},
		"api-version=1.1&issuer=https://x&" + endpoint("login.microsoftonline.com"):       {400, "invalid_request", 500502},
		"api-version=1.1&authorization_endpoint=http://login.microsoftonline.com/common/": {400, "invalid_instance", 50050},
		"%zz": {400, "invalid_request", 9002313},
	} {
		w.check(t, ask("login.microsoftonline.com", query))
	}
	for _, address := range []string{contosoBase + "/discovery/instance", "https://contosocx.ciamlogin.com/common/discovery/instance", shopBase + "common/discovery/instance"} {
		if r := visit(t, c, address); r.status != 404 {
			t.Errorf("%s: got=%d, want=404", address, r.status)
		}
	}
}

func TestUserRealm(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for login, account := range map[string]string{jo: "Managed", "x@contoso.onmicrosoft.com": "Managed", "x@nobody.example": "Unknown", "x": "Unknown"} {
		for _, path := range []string{"/common/UserRealm/", "/common/userrealm/"} {
			body := ok(t, visit(t, idp.Client(), "https://login.microsoftonline.com"+path+login+"?api-version=1.0"))
			want(t, body, map[string]any{"ver": "1.0", "account_type": account, "cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline"})
			if account == "Managed" && body["domain_name"] != login[strings.IndexByte(login, '@')+1:] {
				t.Errorf("domain_name: got=%v", body["domain_name"])
			}
		}
	}
}
