package mockidp_test

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// What is wrong with client or redirect URI is shown on a page, and never redirected.
func TestAuthorizePages(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for name, row := range map[string]struct {
		with []string
		base string
		code string // empty: a sign-in page
	}{
		"good":                 {},
		"unknown client":       {with: []string{"client_id", mockidp.User}, code: "AADSTS700016"},
		"not a client ID":      {with: []string{"client_id", "<script>"}, code: "AADSTS700038"},
		"no client ID":         {with: []string{"client_id", ""}, code: "AADSTS900144"},
		"no redirect URI":      {with: []string{"redirect_uri", ""}, code: "AADSTS900144"},
		"unregistered":         {with: []string{"redirect_uri", "https://attacker.example/callback"}, code: "AADSTS50011"},
		"other path":           {with: []string{"redirect_uri", webCallback + "/x"}, code: "AADSTS50011"},
		"other case of path":   {with: []string{"redirect_uri", "https://web.contoso.example/Callback"}, code: "AADSTS50011"},
		"other case of host":   {with: []string{"redirect_uri", "https://WEB.contoso.example/callback"}},
		"other query":          {with: []string{"redirect_uri", webCallback + "?x=1"}, code: "AADSTS50011"},
		"fragment":             {with: []string{"redirect_uri", webCallback + "#x"}, code: "AADSTS50011"},
		"user name":            {with: []string{"redirect_uri", "https://x@web.contoso.example/callback"}, code: "AADSTS50011"},
		"other port of https":  {with: []string{"redirect_uri", "https://web.contoso.example:444/callback"}, code: "AADSTS50011"},
		"other port, loopback": {with: []string{"redirect_uri", "http://localhost:41609/callback"}},
		"script":               {with: []string{"redirect_uri", "javascript:alert(1)"}, code: "AADSTS50011"},
		"dots":                 {with: []string{"redirect_uri", "https://web.contoso.example/x/../callback"}, code: "AADSTS50011"},
		"backslash":            {with: []string{"redirect_uri", `https://web.contoso.example\@attacker.example/callback`}, code: "AADSTS50011"},
		"unknown tenant":       {base: login + "nobody.example", code: "AADSTS90002"},
		"multi-tenant":         {base: login + mockidp.Fabrikam},
		"common":               {base: login + "common"},
	} {
		base := row.base
		if base == "" {
			base = contosoBase
		}
		for _, post := range []bool{false, true} {
			p := newPerson(t, idp)
			if v := webRequest(row.with...); post {
				p.at = base + "/oauth2/v2.0/authorize"
				p.page = send(t, p.c, p.at, v)
			} else {
				p.open(authorizeURL(base, v))
			}
			t.Log(name)
			if row.code == "" {
				p.sees(200, "Orders Web", "Sign in")
				continue
			}
			p.sees(400, row.code, "Correlation ID")
			if strings.Contains(p.page.text, "<script>") {
				t.Errorf("%s: not escaped", name)
			}
		}
	}
	if r := send(t, newPerson(t, idp).c, contosoBase+"/oauth2/v2.0/authorize?a=%zz", nil); r.status != 400 || !strings.Contains(r.text, "AADSTS9002313") {
		t.Errorf("bad encoding: got=%d", r.status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, contosoBase+"/oauth2/v2.0/authorize", nil)
	refusal{400, "invalid_request", 900561}.check(t, do(t, idp.Client(), req))
}

// Everything else is told to the application, in the response mode that it can have.
func TestAuthorizeErrors(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, Name: "Alone", RedirectURIs: mockidp.RedirectURIs{Web: []string{webCallback}}})
	for name, row := range map[string]struct {
		with  []string
		base  string
		error string
		code  string
		mode  string
	}{
		"no response type":           {with: []string{"response_type", ""}, error: "invalid_request", code: "900144"},
		"unknown response type":      {with: []string{"response_type", "magic"}, error: "unsupported_response_type", code: "70005"},
		"code token":                 {with: []string{"response_type", "code token"}, error: "unsupported_response_type", code: "70005", mode: "fragment"},
		"access token not enabled":   {with: []string{"response_type", "id_token token"}, error: "unsupported_response_type", code: "700051", mode: "fragment"},
		"ID token in a query":        {with: []string{"response_type", "id_token", "response_mode", "query"}, error: "unsupported_response_mode", code: "70007", mode: "fragment"},
		"unknown response mode":      {with: []string{"response_mode", "smoke"}, error: "unsupported_response_mode", code: "70007"},
		"ID token without nonce":     {with: []string{"response_type", "id_token", "nonce", ""}, error: "invalid_request", code: "900144", mode: "fragment"},
		"ID token without openid":    {with: []string{"response_type", "id_token", "scope", apiScope}, error: "invalid_scope", code: "70011", mode: "fragment"},
		"ID token not enabled":       {with: []string{"client_id", mockidp.ServicePrincipal, "response_type", "code id_token"}, error: "unsupported_response_type", code: "700054", mode: "fragment"},
		"no scope":                   {with: []string{"scope", ""}, error: "invalid_request", code: "900144"},
		"unknown resource":           {with: []string{"scope", "api://nobody/x"}, error: "invalid_resource", code: "500011"},
		"resource":                   {with: []string{"resource", "x"}, error: "invalid_request", code: "901002"},
		"prompt":                     {with: []string{"prompt", "please"}, error: "invalid_request", code: "90023"},
		"none with another":          {with: []string{"prompt", "none login"}, error: "invalid_request", code: "90023"},
		"nobody signed in":           {with: []string{"prompt", "none"}, error: "login_required", code: "50058"},
		"bad claims":                 {with: []string{"claims", "x"}, error: "invalid_request", code: "9002313"},
		"challenge too short":        {with: []string{"code_challenge", "x"}, error: "invalid_request", code: "501491"},
		"challenge of other letters": {with: []string{"code_challenge", strings.Repeat("+", 43)}, error: "invalid_request", code: "501491"},
		"challenge method":           {with: []string{"code_challenge", s256(verifier), "code_challenge_method", "S512"}, error: "invalid_request", code: "501491"},
	} {
		base := row.base
		if base == "" {
			base = contosoBase
		}
		t.Log(name)
		u, v := newPerson(t, idp).open(authorizeURL(base, webRequest(row.with...))).sent()
		mode := "query"
		if u.Fragment != "" {
			mode = "fragment"
		}
		if row.mode == "" {
			row.mode = "query"
		}
		if v.Get("error") != row.error || !strings.HasPrefix(v.Get("error_description"), "AADSTS"+row.code+": ") || v.Get("state") != "s t&a" || mode != row.mode ||
			u.Host != "web.contoso.example" || !strings.HasSuffix(v.Get("error_uri"), "/error?code="+row.code) {
			t.Errorf("%s: got=%s %v", name, mode, v)
		}
	}
}

