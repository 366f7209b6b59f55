package mockidp_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	tokens, err := contoso.SignIn(mockidp.SignIn{Login: jo, Scopes: []string{"openid", "profile", "offline_access", "api://" + mockidp.API + "/Jobs.Run"}, Claims: `{"access_token":{"acrs":{"value":"c1"}}}`})
	if err != nil {
		t.Fatal(err)
	}
	_, access := mustVerify(t, idp.Client(), contoso.DiscoveryURL(), tokens.AccessToken)
	want(t, access, map[string]any{"iss": contoso.Issuer(), "azp": mockidp.Client, "scp": "Jobs.Run", "oid": mockidp.User, "acrs": []string{"c1"}})
	if tokens.IDToken == "" || tokens.ExpiresIn != 3600 || tokens.ClientInfo == "" || tokens.Scope == "" {
		t.Errorf("got=%+v", tokens)
	}
	ok(t, send(t, idp.Client(), contoso.TokenURL(), form("grant_type", "refresh_token", "client_id", mockidp.Client, "refresh_token", tokens.RefreshToken), spaOrigin...))

	shop, err := idp.Tenant(mockidp.Shop).SignIn(mockidp.SignIn{Login: pat, Policy: "b2c_1a_custom", Scopes: []string{apiScope}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, claimsOf(t, shop.AccessToken), map[string]any{"tfp": "B2C_1A_custom", "oid": mockidp.PasswordUser})
	started := mockidp.Start(t)
	local, err := started.Tenant(mockidp.Contoso).SignIn(mockidp.SignIn{Client: mockidp.WebClient, Login: jo, Scopes: []string{apiScope}, Origin: started.URL})
	if err != nil {
		t.Fatal(err)
	}
	want(t, claimsOf(t, local.AccessToken), map[string]any{"iss": started.URL + "/" + mockidp.Contoso + "/v2.0", "azpacr": "1"})

	gone := idp.Tenant(mockidp.Customers)
	idp.RemoveTenant(mockidp.Customers, mockidp.External)
	for name, row := range map[string]struct {
		handle *mockidp.TenantHandle
		how    mockidp.SignIn
		want   string
	}{
		"unknown user":   {contoso, mockidp.SignIn{Login: "nobody", Scopes: []string{apiScope}}, "AADSTS50034"},
		"unknown client": {contoso, mockidp.SignIn{Client: mockidp.User, Login: jo, Scopes: []string{apiScope}}, "AADSTS700016"},
		"unknown scope":  {contoso, mockidp.SignIn{Login: jo, Scopes: []string{apiScope + "x"}}, "AADSTS650053"},
		"unknown API":    {contoso, mockidp.SignIn{Login: jo, Scopes: []string{"api://x/y"}}, "AADSTS500011"},
		"bad claims":     {contoso, mockidp.SignIn{Login: jo, Scopes: []string{apiScope}, Claims: "x"}, "AADSTS9002313"},
		"unknown policy": {idp.Tenant(mockidp.Shop), mockidp.SignIn{Login: jo, Policy: "x", Scopes: []string{apiScope}}, "no policy"},
		"bad origin":     {contoso, mockidp.SignIn{Login: jo, Origin: "ftp://x"}, "protocol scheme"},
		"not a URL":      {contoso, mockidp.SignIn{Login: jo, Origin: "https://x y"}, "mockidp: "},
		"removed":        {gone, mockidp.SignIn{Login: jo, Scopes: []string{apiScope}}, "no such tenant"},
	} {
		if _, err := row.handle.SignIn(row.how); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got=%v, want=%s", name, err, row.want)
		}
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	r, err := idp.Walk(contoso.AuthorizeURL()+"?"+spaRequest("scope", "openid api://"+mockidp.API+"/Jobs.Run").Encode(), jo)
	if err != nil || r.Mode != "fragment" || r.URL.Host != "localhost:3000" || r.Values.Get("code") == "" || r.Values.Get("client_info") == "" {
		t.Fatalf("got=%+v %v", r, err)
	}
	r, err = idp.Walk(contoso.AuthorizeURL()+"?"+webRequest("response_mode", "form_post").Encode(), jo)
	if err != nil || r.Mode != "form_post" || r.URL.String() != webCallback || r.Values.Get("code") == "" {
		t.Fatalf("got=%+v %v", r, err)
	}
	for name, row := range map[string]struct {
		with  []string
		login string
		error string
	}{
		"refused":               {[]string{"response_type", "x"}, jo, "unsupported_response_type"},
		"unknown user":          {nil, "nobody", "invalid_grant"},
		"silent, signed in":     {[]string{"prompt", "none"}, jo, ""},
		"silent, nobody":        {[]string{"prompt", "none"}, "", "login_required"},
		"silent, not consented": {[]string{"prompt", "none", "scope", "api://" + mockidp.API + "/Jobs.Run"}, pat, "consent_required"},
	} {
		r, err := idp.Walk(authorizeURL(contosoBase, webRequest(row.with...)), row.login)
		if err != nil || r.Values.Get("error") != row.error {
			t.Errorf("%s: got=%+v %v", name, r, err)
		}
	}
	for address, text := range map[string]string{
		authorizeURL(contosoBase, webRequest("redirect_uri", "https://x.example/")):    "AADSTS50011",
		authorizeURL(contosoBase, webRequest("client_id", "x")):                        "AADSTS700038",
		authorizeURL("https://login.microsoftonline.com/nobody.example", webRequest()): "no such tenant",
		authorizeURL("https://x.example/nobody.example", webRequest()):                 "no such tenant",
		contosoToken: "not an authorize URL",
		"%zz":        "mockidp: ",
	} {
		if _, err := idp.Walk(address, jo); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got=%v, want=%s", address, err, text)
		}
	}
	idp.SignOutEverybody()
}

