package msaltest

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/golang-jwt/jwt/v5"

	"github.com/echo-identity/identity/mockidp"
)

// fromCertificate is MSAL's own credential: an assertion with PS256 and x5t#S256.
func fromCertificate(t *testing.T, k *identityKey) confidential.Credential {
	t.Helper()
	cred, err := confidential.NewCredFromCert([]*x509.Certificate{k.certificate}, k.key)
	worked(t, "NewCredFromCert", err)
	return cred
}

// fromAssertion signs assertions as an application does that keeps its key elsewhere.
func fromAssertion(method jwt.SigningMethod, k *identityKey, header string) confidential.Credential {
	return confidential.NewCredFromAssertionCallback(func(_ context.Context, o confidential.AssertionRequestOptions) (string, error) {
		return k.assertion(method, header, o.ClientID, o.TokenEndpoint)
	})
}

// assertion is a client assertion. The thumbprint is in the header x5t or x5t#S256.
func (k *identityKey) assertion(method jwt.SigningMethod, header, client, audience string) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": client, "sub": client, "aud": audience, "jti": now.String(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	})
	one, two := sha1.Sum(k.certificate.Raw), sha256.Sum256(k.certificate.Raw)
	token.Header[header] = map[string]string{
		"x5t":      base64.RawURLEncoding.EncodeToString(one[:]),
		"x5t#S256": base64.RawURLEncoding.EncodeToString(two[:]),
	}[header]
	return token.SignedString(k.key)
}

// federated is the token of a cluster, which is no certificate of the application.
func (k *identityKey) federated(subject string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": clusterIssuer, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString(k.key)
}

func fromCluster(subject string) confidential.Credential {
	return confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		return cluster().federated(subject)
	})
}

// A daemon, with every kind of credential.
func TestGoClientCredentials(t *testing.T) {
	t.Parallel()
	const certificate, assertion = "2", "2" // values of azpacr
	for _, row := range []struct {
		name   string
		cred   func(t *testing.T) confidential.Credential
		opts   []confidential.Option
		azpacr string
		want   string // number of the refusal
	}{
		{"secret", func(t *testing.T) confidential.Credential { return secret(t, mockidp.DaemonSecret) }, nil, "1", ""},
		{"wrong secret", func(t *testing.T) confidential.Credential { return secret(t, "wrong") }, nil, "", "AADSTS7000215"},
		{"certificate", func(t *testing.T) confidential.Credential { return fromCertificate(t, ownCertificate()) }, nil, certificate, ""},
		{"certificate with its chain", func(t *testing.T) confidential.Credential { return fromCertificate(t, ownCertificate()) },
			[]confidential.Option{confidential.WithX5C()}, certificate, ""},
		{"foreign certificate", func(t *testing.T) confidential.Credential { return fromCertificate(t, foreignCertificate()) }, nil, "", "AADSTS700027"},
		{"assertion RS256, SHA-1", func(*testing.T) confidential.Credential {
			return fromAssertion(jwt.SigningMethodRS256, ownCertificate(), "x5t")
		}, nil, certificate, ""},
		{"assertion RS256, SHA-256", func(*testing.T) confidential.Credential {
			return fromAssertion(jwt.SigningMethodRS256, ownCertificate(), "x5t#S256")
		}, nil, certificate, ""},
		{"assertion PS256, SHA-1", func(*testing.T) confidential.Credential {
			return fromAssertion(jwt.SigningMethodPS256, ownCertificate(), "x5t")
		}, nil, certificate, ""},
		{"assertion PS256, SHA-256", func(*testing.T) confidential.Credential {
			return fromAssertion(jwt.SigningMethodPS256, ownCertificate(), "x5t#S256")
		}, nil, certificate, ""},
		{"assertion, foreign", func(*testing.T) confidential.Credential {
			return fromAssertion(jwt.SigningMethodPS256, foreignCertificate(), "x5t")
		}, nil, "", "AADSTS700027"},
		{"federated", func(*testing.T) confidential.Credential { return fromCluster(clusterSubject) }, nil, assertion, ""},
		{"federated, another subject", func(*testing.T) confidential.Credential { return fromCluster("system:serviceaccount:orders:other") }, nil, "", "AADSTS70021"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.confidentialClient(t, mockidp.Contoso, mockidp.Daemon, row.cred(t), row.opts...)
			got, err := c.AcquireTokenByCredential(t.Context(), []string{ordersAll})
			if row.want != "" {
				refused(t, "AcquireTokenByCredential", err, row.want)
				return
			}
			worked(t, "AcquireTokenByCredential", err)
			who := w.call(t, "/jobs", got.AccessToken)
			equal(t, "application only", who.AppOnly, true)
			equal(t, "service principal", who.User, mockidp.ServicePrincipal)
			equal(t, "role", strings.Join(who.Roles, " "), "Jobs.Run.All")
			equal(t, "azpacr", claimsOf(t, got.AccessToken)["azpacr"], any(row.azpacr))
			w.forbidden(t, "/orders", got.AccessToken)

			before := w.tokenRequests()
			again, err := c.AcquireTokenByCredential(t.Context(), []string{ordersAll})
			worked(t, "AcquireTokenByCredential", err)
			equal(t, "token of the cache", again.AccessToken, got.AccessToken)
			equal(t, "requests for it", w.tokenRequests(), before)
		})
	}
}

