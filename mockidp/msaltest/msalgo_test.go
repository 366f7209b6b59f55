package msaltest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/echo-identity/identity/mockidp"
)

// publicClient is an installed application that knows the server by its address.
func (w *world) publicClient(t *testing.T, authority string, opts ...public.Option) public.Client {
	t.Helper()
	opts = append([]public.Option{public.WithAuthority(w.authority(authority)), public.WithHTTPClient(w.Client()), public.WithInstanceDiscovery(false)}, opts...)
	c, err := public.New(mockidp.NativeClient, opts...)
	worked(t, "public.New", err)
	return c
}

// confidentialClient is an application with a credential.
func (w *world) confidentialClient(t *testing.T, authority, id string, cred confidential.Credential, opts ...confidential.Option) confidential.Client {
	t.Helper()
	opts = append([]confidential.Option{confidential.WithHTTPClient(w.Client()), confidential.WithInstanceDiscovery(false)}, opts...)
	c, err := confidential.New(w.authority(authority), id, cred, opts...)
	worked(t, "confidential.New", err)
	return c
}

func secret(t *testing.T, text string) confidential.Credential {
	t.Helper()
	cred, err := confidential.NewCredFromSecret(text)
	worked(t, "NewCredFromSecret", err)
	return cred
}

// byPassword is the grant without a page.
func byPassword(t *testing.T, c public.Client, scope, login, password string) (public.AuthResult, error) {
	//lint:ignore SA1019 as long as MSAL has it, it has to work
	return c.AcquireTokenByUsernamePassword(t.Context(), []string{scope}, login, password)
}

// openURL lets a person answer the pages while the client listens on a loopback port.
func (p *person) openURL(t *testing.T) public.AcquireInteractiveOption {
	t.Helper()
	return public.WithOpenURL(func(address string) error {
		if !strings.Contains(address, "response_mode=form_post") {
			t.Errorf("the client did not ask for form_post: %s", address)
		}
		done := make(chan error, 1)
		ctx := context.WithoutCancel(t.Context()) // the last answer may come when the client has what it needs
		go func() {
			_, err := p.open(ctx, address)
			done <- err
		}()
		t.Cleanup(func() { worked(t, p.login, <-done) })
		return nil
	})
}

// pkce makes a code verifier and its challenge.
func pkce(seed string) (verifier, challenge string) {
	sum := sha256.Sum256([]byte(seed))
	verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	sum = sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// A sign-in through the browser and a loopback port, and everything that an application does with it until it signs out.
func TestGoInteractive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, mockidp.Contoso)
	p := w.newPerson(t, jo, "")

	got, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	equal(t, "home account", got.Account.HomeAccountID, mockidp.User+"."+mockidp.Contoso)
	equal(t, "user name", got.Account.PreferredUsername, jo)
	if !slices.Contains(got.GrantedScopes, ordersScope) || len(got.DeclinedScopes) > 0 {
		t.Fatalf("scopes: got=%q, declined %q; want=%s", got.GrantedScopes, got.DeclinedScopes, ordersScope)
	}
	who := w.call(t, "/orders", got.AccessToken)
	equal(t, "user", who.User, mockidp.User)
	equal(t, "client", who.Client, mockidp.NativeClient)
	equal(t, "azpacr", claimsOf(t, got.AccessToken)["azpacr"], any("0"))

	before := w.tokenRequests()
	again, err := c.AcquireTokenSilent(t.Context(), []string{ordersScope}, public.WithSilentAccount(got.Account))
	worked(t, "AcquireTokenSilent", err)
	equal(t, "token of the cache", again.AccessToken, got.AccessToken)
	equal(t, "requests for it", w.tokenRequests(), before)

	// Another resource, whose tokens are too short-lived for the cache: a refresh each time, with the latest refresh token.
	for range 3 {
		fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
		worked(t, "AcquireTokenSilent for another resource", err)
		equal(t, "user", w.call(t, "/orders", fresh.AccessToken).User, mockidp.User)
	}
	equal(t, "requests for three refreshes", w.tokenRequests(), before+3)

	worked(t, "RemoveAccount", c.RemoveAccount(t.Context(), got.Account))
	if _, err := c.AcquireTokenSilent(t.Context(), []string{ordersScope}, public.WithSilentAccount(got.Account)); err == nil {
		t.Fatal("AcquireTokenSilent after RemoveAccount: got a token")
	}
}

