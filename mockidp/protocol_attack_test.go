package mockidp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

// A Host header that is no host makes neither an issuer nor a panic. net/http lets some of these through.
func TestHostsThatAreNone(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	for host, status := range map[string]int{
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1:8443": 200, "[::1]:8443": 200, "login.microsoftonline.com:443": 200,
		"localhost:80/x": 404, "localhost:80/": 404, "localhost:@x.example": 404, "x@localhost": 404, "127.0.0.1:x": 404, "::1": 404, "localhost:1?x": 404, "localhost:1?": 404,
		"localhost:1#x": 404, "localhost:'": 404, "localhost:%zz": 404, "[localhost]:1": 404, "localhost.": 404, "": 404,
	} {
		r := httptest.NewRequest(http.MethodPost, "https://127.0.0.1/"+mockidp.Contoso+"/oauth2/v2.0/token", strings.NewReader(daemonRequest().Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = host
		if w := serve(idp, r); w.Code != status {
			t.Errorf("%q: got=%d %s, want=%d", host, w.Code, w.Body, status)
		}
	}
}

// Nothing is sent to an address that is not registered, however much it looks like one; neither by authorize nor by logout.
func TestRedirectsToStrangers(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	ask := func(path string, v url.Values) *httptest.ResponseRecorder {
		return serve(idp, httptest.NewRequest(http.MethodGet, contosoBase+"/oauth2/v2.0/"+path+"?"+v.Encode(), nil))
	}
	for _, uri := range []string{webCallback, "HTTPS://WEB.contoso.example/callback", "http://localhost:8080/callback", "http://localhost:1/callback"} {
		if w := ask("authorize", webRequest("redirect_uri", uri, "prompt", "none")); w.Code != 302 || !strings.HasPrefix(w.Header().Get("Location"), uri+"?error=login_required&") {
			t.Errorf("authorize %q: got=%d %q", uri, w.Code, w.Header().Get("Location"))
		}
		if w := ask("logout", form("post_logout_redirect_uri", uri)); w.Code != 302 || w.Header().Get("Location") != uri {
			t.Errorf("logout %q: got=%d %q", uri, w.Code, w.Header().Get("Location"))
		}
	}
	strange := strings.Fields(`callback //web.contoso.example/callback https:web.contoso.example/callback https:///web.contoso.example/callback
		http://web.contoso.example/callback https://web.contoso.example/Callback https://web.contoso.example/callback/
		https://web.contoso.example/callback? https://web.contoso.example/callback?x=1 https://web.contoso.example/callback# https://web.contoso.example/callback#x
		https://web.contoso.example/callback;x https://web.contoso.example//callback https://web.contoso.example/./callback https://web.contoso.example/x/../callback
		https://web.contoso.example/%63allback https://web.contoso.example/callback%0d%0aX:y https://web.contoso.example/callback%00
		https://web.contoso.example./callback https://web.contoso.example:443/callback https://web.contoso.example:/callback
		https://web.contoso.example%2Fcallback https://web.contoso.example\@x.example/callback https://web.contoso.example@x.example/callback
		https://x@web.contoso.example/callback https://web.contoso.example.x.example/callback https://xweb.contoso.example/callback https:\\web.contoso.example/callback
		http://localhost:1@x.example/callback http://localhost.x.example/callback http://localhost\.x.example/callback http://localhost./callback http://localhost:8080/callback?x
		http://localhost:x/callback http://127.0.0.1:8080/callback http://[::1]:8080/callback http://2130706433:8080/callback https://localhost:8081/callback
		javascript:alert(1) data:text/html,x file:///etc/passwd about:blank`)
	strange = append(strange, " "+webCallback, webCallback+" ", webCallback+"\r\nX: y", webCallback+"\x00", "\x00",
		"https://web.conto\u017fo.example/callback", "https://web.conto%C5%BFo.example/callback", "https://web\u3002contoso.example/callback", "https://web.contoso.example\uff0fcallback")
	for _, uri := range strange {
		for _, mode := range responseModes {
			w := ask("authorize", webRequest("redirect_uri", uri, "response_mode", mode, "prompt", "none"))
			if w.Code != 400 || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "AADSTS50011") || strings.Contains(w.Body.String(), `action="`) {
				t.Errorf("authorize %q: got=%d %q %s", uri, w.Code, w.Header().Get("Location"), w.Body)
			}
		}
		if w := ask("logout", form("post_logout_redirect_uri", uri)); w.Code != 200 || w.Header().Get("Location") != "" {
			t.Errorf("logout %q: got=%d %q", uri, w.Code, w.Header().Get("Location"))
		}
	}
}

var responseModes = []string{"query", "fragment", "form_post"}

// A form cannot be posted to an installed application, whatever its scheme begins with.
func TestFormPostToAnApplication(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, RedirectURIs: mockidp.RedirectURIs{Native: []string{"httpx://callback", "app://x"}}})
	for _, uri := range []string{"httpx://callback", "app://x"} {
		v := webRequest("client_id", mockidp.ServicePrincipal, "redirect_uri", uri, "prompt", "none")
		newPerson(t, idp).open(authorizeURL(contosoBase, but(v, "response_mode", "form_post"))).sees(400, "AADSTS70007")
		if u, _ := newPerson(t, idp).open(authorizeURL(contosoBase, v)).sent(); !strings.HasPrefix(u.String(), uri) {
			t.Errorf("got=%s", u)
		}
	}
}

