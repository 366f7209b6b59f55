package msaltest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/echo-identity/identity/mockidp"
)

// relyingParty is a web application made of go-oidc and x/oauth2.
type relyingParty struct {
	oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

// clientContext carries the HTTP client to both libraries.
func (w *world) clientContext(t *testing.T) context.Context {
	return oidc.ClientContext(t.Context(), w.Client())
}

func (w *world) relyingParty(t *testing.T, ctx context.Context, issuer, client, secret, redirect string) *relyingParty {
	t.Helper()
	provider, err := oidc.NewProvider(ctx, issuer)
	worked(t, "NewProvider", err)
	return &relyingParty{
		Config: oauth2.Config{ClientID: client, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: redirect,
			Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess, "profile", "email", freshScope}},
		provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: client}),
	}
}

// signIn goes through the pages and redeems the code.
func (rp *relyingParty) signIn(t *testing.T, ctx context.Context, p *person) (*oauth2.Token, *oidc.IDToken) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	to, err := p.open(t.Context(), rp.AuthCodeURL("state", oidc.Nonce("n1"), oauth2.S256ChallengeOption(verifier)))
	worked(t, "sign-in", err)
	equal(t, "state", to.Query().Get("state"), "state")
	got, err := rp.Exchange(ctx, to.Query().Get("code"), oauth2.VerifierOption(verifier))
	worked(t, "Exchange", err)
	raw, _ := got.Extra("id_token").(string)
	id, err := rp.verifier.Verify(ctx, raw)
	worked(t, "Verify", err)
	equal(t, "nonce", id.Nonce, "n1")
	return got, id
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	const redirect = "http://localhost:8080/callback"
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInParams, oauth2.AuthStyleInHeader, oauth2.AuthStyleAutoDetect} {
		t.Run(map[oauth2.AuthStyle]string{1: "secret in the form", 2: "secret in the header", 0: "by trying"}[style], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ctx := w.clientContext(t)
			rp := w.relyingParty(t, ctx, w.authority(mockidp.Contoso)+"/v2.0", mockidp.WebClient, mockidp.WebSecret, redirect)
			rp.Endpoint.AuthStyle = style
			p := w.newPerson(t, jo, "")
			got, id := rp.signIn(t, ctx, p)
			var claims struct {
				TenantID string `json:"tid"`
				ObjectID string `json:"oid"`
				Name     string `json:"preferred_username"`
				Email    string `json:"email"`
			}
			worked(t, "Claims", id.Claims(&claims))
			equal(t, "tid", claims.TenantID, mockidp.Contoso)
			equal(t, "oid", claims.ObjectID, mockidp.User)
			equal(t, "preferred_username", claims.Name, jo)
			equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.User)

			// Each refresh answers with the next refresh token. The one before was used up.
			used := *got
			for range 3 {
				old := *got
				old.Expiry = time.Now().Add(-time.Minute)
				next, err := rp.TokenSource(ctx, &old).Token()
				worked(t, "refresh", err)
				equal(t, "rotated", next.RefreshToken != old.RefreshToken, true)
				w.call(t, "/orders", next.AccessToken)
				got = next
			}
			used.Expiry = time.Now().Add(-time.Minute)
			_, err := rp.TokenSource(ctx, &used).Token()
			refusedBy(t, "a refresh token again", err, http.StatusBadRequest, "invalid_grant", "AADSTS70000")

			// Signing out by the ID token.
			end := struct {
				Endpoint string `json:"end_session_endpoint"`
			}{}
			worked(t, "Claims", rp.provider.Claims(&end))
			const goodbye = "http://localhost:8080/"
			raw, _ := got.Extra("id_token").(string)
			to, err := p.open(t.Context(), end.Endpoint+"?"+url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {goodbye}, "client_id": {mockidp.WebClient}}.Encode())
			worked(t, "logout", err)
			equal(t, "after logout", to.String(), goodbye)
			to, err = p.open(t.Context(), rp.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "none")))
			worked(t, "silent sign-in", err)
			equal(t, "silent sign-in after logout", to.Query().Get("error"), "login_required")
		})
	}
}

// refusedBy is a refusal as x/oauth2 reports it.
func refusedBy(t *testing.T, what string, err error, status int, code, number string) {
	t.Helper()
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) {
		t.Fatalf("%s: got=%v, want=%s", what, err, number)
	}
	equal(t, what+": status", r.Response.StatusCode, status)
	equal(t, what+": error", r.ErrorCode, code)
	if !strings.HasPrefix(r.ErrorDescription, number+":") {
		t.Fatalf("%s: got=%s, want=%s", what, r.ErrorDescription, number)
	}
}