func TestSignInPages(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	start := authorizeURL(contosoBase, webRequest())
	p := newPerson(t, idp).open(start)
	p.sees(200, "Orders Web", "contoso.onmicrosoft.com", jo, pat)
	cookie := p.page.header.Get("Set-Cookie")
	for _, attribute := range []string{"SameSite=None", "Secure", "HttpOnly", "Path=/"} {
		if !strings.Contains(cookie, attribute) {
			t.Errorf("cookie: got=%q, want %s", cookie, attribute)
		}
	}
	p.post("loginfmt", "").sees(200, "Enter a login name")
	p.post("loginfmt", "nobody@contoso.example").sees(200, "does not exist", `value="nobody@contoso.example"`)
	p.post("loginfmt", pat).sees(200, "Enter password")
	p.post("loginfmt", pat, "passwd", "x").sees(200, "password is wrong")
	u, v := p.post("loginfmt", "PAT@contoso.example", "passwd", mockidp.Password).sent()
	if u.Path != "/callback" || v.Get("code") == "" || v.Get("state") != "s t&a" || v.Get("session_state") == "" || v.Has("client_info") {
		t.Errorf("got=%v", u)
	}
	ok(t, send(t, idp.Client(), contosoToken, webRedemption(v.Get("code"))))

	// Signed in: no page. A second account: the picker, and with prompt=none nobody to choose.
	if _, v := p.open(start).sent(); v.Get("code") == "" {
		t.Errorf("no single sign-on: %v", v)
	}
	if _, v := p.open(authorizeURL(contosoBase, webRequest("prompt", "none"))).sent(); v.Get("code") == "" {
		t.Errorf("no silent sign-on: %v", v)
	}
	p.open(authorizeURL(contosoBase, webRequest("prompt", "login"))).sees(200, pat)
	p.post("loginfmt", pat).sees(200, "Enter password") // prompt=login asks again
	p.open(authorizeURL(contosoBase, webRequest("prompt", "select_account"))).sees(200, "signed in")
	if _, v := p.post("loginfmt", pat).sent(); v.Get("code") == "" { // picked, without the password
		t.Errorf("got=%v", v)
	}
	p.open(authorizeURL(contosoBase, webRequest("login_hint", jo))).sees(200, jo)
	p.post("loginfmt", jo).sent()
	p.open(start).sees(200, "Pick an account")
	if _, v := p.open(authorizeURL(contosoBase, webRequest("prompt", "none"))).sent(); v.Get("error") != "interaction_required" {
		t.Errorf("two accounts: got=%v", v)
	}
	if _, v := p.open(authorizeURL(contosoBase, webRequest("prompt", "none", "login_hint", pat))).sent(); v.Get("code") == "" {
		t.Errorf("two accounts, one named: got=%v", v)
	}
	if _, v := p.open(start).post("cancel", "1").sent(); v.Get("error") != "access_denied" || !strings.HasPrefix(v.Get("error_description"), "AADSTS65004") {
		t.Errorf("cancelled: got=%v", v)
	}
	p.open(authorizeURL(contosoBase, webRequest("prompt", "select_account", "domain_hint", "fabrikam.example"))).sees(200, "kim@fabrikam.example")
	if strings.Contains(p.page.text, pat) {
		t.Error("domain_hint does not narrow the list")
	}
}

