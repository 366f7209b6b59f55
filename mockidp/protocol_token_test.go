package mockidp_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func TestCodeGrant(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	code := codeFor(t, idp, contosoBase, webRequest("code_challenge", s256(verifier), "code_challenge_method", "S256", "client_info", "1"), jo)
	body := ok(t, send(t, idp.Client(), contosoToken+"?client-request-id=x", webRedemption(code, "code_verifier", verifier, "client_info", "1")))
	want(t, body, map[string]any{"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "scope": "openid profile offline_access " + apiScope})
	if info, _ := base64.RawURLEncoding.DecodeString(body["client_info"].(string)); string(info) != `{"uid":"`+mockidp.User+`","utid":"`+mockidp.Contoso+`"}` {
		t.Errorf("client_info: got=%s", info)
	}
	_, access := mustVerify(t, idp.Client(), contosoBase+discoveryPath, body["access_token"].(string))
	want(t, access, map[string]any{"iss": v2Contoso, "aud": mockidp.API, "azp": mockidp.WebClient, "azpacr": "1", "scp": "access_as_user", "oid": mockidp.User, "ver": "2.0",
		"name": "Jo Doe", "roles": []string{"Orders.Approver"}, "acct": 0})
	absent(t, access, "idtyp", "groups", "nonce", "upn", "email", "xms_cc", "acrs")
	_, id := mustVerify(t, idp.Client(), contosoBase+discoveryPath, body["id_token"].(string))
	want(t, id, map[string]any{"aud": mockidp.WebClient, "nonce": "n", "oid": mockidp.User, "preferred_username": jo, "tid": mockidp.Contoso})
	absent(t, id, "scp", "azp", "roles")
	if id["sub"] == access["sub"] || len(id["sub"].(string)) != 43 {
		t.Errorf("sub is not pairwise: %v", id["sub"])
	}
}

func TestCodeRefused(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	challenged := []string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}
	for name, row := range map[string]struct {
		request []string
		with    []string // changes to the redemption
		at      string
		headers []string
		want    refusal // zero: accepted
	}{
		"good":                     {},
		"plain challenge":          {request: []string{"code_challenge", verifier}, with: []string{"code_verifier", verifier}},
		"S256":                     {request: challenged, with: []string{"code_verifier", verifier}},
		"wrong verifier":           {request: challenged, with: []string{"code_verifier", verifier + "x"}, want: refusal{400, "invalid_grant", 501481}},
		"missing verifier":         {request: challenged, want: refusal{400, "invalid_grant", 50148}},
		"S256 taken for plain":     {request: challenged, with: []string{"code_verifier", s256(verifier)}, want: refusal{400, "invalid_grant", 501481}},
		"plain taken for S256":     {request: []string{"code_challenge", s256(verifier)}, with: []string{"code_verifier", verifier}, want: refusal{400, "invalid_grant", 501481}},
		"verifier, no challenge":   {with: []string{"code_verifier", verifier}, want: refusal{400, "invalid_grant", 501481}},
		"other redirect URI":       {with: []string{"redirect_uri", "http://localhost:8080/callback"}, want: refusal{401, "invalid_client", 500112}},
		"missing redirect URI":     {with: []string{"redirect_uri", ""}, want: refusal{400, "invalid_request", 900144}},
		"wrong secret":             {with: []string{"client_secret", "x"}, want: refusal{401, "invalid_client", 7000215}},
		"no secret":                {with: []string{"client_secret", ""}, want: refusal{401, "invalid_client", 7000218}},
		"unknown code":             {with: []string{"code", "x"}, want: refusal{400, "invalid_grant", 70000}},
		"missing code":             {with: []string{"code", ""}, want: refusal{400, "invalid_request", 900144}},
		"other client":             {with: []string{"client_id", mockidp.Daemon, "client_secret", mockidp.DaemonSecret}, want: refusal{400, "invalid_grant", 70000}},
		"unknown client":           {with: []string{"client_id", mockidp.ServicePrincipal}, want: refusal{400, "unauthorized_client", 700016}},
		"not a client ID":          {with: []string{"client_id", "x"}, want: refusal{400, "unauthorized_client", 700038}},
		"no client ID":             {with: []string{"client_id", ""}, want: refusal{400, "invalid_request", 900144}},
		"no grant type":            {with: []string{"grant_type", ""}, want: refusal{400, "invalid_request", 900144}},
		"unknown grant type":       {with: []string{"grant_type", "magic"}, want: refusal{400, "unsupported_grant_type", 70003}},
		"other tenant":             {at: login + mockidp.Fabrikam + "/oauth2/v2.0/token", want: refusal{400, "invalid_grant", 700005}},
		"common":                   {at: login + "common/oauth2/v2.0/token", want: refusal{400, "invalid_grant", 700005}},
		"domain":                   {at: login + "Contoso.onmicrosoft.com/oauth2/v2.0/token"},
		"unknown tenant":           {at: login + "nobody.example/oauth2/v2.0/token", want: refusal{400, "invalid_request", 90002}},
		"from a browser":           {headers: []string{"Origin", "https://web.contoso.example"}, want: refusal{400, "invalid_request", 9002326}},
		"resource":                 {with: []string{"resource", "api://" + mockidp.API}, want: refusal{400, "invalid_request", 901002}},
		"wider scope":              {with: []string{"scope", "openid email offline_access " + apiScope + " api://" + mockidp.API + "/Orders.Read"}},
		"unknown scope":            {with: []string{"scope", "api://" + mockidp.API + "/Nothing"}, want: refusal{400, "invalid_scope", 650053}},
		"unknown resource":         {with: []string{"scope", "api://nobody/x"}, want: refusal{400, "invalid_resource", 500011}},
		"two resources":            {with: []string{"scope", apiScope + " User.Read"}, want: refusal{400, "invalid_request", 28000}},
		"default and a name":       {with: []string{"scope", apiScope + " api://" + mockidp.API + "/.default"}, want: refusal{400, "invalid_scope", 70011}},
		"default":                  {with: []string{"scope", "api://" + mockidp.API + "/.default"}},
		"scope without consent":    {with: []string{"scope", "api://" + mockidp.API + "/Jobs.Run"}, want: refusal{400, "invalid_grant", 65001}},
		"bad claims":               {with: []string{"claims", "{"}, want: refusal{400, "invalid_request", 9002313}},
		"empty claims and unknown": {with: []string{"x-client-SKU", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := row.at
			if at == "" {
				at = contosoToken
			}
			code := codeFor(t, idp, contosoBase, webRequest(row.request...), jo)
			r := send(t, idp.Client(), at, webRedemption(code, row.with...), row.headers...)
			if row.want == (refusal{}) {
				ok(t, r)
				refusal{400, "invalid_grant", 54005}.check(t, send(t, idp.Client(), at, webRedemption(code, row.with...)))
				return
			}
			row.want.check(t, r)
		})
	}
}

func TestMalformedTokenRequests(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for name, row := range map[string]struct {
		method, contentType, body string
		want                      refusal
	}{
		"GET":          {method: "GET", want: refusal{400, "invalid_request", 900561}},
		"PUT":          {method: "PUT", want: refusal{400, "invalid_request", 900561}},
		"no body":      {want: refusal{400, "invalid_request", 900144}},
		"JSON":         {contentType: "application/json", body: `{"grant_type":"password"}`, want: refusal{400, "invalid_request", 900144}},
		"bad encoding": {body: "grant_type=%zz", want: refusal{400, "invalid_request", 9002313}},
		"semicolons":   {body: "a;b", want: refusal{400, "invalid_request", 9002313}},
		"twice":        {body: "grant_type=password&grant_type=password", want: refusal{400, "invalid_request", 9002313}},
		"too large":    {body: "grant_type=" + strings.Repeat("x", 1<<20), want: refusal{400, "invalid_request", 9002313}},
	} {
		if row.method == "" {
			row.method = "POST"
		}
		if row.contentType == "" {
			row.contentType = "application/x-www-form-urlencoded"
		}
		req, err := http.NewRequestWithContext(t.Context(), row.method, contosoToken, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		const id = "12345678-1234-4234-8234-123456789abc"
		r := do(t, idp.Client(), req, "Content-Type", row.contentType, "client-request-id", id, "return-client-request-id", "true", "Origin", "https://x.example")
		row.want.check(t, r)
		if r.json["correlation_id"] != id || r.header.Get("client-request-id") != id {
			t.Errorf("correlation ID: got=%v", r.json["correlation_id"])
		}
		if r.header.Get("Access-Control-Allow-Origin") != "https://x.example" || r.header.Get("Vary") != "Origin" {
			t.Error("no script can read the error")
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), "OPTIONS", contosoToken, nil)
	if r := do(t, idp.Client(), req, "Access-Control-Request-Headers", "authorization"); r.status != 204 || !strings.Contains(r.header.Get("Access-Control-Allow-Methods"), "POST") ||
		r.header.Get("Access-Control-Allow-Headers") != "authorization" {
		t.Errorf("preflight: got=%d %v", r.status, r.header)
	}
}

func TestSinglePageApplication(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 0)
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return now }))
	c := idp.Client()
	redeem := func(request, with []string, headers ...string) reply {
		t.Helper()
		return send(t, c, contosoToken, spaRedemption(codeFor(t, idp, contosoBase, spaRequest(request...), jo), with...), headers...)
	}
	r := redeem(nil, nil, spaOrigin...)
	body := ok(t, r)
	if got := r.header.Get("Access-Control-Allow-Origin"); got != spaCallback {
		t.Errorf("Access-Control-Allow-Origin: got=%q", got)
	}
	want(t, body, map[string]any{"refresh_token_expires_in": 86400})
	if got := redeem(nil, nil, "Origin", "https://elsewhere.example").header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("an origin that is not registered may read: %q", got)
	}
	refusal{400, "invalid_request", 9002327}.check(t, redeem(nil, nil))
	for _, request := range [][]string{{"prompt", "none", "code_challenge", "", "code_challenge_method", ""}, {"prompt", "none", "code_challenge", ""}, {"prompt", "none"}} {
		_, v := newPerson(t, idp).open(authorizeURL(contosoBase, spaRequest(request...))).sent()
		wanted := map[int]string{6: "AADSTS9002325: ", 4: "AADSTS50147: ", 2: "AADSTS50058: "}[len(request)]
		if !strings.HasPrefix(v.Get("error_description"), wanted) {
			t.Errorf("%v: got=%v, want=%s", request, v, wanted)
		}
	}

	refresh := form("grant_type", "refresh_token", "client_id", mockidp.Client, "refresh_token", body["refresh_token"].(string), "scope", apiScope)
	refusal{400, "invalid_request", 9002327}.check(t, send(t, c, contosoToken, refresh))
	now = now.Add(20 * time.Hour)
	next := ok(t, send(t, c, contosoToken, refresh, spaOrigin...))
	want(t, next, map[string]any{"refresh_token_expires_in": 4 * 3600}) // the chain is not prolonged
	refusal{400, "invalid_grant", 70000}.check(t, send(t, c, contosoToken, refresh, spaOrigin...))
	now = now.Add(4 * time.Hour)
	refusal{400, "invalid_grant", 700084}.check(t, send(t, c, contosoToken, but(refresh, "refresh_token", next["refresh_token"].(string)), spaOrigin...))
}

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 0)
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return now }))
	c := idp.Client()
	fresh := func() url.Values {
		t.Helper()
		body := ok(t, send(t, c, contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo))))
		return form("grant_type", "refresh_token", "client_id", mockidp.WebClient, "client_secret", mockidp.WebSecret, "refresh_token", body["refresh_token"].(string))
	}
	refresh := fresh()
	refusal{401, "invalid_client", 7000218}.check(t, send(t, c, contosoToken, but(refresh, "client_secret", "")))
	refusal{400, "invalid_grant", 70000}.check(t, send(t, c, contosoToken, but(refresh, "client_id", mockidp.Daemon, "client_secret", mockidp.DaemonSecret)))
	refusal{400, "invalid_grant", 70000}.check(t, send(t, c, contosoToken, but(refresh, "refresh_token", "x")))
	refusal{400, "invalid_request", 900144}.check(t, send(t, c, contosoToken, but(refresh, "refresh_token", "")))
	refusal{400, "invalid_request", 9002326}.check(t, send(t, c, contosoToken, refresh, spaOrigin...))
	refusal{400, "invalid_scope", 650053}.check(t, send(t, c, contosoToken, but(refresh, "scope", apiScope+"x")))
	body := ok(t, send(t, c, contosoToken, refresh)) // none of the refusals used it up
	want(t, body, map[string]any{"scope": "openid profile offline_access " + apiScope})
	absent(t, claimsOf(t, body["id_token"].(string)), "nonce")
	if body["refresh_token"] == refresh.Get("refresh_token") {
		t.Error("the refresh token was not rotated")
	}
	refusal{400, "invalid_grant", 70000}.check(t, send(t, c, contosoToken, refresh))
	other := ok(t, send(t, c, contosoToken, but(refresh, "refresh_token", body["refresh_token"].(string), "scope", "User.Read")))
	want(t, claimsOf(t, other["access_token"].(string)), map[string]any{"aud": "https://graph.microsoft.com", "scp": "User.Read"})

	late := fresh()
	now = now.Add(90 * 24 * time.Hour)
	refusal{400, "invalid_grant", 700082}.check(t, send(t, c, contosoToken, late))
	code := codeFor(t, idp, contosoBase, webRequest(), jo)
	now = now.Add(10 * time.Minute)
	refusal{400, "invalid_grant", 70008}.check(t, send(t, c, contosoToken, webRedemption(code)))

	gone := fresh()
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, mockidp.Account{ID: mockidp.User, Login: jo, Disabled: true})
	refusal{400, "invalid_grant", 50057}.check(t, send(t, c, contosoToken, gone))
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, mockidp.Account{ID: mockidp.User, Login: jo})
	ok(t, send(t, c, contosoToken, gone))
}

// The claims parameter, capabilities and authentication contexts.
func TestClaimsParameter(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const asked = `{"access_token":{"acrs":{"essential":true,"value":"c1"},"xms_cc":{"values":["cp1"]},"nbf":{"value":"1"}},"id_token":{"login_hint":null,"sid":null,"acrs":{"values":["c2"]}}}`
	body := ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo), "claims", asked)))
	access, id := claimsOf(t, body["access_token"].(string)), claimsOf(t, body["id_token"].(string))
	want(t, access, map[string]any{"acrs": []string{"c1"}, "xms_cc": []string{"cp1"}})
	want(t, id, map[string]any{"acrs": []string{"c2"}})
	hint, _ := id["login_hint"].(string)
	if hint == "" || id["sid"] == nil {
		t.Fatalf("login_hint or sid is missing: %v", id)
	}
	p := newPerson(t, idp).open(authorizeURL(contosoBase, webRequest("login_hint", hint)))
	p.sees(200, `value="`+jo+`"`)
	// MiddleTier has no optional claims: it does not see the capability.
	body = ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo), "claims", asked, "scope", "api://"+mockidp.MiddleTier+"/.default")))
	absent(t, claimsOf(t, body["access_token"].(string)), "xms_cc")
}