// A scope that nobody has consented to asks on the page, once.
func TestGoConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	no := w.newPerson(t, jo, "")
	no.declines = true
	_, err := w.publicClient(t, mockidp.Contoso).AcquireTokenInteractive(t.Context(), []string{jobsScope}, no.openURL(t))
	refused(t, "declined", err, "AADSTS65004")

	yes := w.newPerson(t, jo, "")
	got, err := w.publicClient(t, mockidp.Contoso).AcquireTokenInteractive(t.Context(), []string{jobsScope}, yes.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	w.call(t, "/jobs", got.AccessToken)
	w.forbidden(t, "/orders", got.AccessToken)
	if !strings.Contains(strings.Join(yes.pages, " "), "Permissions requested") {
		t.Fatalf("pages: got=%q, want a question", yes.pages)
	}

	later := w.newPerson(t, jo, "")
	_, err = w.publicClient(t, mockidp.Contoso).AcquireTokenInteractive(t.Context(), []string{jobsScope}, later.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	if strings.Contains(strings.Join(later.pages, " "), "Permissions requested") {
		t.Fatalf("pages: got=%q, want no further question", later.pages)
	}
}

// A challenge of an API: the claims go to the page, and into the token.
func TestGoClaimsChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, mockidp.Contoso, public.WithClientCapabilities([]string{"cp1"}))
	p := w.newPerson(t, jo, "")
	got, err := c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t))
	worked(t, "AcquireTokenInteractive", err)
	if _, has := claimsOf(t, got.AccessToken)["acrs"]; has {
		t.Fatal("acrs without a challenge")
	}
	if cc, _ := claimsOf(t, got.AccessToken)["xms_cc"].([]any); len(cc) != 1 || cc[0] != "cp1" {
		t.Fatalf("xms_cc: got=%v, want=[cp1]", cc)
	}
	const challenge = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	got, err = c.AcquireTokenInteractive(t.Context(), []string{ordersScope}, p.openURL(t), public.WithClaims(challenge))
	worked(t, "AcquireTokenInteractive with claims", err)
	if acrs, _ := claimsOf(t, got.AccessToken)["acrs"].([]any); len(acrs) != 1 || acrs[0] != "c1" {
		t.Fatalf("acrs: got=%v, want=[c1]", claimsOf(t, got.AccessToken)["acrs"])
	}
	w.call(t, "/orders", got.AccessToken)
}

func TestGoDeviceCode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		act  func(t *testing.T, w *world, page, userCode string)
		want string // number of the refusal
	}{
		{"approved on the page", func(t *testing.T, w *world, page, userCode string) {
			p := w.newPerson(t, jo, "")
			p.userCode = userCode
			_, err := p.open(t.Context(), page)
			worked(t, "device code page", err)
			if last := p.pages[len(p.pages)-1]; last != "You are signed in" {
				t.Fatalf("pages: got=%q", p.pages)
			}
		}, ""},
		{"approved by call", func(t *testing.T, w *world, _, userCode string) {
			worked(t, "ApproveDeviceCode", w.ApproveDeviceCode(userCode, jo))
		}, ""},
		{"declined", func(t *testing.T, w *world, _, userCode string) {
			worked(t, "DeclineDeviceCode", w.DeclineDeviceCode(userCode))
		}, "AADSTS65004"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.publicClient(t, mockidp.Contoso)
			code, err := c.AcquireTokenByDeviceCode(t.Context(), []string{ordersScope})
			worked(t, "AcquireTokenByDeviceCode", err)
			equal(t, "interval", code.Result.Interval, 1)
			row.act(t, w, code.Result.VerificationURL, code.Result.UserCode)
			got, err := code.AuthenticationResult(t.Context())
			if row.want != "" {
				refused(t, "AuthenticationResult", err, row.want)
				return
			}
			worked(t, "AuthenticationResult", err)
			equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.User)
			silent, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
			worked(t, "AcquireTokenSilent", err)
			w.call(t, "/orders", silent.AccessToken)
		})
	}
}