// A page works once, in the browser that it was made for, with its own token.
func TestPagesAreBound(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	start := authorizeURL(contosoBase, webRequest())
	p := newPerson(t, idp).open(start)
	good := p.fields()
	post := func(c *http.Client, v url.Values) reply {
		return send(t, c, contosoBase+"/login", but(v, "loginfmt", jo))
	}
	for name, r := range map[string]reply{
		"no cookie":      post(idp.Client(), good),
		"other cookie":   post(newPerson(t, idp).open(start).c, good),
		"no canary":      post(p.c, but(good, "canary", "")),
		"wrong canary":   post(p.c, but(good, "canary", "x")),
		"no flow":        post(p.c, but(good, "flow", "")),
		"bad encoding":   do(t, p.c, func() *http.Request { r, _ := http.NewRequest("POST", contosoBase+"/login?%zz", nil); return r }()),
		"nothing at all": post(p.c, url.Values{}),
	} {
		if r.status != 400 || !strings.Contains(r.text, "AADSTS") {
			t.Errorf("%s: got=%d %s", name, r.status, r.text)
		}
	}
	if r := post(p.c, good); r.status != 302 {
		t.Errorf("good: got=%d %s", r.status, r.text)
	}
	if r := post(p.c, good); r.status != 400 || !strings.Contains(r.text, "AADSTS165000") {
		t.Errorf("again: got=%d", r.status)
	}
	refusal{400, "invalid_request", 900561}.check(t, visit(t, p.c, contosoBase+"/login"))
}

func TestConsent(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	jobs := authorizeURL(contosoBase, webRequest("scope", "openid api://"+mockidp.API+"/Jobs.Run"))
	p := newPerson(t, idp).open(jobs).post("loginfmt", jo)
	p.sees(200, "Permissions requested", "Jobs.Run", "Orders API", jo)
	if _, v := p.post("consent", "cancel").sent(); v.Get("error") != "access_denied" {
		t.Errorf("declined: got=%v", v)
	}
	if _, v := p.open(jobs + "&prompt=none").sent(); v.Get("error") != "consent_required" || !strings.HasPrefix(v.Get("error_description"), "AADSTS65001") {
		t.Errorf("silent: got=%v", v)
	}
	_, v := p.open(jobs).sees(200, "Jobs.Run").post("consent", "accept").sent()
	body := ok(t, send(t, idp.Client(), contosoToken, webRedemption(v.Get("code"))))
	want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"scp": "Jobs.Run"})
	if _, v := p.open(jobs + "&prompt=none").sent(); v.Get("code") == "" {
		t.Errorf("consent is not remembered: %v", v)
	}
	p.open(jobs+"&prompt=consent").sees(200, "Jobs.Run", "Sign you in")
	if _, v := p.post("consent", "accept").sent(); v.Get("code") == "" {
		t.Errorf("got=%v", v)
	}
	// Somebody else has not consented.
	newPerson(t, idp).open(jobs).post("loginfmt", "max@contoso.example").sees(200, "Permissions requested")
}