func TestHeadlessDevices(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	ask := func() map[string]any {
		t.Helper()
		return ok(t, send(t, idp.Client(), contosoBase+"/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", "api://"+mockidp.API+"/Jobs.Run")))
	}
	poll := func(d map[string]any) reply {
		t.Helper()
		return send(t, idp.Client(), contosoToken, form("grant_type", "device_code", "client_id", mockidp.NativeClient, "device_code", d["device_code"].(string)))
	}
	first, second := ask(), ask()
	if got := idp.PendingDeviceCodes(); len(got) != 2 || got[0] != first["user_code"] || got[1] != second["user_code"] {
		t.Errorf("got=%v", got)
	}
	if err := idp.ApproveDeviceCode(first["user_code"].(string), "nobody"); err == nil {
		t.Error("nobody approved")
	}
	if err := idp.ApproveDeviceCode(first["user_code"].(string), jo); err != nil {
		t.Fatal(err)
	}
	if err := idp.DeclineDeviceCode(second["user_code"].(string)); err != nil {
		t.Fatal(err)
	}
	want(t, claimsOf(t, ok(t, poll(first))["access_token"].(string)), map[string]any{"scp": "Jobs.Run"})
	refusal{400, "authorization_declined", 65004}.check(t, poll(second))
	for _, err := range []error{idp.ApproveDeviceCode(first["user_code"].(string), jo), idp.DeclineDeviceCode("x")} {
		if err == nil || !strings.Contains(err.Error(), "no device waits") {
			t.Errorf("got=%v", err)
		}
	}
}

func TestLeniency(t *testing.T) {
	t.Parallel()
	strict := mockidp.Application{ID: mockidp.ServicePrincipal, Secrets: []string{"s"}, RedirectURIs: mockidp.RedirectURIs{Web: []string{webCallback}, SPA: []string{spaCallback}}}
	all := strict
	all.Lenient = mockidp.Leniency{AnyRedirectURI: true, AnySecret: true, NoPKCE: true, ReusableCodes: true, ReusableRefreshTokens: true, UnknownScopes: true, AnyOrigin: true}
	for lenient, application := range map[bool]mockidp.Application{false: strict, true: all} {
		idp := mockidp.New()
		idp.AddApplication(mockidp.Contoso, mockidp.Workforce, application)
		base := webRequest("client_id", mockidp.ServicePrincipal, "scope", "openid offline_access")
		walk := func(pairs ...string) (string, error) {
			r, err := idp.Walk(authorizeURL(contosoBase, but(base, pairs...)), jo)
			if err != nil {
				return "", err
			}
			return r.Values.Get("code"), nil
		}
		redeem := func(code string, pairs ...string) reply {
			return send(t, idp.Client(), contosoToken, webRedemption(code, append([]string{"client_id", mockidp.ServicePrincipal, "client_secret", "s"}, pairs...)...))
		}
		check := func(what string, accepted bool) {
			t.Helper()
			if accepted != lenient {
				t.Errorf("%s: lenient=%v, accepted=%v", what, lenient, accepted)
			}
		}
		_, err := walk("redirect_uri", "https://any.example/where")
		check("AnyRedirectURI", err == nil)
		if _, err = walk("redirect_uri", "javascript:alert(1)"); err == nil {
			t.Error("a script is no redirect URI, however lenient")
		}
		code, err := walk()
		if err != nil {
			t.Fatal(err)
		}
		check("AnySecret", redeem(code, "client_secret", "x").status == 200)
		code, _ = walk()
		check("no secret", redeem(code, "client_secret", "").status == 200)
		code, _ = walk("code_challenge", s256(verifier), "code_challenge_method", "S256")
		check("NoPKCE", redeem(code).status == 200)
		code, _ = walk()
		body := ok(t, redeem(code))
		check("ReusableCodes", redeem(code).status == 200)
		refresh := form("grant_type", "refresh_token", "client_id", mockidp.ServicePrincipal, "client_secret", "s", "refresh_token", body["refresh_token"].(string))
		ok(t, send(t, idp.Client(), contosoToken, refresh))
		check("ReusableRefreshTokens", send(t, idp.Client(), contosoToken, refresh).status == 200)
		code, _ = walk("scope", "api://"+mockidp.API+"/Nothing")
		check("UnknownScopes", code != "" && redeem(code, "scope", "api://"+mockidp.API+"/Nothing").status == 200)
		code, _ = walk()
		check("AnyOrigin", send(t, idp.Client(), contosoToken, webRedemption(code, "client_id", mockidp.ServicePrincipal, "client_secret", "s"), spaOrigin...).status == 200)
	}
}