// A code is good where it was issued: at one tenant, under any of its names, or at one of the addresses of all.
func TestCodesStayWhereTheyWereIssued(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	places := [][]string{{mockidp.Contoso, "contoso.onmicrosoft.com"}, {mockidp.Fabrikam, "Fabrikam.onmicrosoft.com"}, {"common", "Common"}, {"organizations"}}
	kim := "kim@fabrikam.example"
	for _, issued := range places {
		for _, redeemed := range slices.Concat(places...) {
			code := codeFor(t, idp, login+issued[0], webRequest(), kim)
			r := send(t, idp.Client(), login+redeemed+"/oauth2/v2.0/token", webRedemption(code))
			if slices.Contains(issued, redeemed) {
				ok(t, r)
			} else {
				refusal{400, "invalid_grant", 700005}.check(t, r)
			}
		}
	}
	// Personal accounts have one tenant under two names.
	code := codeFor(t, idp, login+"consumers", webRequest(), "sam@outlook.example")
	ok(t, send(t, idp.Client(), login+mockidp.PersonalAccounts+"/oauth2/v2.0/token", webRedemption(code)))
}

// Whoever planted the cookie of a browser is not signed in when the person at the browser signs in.
func TestPlantedSession(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	start := authorizeURL(contosoBase, webRequest())
	attacker := newPerson(t, idp).open(start)
	u, _ := url.Parse(start)
	planted := attacker.c.Jar.Cookies(u)
	planted[0].Path = "/"
	victim := newPerson(t, idp)
	victim.c.Jar.SetCookies(u, planted)
	if _, v := victim.open(start).post("loginfmt", jo).sent(); v.Get("code") == "" {
		t.Fatalf("victim: got=%v", v)
	}
	if _, v := attacker.open(start + "&prompt=none").sent(); v.Get("error") != "login_required" {
		t.Errorf("attacker: got=%v", v)
	}
	if _, v := victim.open(start + "&prompt=none").sent(); v.Get("code") == "" {
		t.Errorf("victim, again: got=%v", v)
	}
	// A second account joins the first, although the ID changes again; one that is signed in already keeps it.
	before := fmt.Sprint(victim.c.Jar.Cookies(u))
	victim.open(start+"&prompt=select_account").post("loginfmt", "max@contoso.example").sent()
	after := fmt.Sprint(victim.c.Jar.Cookies(u))
	if _, v := victim.open(start + "&prompt=none").sent(); v.Get("error") != "interaction_required" || before == after {
		t.Errorf("two accounts: got=%v", v)
	}
	victim.open(start+"&prompt=select_account").post("loginfmt", jo).sent()
	if got := fmt.Sprint(victim.c.Jar.Cookies(u)); got != after {
		t.Errorf("picked an account: got=%s, want=%s", got, after)
	}
	// A sign-in that the application is refused for is one all the same.
	refused := newPerson(t, idp)
	refused.open(authorizeURL(contosoBase, webRequest("scope", "openid api://"+mockidp.API+"/Nothing"))).post("loginfmt", jo).sent()
	if _, v := refused.open(start + "&prompt=none").sent(); v.Get("code") == "" {
		t.Errorf("refused first: got=%v", v)
	}
}

// PKCE belongs to codes: an implicit answer of B2C to a single-page application needs none.
func TestImplicitNeedsNoChallenge(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	const callback = "https://implicit.example/"
	idp.AddApplication(mockidp.Shop, mockidp.B2C, mockidp.Application{ID: mockidp.ServicePrincipal, ImplicitIDTokens: true, RedirectURIs: mockidp.RedirectURIs{SPA: []string{callback}}})
	base := shopBase + mockidp.Shop + "/b2c_1_susi"
	v := form("client_id", mockidp.ServicePrincipal, "redirect_uri", callback, "scope", "openid", "nonce", "n", "response_type", "id_token")
	if _, got := newPerson(t, idp).open(authorizeURL(base, v)).post("loginfmt", jo).sent(); got.Get("id_token") == "" {
		t.Errorf("id_token: got=%v", got)
	}
	if _, got := newPerson(t, idp).open(authorizeURL(base, but(v, "response_type", "code id_token"))).sent(); !strings.HasPrefix(got.Get("error_description"), "AADB2C99059") {
		t.Errorf("code id_token: got=%v", got)
	}
}

// A life that begins in the request ends a whole number of seconds later, although the clock goes on meanwhile.
func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	var ticks atomic.Int64
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return time.Unix(1_767_225_600, ticks.Add(1000)) }))
	body := ok(t, send(t, idp.Client(), shopBase+mockidp.Shop+"/b2c_1_susi/oauth2/v2.0/token", form("grant_type", "password", "client_id", mockidp.NativeClient, "username", pat,
		"password", mockidp.Password, "scope", "openid offline_access")))
	want(t, body, map[string]any{"refresh_token_expires_in": 90 * 24 * 3600})
}

// Errors name the whole scope parameter, and a client of one tenant is told so where devices ask.
func TestWordsOfErrors(t *testing.T) {
	t.Parallel()
	idp := mockidp.New()
	scope := "openid " + apiScope + " User.Read"
	r := send(t, idp.Client(), contosoToken, webRedemption(codeFor(t, idp, contosoBase, webRequest(), jo), "scope", scope))
	refusal{400, "invalid_request", 28000}.check(t, r)
	if !strings.Contains(r.text, "Scope "+scope+" is not valid.") {
		t.Errorf("got=%s", r.text)
	}
	idp.AddApplication(mockidp.Contoso, mockidp.Workforce, mockidp.Application{ID: mockidp.ServicePrincipal, PublicClient: true})
	device := form("client_id", mockidp.ServicePrincipal, "scope", "openid")
	refusal{400, "invalid_request", 50059}.check(t, send(t, idp.Client(), login+"common/oauth2/v2.0/devicecode", device))
	ok(t, send(t, idp.Client(), contosoBase+"/oauth2/v2.0/devicecode", device))
}