func TestResponseModes(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	p := newPerson(t, idp).open(authorizeURL(contosoBase, webRequest())).post("loginfmt", jo)
	u, v := p.open(authorizeURL(contosoBase, webRequest("response_type", "id_token code", "client_info", "1"))).sent()
	if u.Fragment == "" || u.RawQuery != "" || v.Get("client_info") == "" {
		t.Errorf("got=%s", u)
	}
	_, id := mustVerify(t, idp.Client(), contosoBase+discoveryPath, v.Get("id_token"))
	if id["nonce"] != "n" || id["c_hash"] == nil {
		t.Errorf("got=%v", id)
	}
	p.open(authorizeURL(contosoBase, webRequest("response_mode", "form_post", "state", `"><script>`))).sees(200, `action="`+webCallback+`"`, `name="code"`)
	if got := p.fields(); got.Get("state") != `"><script>` || got.Get("code") == "" || !strings.Contains(p.page.text, "<button") {
		t.Errorf("got=%v", got)
	}
	p.open(authorizeURL(contosoBase, webRequest("response_mode", "form_post", "prompt", "none", "login_hint", pat))).sees(200, "login_required")
	// Loopback with any port and no path gets the slash that browsers add.
	native := but(webRequest("client_id", mockidp.NativeClient), "redirect_uri", "http://localhost:41609")
	if u, _ := p.open(authorizeURL(contosoBase, native)).sent(); u.Host != "localhost:41609" || u.Path != "/" {
		t.Errorf("got=%s", u)
	}
	u, _ = p.open(authorizeURL(contosoBase, but(native, "redirect_uri", "msal"+mockidp.NativeClient+"://auth"))).sent()
	if u.Scheme != "msal"+mockidp.NativeClient || u.Query().Get("code") == "" {
		t.Errorf("got=%s", u)
	}
	p.open(authorizeURL(contosoBase, but(native, "redirect_uri", "msal"+mockidp.NativeClient+"://auth", "response_mode", "form_post"))).sees(400, "AADSTS70007")
}

// Who signs in where: members, guests, personal accounts.
func TestCommon(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	tid := func(raw any) any { return claimsOf(t, raw.(string))["tid"] }
	for name, row := range map[string]struct {
		path, login string
		tenant      string // empty: not there
	}{
		"member at common":              {"common", jo, mockidp.Contoso},
		"member of another":             {"organizations", "kim@fabrikam.example", mockidp.Fabrikam},
		"guest":                         {mockidp.Contoso, "kim@fabrikam.example", mockidp.Contoso},
		"stranger":                      {mockidp.Contoso, "ada@fabrikam.example", ""},
		"personal account":              {"consumers", "sam@outlook.example", mockidp.PersonalAccounts},
		"personal account at common":    {"common", "sam@outlook.example", mockidp.PersonalAccounts},
		"personal account by ID":        {mockidp.PersonalAccounts, "sam@outlook.example", mockidp.PersonalAccounts},
		"personal, organizations":       {"organizations", "sam@outlook.example", ""},
		"member, consumers":             {"consumers", jo, ""},
		"personal account as guest":     {mockidp.Contoso, "sam@outlook.example", mockidp.Contoso},
		"many groups, multi-tenant app": {mockidp.Fabrikam, "ada@fabrikam.example", mockidp.Fabrikam},
	} {
		t.Log(name)
		r, err := idp.Walk(authorizeURL(login+row.path, spaRequest()), row.login)
		if err != nil {
			t.Fatal(err)
		}
		if row.tenant == "" {
			if r.Values.Get("error") != "invalid_grant" || !strings.HasPrefix(r.Values.Get("error_description"), "AADSTS50034") {
				t.Errorf("%s: got=%v", name, r.Values)
			}
			continue
		}
		body := ok(t, send(t, idp.Client(), login+row.path+"/oauth2/v2.0/token", spaRedemption(r.Values.Get("code")), spaOrigin...))
		if got := tid(body["access_token"]); got != row.tenant || tid(body["id_token"]) != got {
			t.Errorf("%s: got=%v, want=%s", name, got, row.tenant)
		}
		mustVerify(t, idp.Client(), commonV2, body["access_token"].(string))
	}
	guest := ok(t, send(t, idp.Client(), contosoToken, spaRedemption(codeFor(t, idp, contosoBase, spaRequest(), "kim@fabrikam.example")), spaOrigin...))
	want(t, claimsOf(t, guest["access_token"].(string)), map[string]any{"acct": 1, "idp": "https://sts.windows.net/" + mockidp.Fabrikam + "/", "oid": mockidp.GuestUser})
	if got := eitherText(guest["client_info"]); got != `{"uid":"`+mockidp.FabrikamUser+`","utid":"`+mockidp.Fabrikam+`"}` {
		t.Errorf("client_info of a guest: got=%s", got)
	}
	// A session at home is the guest's abroad, and so is a refresh token.
	p := newPerson(t, idp).open(authorizeURL(login+"common", webRequest())).post("loginfmt", "kim@fabrikam.example")
	_, v := p.sent()
	if _, v := p.open(authorizeURL(contosoBase, webRequest("prompt", "none"))).sent(); v.Get("code") == "" {
		t.Errorf("no single sign-on for a guest: %v", v)
	}
	body := ok(t, send(t, idp.Client(), login+"common/oauth2/v2.0/token", webRedemption(v.Get("code"))))
	body = ok(t, send(t, idp.Client(), contosoToken, form("grant_type", "refresh_token", "client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret,
		"refresh_token", body["refresh_token"].(string))))
	if got := tid(body["access_token"]); got != mockidp.Contoso {
		t.Errorf("got=%v", got)
	}
	// An application of one tenant is not for everybody.
	idp.AddApplication(mockidp.Fabrikam, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, RedirectURIs: mockidp.RedirectURIs{Web: []string{webCallback}}})
	single := webRequest("client_id", mockidp.ServicePrincipal, "scope", "openid")
	p.open(authorizeURL(login+"common", single)).sees(400, "AADSTS50194")
	p.open(authorizeURL(login+"consumers", single)).sees(400, "AADSTS50194")
	p.open(authorizeURL(login+mockidp.Fabrikam, single)).sent()
	p.open(authorizeURL(contosoBase, single)).sees(400, "AADSTS700016")
}