// A daemon of several tenants, and what it may not ask for.
func TestGoClientCredentialsScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.confidentialClient(t, mockidp.Contoso, mockidp.Daemon, secret(t, mockidp.DaemonSecret))
	got, err := c.AcquireTokenByCredential(t.Context(), []string{ordersAll}, confidential.WithTenantID(mockidp.Fabrikam))
	worked(t, "another tenant", err)
	equal(t, "tenant", w.call(t, "/jobs", got.AccessToken).Tenant, mockidp.Fabrikam)
	_, err = c.AcquireTokenByCredential(t.Context(), []string{ordersScope})
	refused(t, "a delegated scope", err, "AADSTS1002012")
	_, err = c.AcquireTokenByCredential(t.Context(), []string{"api://unknown/.default"})
	refused(t, "an unknown resource", err, "AADSTS500011")

	nobody := w.confidentialClient(t, mockidp.Contoso, "dddddddd-4444-4444-8444-999999999999", secret(t, "secret"))
	_, err = nobody.AcquireTokenByCredential(t.Context(), []string{ordersAll})
	refused(t, "an unknown client", err, "AADSTS700016")
}

// A web application: MSAL Go asks for openid only when it redeems the code.
func TestGoWebAuthCode(t *testing.T) {
	t.Parallel()
	const redirect = "http://localhost:8080/callback"
	for name, cred := range map[string]func(t *testing.T) confidential.Credential{
		"secret":      func(t *testing.T) confidential.Credential { return secret(t, mockidp.WebSecret) },
		"certificate": func(t *testing.T) confidential.Credential { return fromCertificate(t, ownCertificate()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.confidentialClient(t, mockidp.Contoso, mockidp.WebClient, cred(t))
			verifier, challenge := pkce(t.Name())
			address, err := c.AuthCodeURL(t.Context(), mockidp.WebClient, redirect, []string{ordersScope}, confidential.WithLoginHint(jo))
			worked(t, "AuthCodeURL", err)
			address += "&state=s1&code_challenge_method=S256&code_challenge=" + challenge

			p := w.newPerson(t, jo, "")
			to, err := p.open(t.Context(), address)
			worked(t, "sign-in", err)
			equal(t, "state", to.Query().Get("state"), "s1")
			got, err := c.AcquireTokenByAuthCode(t.Context(), to.Query().Get("code"), redirect, []string{ordersScope}, confidential.WithChallenge(verifier))
			worked(t, "AcquireTokenByAuthCode", err)
			equal(t, "home account", got.Account.HomeAccountID, mockidp.User+"."+mockidp.Contoso)
			equal(t, "client", w.call(t, "/orders", got.AccessToken).Client, mockidp.WebClient)

			account, err := c.Account(t.Context(), got.Account.HomeAccountID)
			worked(t, "Account", err)
			for range 2 {
				fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, confidential.WithSilentAccount(account))
				worked(t, "AcquireTokenSilent", err)
				w.call(t, "/orders", fresh.AccessToken)
			}

			// The session in the browser signs in without a page, until the browser signs out.
			seen := len(p.pages)
			to, err = p.open(t.Context(), address+"&prompt=none")
			worked(t, "silent sign-in", err)
			if to.Query().Get("code") == "" || len(p.pages) != seen {
				t.Fatalf("silent sign-in: got=%v with the pages %q, want a code without a page", to, p.pages[seen:])
			}
			const goodbye = "http://localhost:8080/"
			to, err = p.open(t.Context(), w.authority(mockidp.Contoso)+"/oauth2/v2.0/logout?state=s2&post_logout_redirect_uri="+goodbye)
			worked(t, "logout", err)
			equal(t, "after logout", to.String(), goodbye+"?state=s2")
			to, err = p.open(t.Context(), address+"&prompt=none")
			worked(t, "silent sign-in after logout", err)
			equal(t, "silent sign-in after logout", to.Query().Get("error"), "login_required")
		})
	}
}