func TestOIDCRefusals(t *testing.T) {
	t.Parallel()
	const redirect = "http://localhost:8080/callback"
	w := newWorld(t)
	ctx := w.clientContext(t)
	rp := w.relyingParty(t, ctx, w.authority(mockidp.Contoso)+"/v2.0", mockidp.WebClient, mockidp.WebSecret, redirect)
	code := func(opts ...oauth2.AuthCodeOption) string {
		return w.walk(t, rp.AuthCodeURL("s", opts...), jo).Get("code")
	}
	verifier := oauth2.GenerateVerifier()

	_, err := rp.Exchange(ctx, code(oauth2.S256ChallengeOption(verifier)), oauth2.VerifierOption(verifier))
	worked(t, "Exchange", err)
	_, err = rp.Exchange(ctx, code(oauth2.S256ChallengeOption(verifier)))
	refusedBy(t, "no verifier", err, http.StatusBadRequest, "invalid_grant", "AADSTS50148")
	other := *rp
	other.ClientSecret = "wrong"
	other.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	_, err = other.Exchange(ctx, code())
	refusedBy(t, "wrong secret", err, http.StatusUnauthorized, "invalid_client", "AADSTS7000215")
	other = *rp
	other.RedirectURL = "https://localhost:8080/callback"
	_, err = other.Exchange(ctx, code())
	refusedBy(t, "another redirect URI", err, http.StatusUnauthorized, "invalid_client", "AADSTS500112")
	_, err = rp.Exchange(ctx, "made-up")
	refusedBy(t, "a made-up code", err, http.StatusBadRequest, "invalid_grant", "AADSTS70000")

	// The ID token of one client is not for another.
	got, err := rp.Exchange(ctx, code())
	worked(t, "Exchange", err)
	raw, _ := got.Extra("id_token").(string)
	if _, err := rp.verifier.Verify(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := rp.provider.Verifier(&oidc.Config{ClientID: mockidp.Daemon}).Verify(ctx, raw); err == nil {
		t.Fatal("ID token of another client: accepted")
	}
}

// Userinfo wants a token of its own, without a scope of another API.
func TestOIDCUserInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.clientContext(t)
	rp := w.relyingParty(t, ctx, w.authority(mockidp.Contoso)+"/v2.0", mockidp.WebClient, mockidp.WebSecret, "http://localhost:8080/callback")
	rp.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	got, id := rp.signIn(t, ctx, w.newPerson(t, jo, ""))
	info, err := rp.provider.UserInfo(ctx, oauth2.StaticTokenSource(got))
	worked(t, "UserInfo", err)
	equal(t, "email", info.Email, jo)
	if info.Subject == "" || id.Subject == "" {
		t.Fatalf("sub: got=%q and %q", info.Subject, id.Subject)
	}
	status, _ := get(t, w.api+"/me", got.AccessToken)
	equal(t, "that token at the API", status, http.StatusUnauthorized)
	if _, err := rp.provider.UserInfo(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: got.AccessToken + "x"})); err == nil {
		t.Fatal("UserInfo with a changed token: got an answer")
	}
}

// The other grants of x/oauth2.
func TestOAuth2Grants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.clientContext(t)
	rp := w.relyingParty(t, ctx, w.authority(mockidp.Contoso)+"/v2.0", mockidp.NativeClient, "", "http://localhost")

	t.Run("client credentials", func(t *testing.T) {
		for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInParams, oauth2.AuthStyleInHeader} {
			daemon := clientcredentials.Config{ClientID: mockidp.Daemon, ClientSecret: mockidp.DaemonSecret, TokenURL: rp.Endpoint.TokenURL, Scopes: []string{ordersAll}, AuthStyle: style}
			got, err := daemon.Token(ctx)
			worked(t, "Token", err)
			checkDaemon(t, w, got.AccessToken)
			daemon.ClientSecret = "wrong"
			_, err = daemon.Token(ctx)
			refusedBy(t, "wrong secret", err, http.StatusUnauthorized, "invalid_client", "AADSTS7000215")
		}
	})
	t.Run("device code", func(t *testing.T) {
		device, err := rp.DeviceAuth(ctx)
		worked(t, "DeviceAuth", err)
		p := w.newPerson(t, jo, "")
		p.userCode = device.UserCode
		_, err = p.open(ctx, device.VerificationURI)
		worked(t, "device code page", err)
		got, err := rp.DeviceAccessToken(ctx, device)
		worked(t, "DeviceAccessToken", err)
		equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.User)
	})
	t.Run("password", func(t *testing.T) {
		got, err := rp.PasswordCredentialsToken(ctx, pat, mockidp.Password)
		worked(t, "PasswordCredentialsToken", err)
		equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.PasswordUser)
		_, err = rp.PasswordCredentialsToken(ctx, pat, "wrong")
		refusedBy(t, "wrong password", err, http.StatusBadRequest, "invalid_grant", "AADSTS50126")
	})
}