// The client goes on polling while nobody has approved.
func TestGoDeviceCodePending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code, err := w.publicClient(t, mockidp.Contoso).AcquireTokenByDeviceCode(t.Context(), []string{ordersScope})
	worked(t, "AcquireTokenByDeviceCode", err)
	type result struct {
		token string
		err   error
	}
	done := make(chan result)
	polled := make(chan struct{})
	w.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Times: 1, Edit: func(body []byte) []byte {
		close(polled)
		if !strings.Contains(string(body), "authorization_pending") {
			t.Errorf("first poll: got=%s, want authorization_pending", body)
		}
		return body
	}})
	go func() {
		got, err := code.AuthenticationResult(t.Context())
		done <- result{got.AccessToken, err}
	}()
	<-polled
	worked(t, "ApproveDeviceCode", w.ApproveDeviceCode(code.Result.UserCode, jo))
	got := <-done
	worked(t, "AuthenticationResult", got.err)
	w.call(t, "/orders", got.token)
}

func TestGoUsernamePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, mockidp.Contoso)
	_, err := byPassword(t, c, ordersScope, pat, "wrong")
	refused(t, "wrong password", err, "AADSTS50126")
	_, err = byPassword(t, c, jobsScope, pat, mockidp.Password)
	refused(t, "no consent", err, "AADSTS65001")
	got, err := byPassword(t, c, ordersScope, pat, mockidp.Password)
	worked(t, "AcquireTokenByUsernamePassword", err)
	equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.PasswordUser)
	fresh, err := c.AcquireTokenSilent(t.Context(), []string{freshScope}, public.WithSilentAccount(got.Account))
	worked(t, "AcquireTokenSilent", err)
	w.call(t, "/orders", fresh.AccessToken)
}

// A public client that handles the redirect itself, with a code verifier.
func TestGoPublicAuthCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, mockidp.Contoso)
	const redirect = "http://localhost:5555"
	verifier, challenge := pkce(t.Name())
	address, err := c.AuthCodeURL(t.Context(), mockidp.NativeClient, redirect, []string{ordersScope})
	worked(t, "AuthCodeURL", err)
	address += "&code_challenge_method=S256&code_challenge=" + challenge

	code := w.walk(t, address, jo).Get("code")
	_, err = c.AcquireTokenByAuthCode(t.Context(), code, redirect, []string{ordersScope}, public.WithChallenge(verifier+"x"))
	refused(t, "another verifier", err, "AADSTS501481")

	code = w.walk(t, address, jo).Get("code")
	got, err := c.AcquireTokenByAuthCode(t.Context(), code, redirect, []string{ordersScope}, public.WithChallenge(verifier))
	worked(t, "AcquireTokenByAuthCode", err)
	equal(t, "user", w.call(t, "/orders", got.AccessToken).User, mockidp.User)
	_, err = c.AcquireTokenByAuthCode(t.Context(), code, redirect, []string{ordersScope}, public.WithChallenge(verifier))
	refused(t, "the same code again", err, "AADSTS54005")

	if _, err := w.Walk(strings.Replace(address, "localhost%3A5555", "evil.example", 1), jo); err == nil {
		t.Fatal("unregistered redirect URI: got an answer, want a page")
	} else {
		refused(t, "unregistered redirect URI", err, "AADSTS50011")
	}
}

// Version 1.0 tokens, which the API decides about and not the endpoint.
func TestGoVersion1(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := byPassword(t, w.publicClient(t, mockidp.Contoso), oldScope, pat, mockidp.Password)
	worked(t, "AcquireTokenByUsernamePassword", err)
	who := w.call(t, "/orders", got.AccessToken)
	equal(t, "version", who.Version, "1.0")
	equal(t, "client", who.Client, mockidp.NativeClient)
	equal(t, "iss", claimsOf(t, got.AccessToken)["iss"], any("https://sts.windows.net/"+mockidp.Contoso+"/"))
}

// Throttling: the client hands the answer to its caller, body and all.
func TestGoThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.publicClient(t, mockidp.Contoso)
	w.Inject(mockidp.Fault{Endpoint: mockidp.TokenEndpoint, Times: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}})
	if _, err := byPassword(t, c, ordersScope, pat, mockidp.Password); err == nil || !strings.Contains(explain(err), "429") {
		t.Fatalf("throttled: got=%v, want=429", err)
	}
	got, err := byPassword(t, c, ordersScope, pat, mockidp.Password)
	worked(t, "after it", err)
	w.call(t, "/orders", got.AccessToken)
}
