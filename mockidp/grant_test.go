package mockidp_test

import (
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// What an application asks for by name is in its tokens, when there is a value; a user's claims never replace what tokens are
// trusted for.
func TestOptionalClaims(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	api := mockidp.Application{ID: mockidp.ServicePrincipal, Scopes: []string{"s"}, TokenVersion: 2, AppRoles: []mockidp.AppRole{{Value: "r"}}, GroupClaims: true,
		OptionalClaims: []string{"acct", "email", "upn", "login_hint", "sid", "auth_time", "tenant_region_scope", "ctry", "iss", "missing"}}
	plain := mockidp.Application{ID: mockidp.API, Scopes: []string{"s"}, TokenVersion: 2}
	guest := mockidp.Account{ID: mockidp.GuestUser, Login: "kim@fabrikam.example", Email: "k@x.example", HomeTenant: mockidp.PersonalAccounts, Groups: []string{"g"},
		Roles: []mockidp.RoleAssignment{{Application: mockidp.ServicePrincipal, Role: "r"}}, Claims: map[string]any{"ctry": "CH", "iss": "evil", "oid": "evil"}}
	for _, a := range []mockidp.Application{api, plain} {
		idp.AddApplication(mockidp.Contoso, mockidp.Workforce, a)
	}
	idp.AddAccount(mockidp.Contoso, mockidp.Workforce, guest)
	claims := func(scope string) map[string]any {
		t.Helper()
		tokens, err := idp.Tenant(mockidp.Contoso).SignIn(mockidp.SignIn{Login: guest.Login, Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		return claimsOf(t, tokens.AccessToken)
	}
	got := claims("api://" + api.ID + "/s")
	want(t, got, map[string]any{"acct": 1, "email": "k@x.example", "upn": "kim_fabrikam.example#EXT#@contoso.onmicrosoft.com", "tenant_region_scope": "NA", "ctry": "CH", "iss": v2Contoso,
		"oid": mockidp.GuestUser, "groups": []string{"g"}, "roles": []string{"r"}, "name": guest.Login, "idp": "https://sts.windows.net/" + mockidp.PersonalAccounts + "/"})
	absent(t, got, "missing")
	if got["login_hint"] == nil || got["sid"] == nil || got["auth_time"] == nil {
		t.Errorf("got=%v", got)
	}
	absent(t, claims("api://"+plain.ID+"/s"), "acct", "email", "upn", "login_hint", "sid", "ctry", "groups", "roles")
	api.TokenVersion = 1
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, api)
	want(t, claims(api.ID+"/s"), map[string]any{"ver": "1.0", "aud": api.ID, "unique_name": "live.com#" + guest.Login})

	shop := mockidp.Account{ID: mockidp.User, Login: jo, Claims: map[string]any{"extension_LoyaltyId": "4711", "sub": "evil"}}
	idp.AddAccount(mockidp.Shop, mockidp.B2C, shop)
	tokens, err := idp.Tenant(mockidp.Shop).SignIn(mockidp.SignIn{Login: jo, Scopes: []string{apiScope}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, claimsOf(t, tokens.AccessToken), map[string]any{"extension_LoyaltyId": "4711", "sub": mockidp.User})
}

// The whole way over sockets, where everything is on one origin.
func TestSignInOverTLS(t *testing.T) {
	t.Parallel()
	idp := mockidp.Start(t)
	for base, issuer := range map[string]string{
		idp.URL + "/" + mockidp.Contoso:                                   idp.URL + "/" + mockidp.Contoso + "/v2.0",
		strings.Replace(idp.URL, "127.0.0.1", "localhost", 1) + "/common": strings.Replace(idp.URL, "127.0.0.1", "localhost", 1) + "/" + mockidp.Contoso + "/v2.0",
		idp.URL + "/contosob2c.onmicrosoft.com/b2c_1_susi":                idp.URL + "/" + mockidp.Shop + "/v2.0/",
		idp.URL + "/" + mockidp.Customers:                                 idp.URL + "/" + mockidp.Customers + "/v2.0",
	} {
		p := newPerson(t, idp).open(authorizeURL(base, spaRequest()))
		_, v := p.post("loginfmt", jo).sent()
		body := ok(t, send(t, idp.Client(), base+"/oauth2/v2.0/token", spaRedemption(v.Get("code")), spaOrigin...))
		want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"iss": issuer, "scp": "access_as_user"})
		want(t, claimsOf(t, body["id_token"].(string)), map[string]any{"iss": issuer, "nonce": "n"})
		if _, v := p.open(authorizeURL(base, spaRequest("prompt", "none"))).sent(); v.Get("code") == "" {
			t.Errorf("%s: the session is lost: %v", base, v)
		}
	}
}

// Without TLS browsers keep no Secure cookie.
func TestSignInWithoutTLS(t *testing.T) {
	t.Parallel()
	p := newPerson(t, mockidp.New()).open("http://127.0.0.1:8080/" + mockidp.Contoso + "/oauth2/v2.0/authorize?" + webRequest().Encode())
	if _, v := p.post("loginfmt", jo).sent(); v.Get("code") == "" {
		t.Errorf("got=%v", v)
	}
}

// Hosts of one tenant know neither clouds nor Graph, and say so in peace.
func TestUserInfoElsewhere(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for _, host := range []string{"contosob2c.b2clogin.com", "contosocx.ciamlogin.com", "localhost"} {
		if r := visit(t, idp.Client(), "https://"+host+"/oidc/userinfo", "Authorization", "Bearer "+idp.Tenant(mockidp.Shop).Token()); r.status != 401 {
			t.Errorf("%s: got=%d %s", host, r.status, r.text)
		}
	}
}