func TestGroups(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	body := ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), "max@contoso.example"))))
	access := claimsOf(t, body["access_token"].(string))
	absent(t, access, "groups")
	want(t, access, map[string]any{"_claim_names": map[string]string{"groups": "src1"}})
	max := idp.Tenant(mockidp.Contoso).Tenant().Users[2]
	max.Groups = max.Groups[:200]
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, max)
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, ImplicitIDTokens: true, ImplicitAccessTokens: true,
		RedirectURIs: mockidp.RedirectURIs{Web: []string{webCallback}}, GroupClaims: true, Permissions: []mockidp.Permission{{API: mockidp.API, Scopes: []string{"access_as_user"}, Consented: true}}})
	body = ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), "max@contoso.example"))))
	if got := claimsOf(t, body["access_token"].(string))["groups"].([]any); len(got) != 200 {
		t.Errorf("got=%d groups, want=200", len(got))
	}
	r, err := idp.Walk(authorizeURL(contosoBase, webRequest("client_id", mockidp.ServicePrincipal, "response_type", "token id_token")), "max@contoso.example")
	if err != nil || r.Mode != "fragment" || !strings.Contains(r.URL.String(), "#access_token=") {
		t.Fatalf("got=%+v %v", r, err)
	}
	id := claimsOf(t, r.Values.Get("id_token"))
	want(t, id, map[string]any{"hasgroups": true})
	absent(t, id, "groups")
	want(t, claimsOf(t, r.Values.Get("access_token")), map[string]any{"hasgroups": true, "aud": mockidp.API})
	if id["at_hash"] == nil || r.Values.Get("expires_in") != "3600" || r.Values.Get("token_type") != "Bearer" {
		t.Errorf("got=%v", r.Values)
	}
}

// The sign-in page escapes everything.
func TestPagesEscape(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const evil = `"><script>alert(1)</script>`
	for _, v := range []url.Values{webRequest("login_hint", evil), webRequest("domain_hint", evil), webRequest("client_id", evil), webRequest("redirect_uri", evil)} {
		p := newPerson(t, idp).open(authorizeURL(contosoBase, v))
		if strings.Contains(p.page.text, "<script>alert") {
			t.Errorf("not escaped: %s", p.page.text)
		}
		if v.Get("login_hint") != "" {
			p.post("loginfmt", evil)
			if strings.Contains(p.page.text, "<script>alert") || !strings.Contains(html.UnescapeString(p.page.text), evil) {
				t.Errorf("not escaped: %s", p.page.text)
			}
		}
	}
	names := accountName.FindAllStringSubmatch(newPerson(t, idp).open(authorizeURL(contosoBase, webRequest())).page.text, -1)
	if !slices.ContainsFunc(names, func(m []string) bool { return html.UnescapeString(m[1]) == jo }) {
		t.Errorf("got=%v", names)
	}
}