// A fault that replaces the answer leaves the code as it was; one that changes the answer does not.
func TestFaultsOfTheProtocol(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := mockidp.New()
		code := codeFor(t, idp, contosoBase, webRequest(), jo)
		idp.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Status: 503, Times: 1, Header: map[string][]string{"Retry-After": {"1"}}})
		r := send(t, idp.Client(), contosoToken, webRedemption(code), spaOrigin...)
		if r.status != 503 || r.json["error"] != "temporarily_unavailable" || r.header.Get("Access-Control-Allow-Origin") == "" || r.header.Get("Retry-After") != "1" {
			t.Errorf("got=%d %s", r.status, r.text)
		}
		idp.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Reset: true, Times: 1})
		if _, err := idp.Client().PostForm(contosoToken, webRedemption(code)); err == nil {
			t.Error("want a reset")
		}
		idp.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Delay: time.Minute, Times: 1})
		start := time.Now()
		ok(t, send(t, idp.Client(), contosoToken, webRedemption(code)))
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v", took)
		}
		if got := idp.Count(mockidp.TokenEndpoint); got != 3 {
			t.Errorf("counted %d, want 3", got)
		}
	})
	for e, name := range map[mockidp.Endpoint]string{mockidp.AuthorizeEndpoint: "AuthorizeEndpoint", mockidp.TokenEndpoint: "TokenEndpoint", mockidp.DeviceCodeEndpoint: "DeviceCodeEndpoint",
		mockidp.LogoutEndpoint: "LogoutEndpoint", mockidp.UserInfoEndpoint: "UserInfoEndpoint", mockidp.InstanceDiscovery: "InstanceDiscovery", mockidp.UserRealm: "UserRealm", mockidp.PageEndpoint: "PageEndpoint"} {
		if e.String() != name {
			t.Errorf("got=%s, want=%s", e, name)
		}
	}
}

// What was handed out is bounded, and two servers do not see each other.
func TestSessionsAreBoundedAndApart(t *testing.T) {
	t.Parallel()
	idp, other := mockidp.New(), mockidp.New()
	first := codeFor(t, idp, contosoBase, webRequest(), jo)
	refusal{400, "invalid_grant", 70000}.check(t, send(t, other.Client(), contosoToken, webRedemption(first)))
	for range 10_000 {
		codeFor(t, idp, contosoBase, webRequest(), jo)
	}
	refusal{400, "invalid_grant", 70000}.check(t, send(t, idp.Client(), contosoToken, webRedemption(first)))
	ok(t, send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo))))
}

var errCodes = errors.New("a code was redeemed twice")

func TestOneCodeOneWinner(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	code := codeFor(t, idp, contosoBase, webRequest(), jo)
	results := make(chan int)
	for range 20 {
		go func() { results <- send(t, idp.Client(), contosoToken, webRedemption(code)).status }()
	}
	won := 0
	for range 20 {
		if <-results == 200 {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%v: %d winners", errCodes, won)
	}
}