// The endpoints of version 1.0, which name an API instead of scopes.
func TestOAuth2Version1(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.clientContext(t)
	resource := oauth2.SetAuthURLParam("resource", "api://"+oldAPI)
	web := oauth2.Config{ClientID: mockidp.WebClient, ClientSecret: mockidp.WebSecret, RedirectURL: "http://localhost:8080/callback", Endpoint: oauth2.Endpoint{
		AuthURL: w.authority(mockidp.Contoso) + "/oauth2/authorize", TokenURL: w.authority(mockidp.Contoso) + "/oauth2/token"}}
	to, err := w.newPerson(t, jo, "").open(t.Context(), web.AuthCodeURL("state", resource))
	worked(t, "sign-in", err)
	got, err := web.Exchange(ctx, to.Query().Get("code"), resource)
	worked(t, "Exchange", err)
	who := w.call(t, "/orders", got.AccessToken)
	equal(t, "version", who.Version, "1.0")
	equal(t, "user", who.User, mockidp.User)
	old := *got
	old.Expiry = time.Now().Add(-time.Minute)
	next, err := web.TokenSource(ctx, &old).Token()
	worked(t, "refresh", err)
	w.call(t, "/orders", next.AccessToken)

	daemon := clientcredentials.Config{ClientID: mockidp.Daemon, ClientSecret: mockidp.DaemonSecret, TokenURL: web.Endpoint.TokenURL,
		EndpointParams: url.Values{"resource": {mockidp.API}}}
	app, err := daemon.Token(ctx)
	worked(t, "Token", err)
	checkDaemon(t, w, app.AccessToken)
	daemon.EndpointParams.Set("resource", "api://unknown")
	_, err = daemon.Token(ctx)
	refusedBy(t, "an unknown resource", err, http.StatusBadRequest, "invalid_resource", "AADSTS500011")
}

// Tenants whose issuer is not what their metadata address says, for which go-oidc has a way.
func TestOIDCTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const redirect = "http://localhost:8080/callback"
	for _, row := range []struct {
		name, address, issuer, tenant string
		skipIssuer                    bool
	}{
		{"External ID", mockidp.Customers + "/v2.0", mockidp.Customers + "/v2.0", mockidp.Customers, false},
		{"B2C", "contosob2c.onmicrosoft.com/b2c_1_susi/v2.0", mockidp.Shop + "/v2.0/", mockidp.Shop, false},
		{"B2C, another policy", "contosob2c.onmicrosoft.com/B2C_1A_custom/v2.0", mockidp.Shop + "/v2.0/", mockidp.Shop, false},
		{"B2C, under tfp", "tfp/contosob2c.onmicrosoft.com/b2c_1_susi/v2.0", mockidp.Shop + "/v2.0/", mockidp.Shop, false},
		{"by domain", "contoso.onmicrosoft.com/v2.0", mockidp.Contoso + "/v2.0", mockidp.Contoso, false},
		{"common", "common/v2.0", "{tenantid}/v2.0", mockidp.Contoso, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx := oidc.InsecureIssuerURLContext(w.clientContext(t), w.authority(row.issuer))
			rp := w.relyingParty(t, ctx, w.authority(row.address), mockidp.WebClient, mockidp.WebSecret, redirect)
			rp.verifier = rp.provider.Verifier(&oidc.Config{ClientID: mockidp.WebClient, SkipIssuerCheck: row.skipIssuer})
			got, id := rp.signIn(t, ctx, w.newPerson(t, jo, ""))
			equal(t, "issuer", id.Issuer, w.authority(strings.Replace(row.issuer, "{tenantid}", row.tenant, 1)))
			equal(t, "tenant", w.call(t, "/orders", got.AccessToken).Tenant, row.tenant)
		})
	}
}