// An API that calls another one for its user.
func TestGoOnBehalfOf(t *testing.T) {
	t.Parallel()
	for name, cred := range map[string]func(t *testing.T) confidential.Credential{
		"secret":      func(t *testing.T) confidential.Credential { return secret(t, mockidp.MiddleTierSecret) },
		"certificate": func(t *testing.T) confidential.Credential { return fromCertificate(t, ownCertificate()) },
		"federated":   func(*testing.T) confidential.Credential { return fromCluster(clusterSubject) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			user := w.publicClient(t, mockidp.Contoso)
			incoming, err := byPassword(t, user, gatewayScope, pat, mockidp.Password)
			worked(t, "token for the gateway", err)
			status, _ := get(t, w.api+"/me", incoming.AccessToken)
			equal(t, "the gateway's token at the API behind it", status, 401)

			gateway := w.confidentialClient(t, mockidp.Contoso, mockidp.MiddleTier, cred(t))
			got, err := gateway.AcquireTokenOnBehalfOf(t.Context(), incoming.AccessToken, []string{ordersScope})
			worked(t, "AcquireTokenOnBehalfOf", err)
			who := w.call(t, "/orders", got.AccessToken)
			equal(t, "user", who.User, mockidp.PasswordUser)
			equal(t, "client", who.Client, mockidp.MiddleTier)

			before := w.tokenRequests()
			_, err = gateway.AcquireTokenOnBehalfOf(t.Context(), incoming.AccessToken, []string{ordersScope})
			worked(t, "the same again", err)
			equal(t, "requests for it", w.tokenRequests(), before)
			// Claims pass the cache by: the refresh token of the exchange is used. (Tokens too short-lived for the cache are no way to
			// try that: MSAL Go fails on-behalf-of with them.)
			for range 2 {
				stepUp := confidential.WithClaims(`{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`)
				got, err := gateway.AcquireTokenOnBehalfOf(t.Context(), incoming.AccessToken, []string{ordersScope}, stepUp)
				worked(t, "with claims", err)
				w.call(t, "/orders", got.AccessToken)
			}
			equal(t, "requests for it", w.tokenRequests(), before+2)

			_, err = gateway.AcquireTokenOnBehalfOf(t.Context(), got.AccessToken, []string{ordersScope})
			refused(t, "a token for somebody else", err, "AADSTS500131")
			_, err = gateway.AcquireTokenOnBehalfOf(t.Context(), incoming.AccessToken+"x", []string{ordersScope})
			refused(t, "a changed token", err, "AADSTS50013")
			_, err = gateway.AcquireTokenOnBehalfOf(t.Context(), incoming.AccessToken, []string{jobsScope})
			refused(t, "without consent", err, "AADSTS65001")
		})
	}
}

// MSAL Go sends no credential with the password grant, so that only public clients can use it.
func TestGoConfidentialUsernamePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.confidentialClient(t, mockidp.Contoso, mockidp.NativeClient, secret(t, "not sent"))
	got, err := c.AcquireTokenByUsernamePassword(t.Context(), []string{ordersScope}, pat, mockidp.Password)
	worked(t, "AcquireTokenByUsernamePassword", err)
	equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.PasswordUser)
	_, err = c.AcquireTokenByUsernamePassword(t.Context(), []string{ordersScope}, jo, "any")
	refused(t, "a user without a password", err, "AADSTS50126")
	web := w.confidentialClient(t, mockidp.Contoso, mockidp.WebClient, secret(t, mockidp.WebSecret))
	_, err = web.AcquireTokenByUsernamePassword(t.Context(), []string{ordersScope}, pat, mockidp.Password)
	refused(t, "a client that is not public", err, "AADSTS7000218")
}
