package mockidp_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/echo-identity/identity/mockidp"
)

// serve asks the handler itself, where a panic is not swallowed.
func serve(idp *mockidp.Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	idp.ServeHTTP(w, r)
	return w
}

// FuzzTokenEndpoint: no panic, never a 5xx, and every refusal has Microsoft's shape.
func FuzzTokenEndpoint(f *testing.F) {
	idp := mockidp.New()
	for _, v := range []url.Values{daemonRequest(), webRedemption("x", "code_verifier", verifier), form("grant_type", "refresh_token", "client_id", mockidp.Client, "refresh_token", "x"),
		form("grant_type", "device_code", "client_id", mockidp.NativeClient, "device_code", "x"),
		form("grant_type", "password", "client_id", mockidp.NativeClient, "username", pat, "password", mockidp.Password, "scope", apiScope, "claims", `{"access_token":{"acrs":{"value":"c1"}}}`),
		form("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id", mockidp.MiddleTier, "client_secret", mockidp.MiddleTierSecret, "requested_token_use", "on_behalf_of",
			"scope", apiScope, "assertion", "e30.e30.e30"), daemonRequest("client_assertion", "e30.e30.AA", "client_assertion_type", assertionType, "client_secret", "")} {
		for _, path := range []string{"/" + mockidp.Contoso + "/oauth2/v2.0/token", "/common/oauth2/token", "/" + mockidp.Shop + "/b2c_1_susi/oauth2/v2.0/token"} {
			f.Add("127.0.0.1", path, v.Encode(), "", "")
		}
	}
	f.Add("login.microsoftonline.com", "/common/oauth2/v2.0/token", "grant_type=%zz", "Basic eDp5", "null")
	f.Add("contosob2c.b2clogin.com", "/oidc/userinfo", "", "Bearer e30.e30.AA", "")
	f.Add("graph.microsoft.com", "/oidc/userinfo", "access_token=e30.e30.AA", "", "https://x.example")
	f.Add("contosocx.ciamlogin.com", "/"+mockidp.Customers+"/oauth2/v2.0/devicecode", "client_id="+mockidp.Client+"&scope=openid", "", "")
	f.Fuzz(func(t *testing.T, host, path, body, authorization, origin string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return
		}
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "https://127.0.0.1/", strings.NewReader(body))
		r.Host, r.URL.Path, r.URL.RawQuery = host, u.Path, u.RawQuery
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["Authorization"], r.Header["Origin"] = []string{authorization}, []string{origin}
		w := serve(idp, r)
		if w.Code >= 500 {
			t.Fatalf("got=%d %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Code >= 400 && !strings.Contains(w.Body.String(), `"error"`) {
			t.Fatalf("got=%d %s", w.Code, w.Body)
		}
	})
}

// FuzzAuthorize: no panic, never a 5xx, and never a redirect to an address that is not registered.
func FuzzAuthorize(f *testing.F) {
	idp := mockidp.New()
	for _, v := range []url.Values{webRequest(), spaRequest(), webRequest("prompt", "none"), webRequest("response_mode", "form_post", "prompt", "none"), webRequest("response_type", "id_token code"),
		webRequest("redirect_uri", "http://localhost:41609/callback"), webRequest("client_id", mockidp.NativeClient, "redirect_uri", "http://127.0.0.1:1"), webRequest("redirect_uri", `https://web.contoso.example\@x/callback`),
		webRequest("redirect_uri", "http://localhost:80@x.example/callback"), webRequest("redirect_uri", "javascript:alert(1)")} {
		f.Add("login.microsoftonline.com", "/"+mockidp.Contoso+"/oauth2/v2.0/authorize", v.Encode(), false)
		f.Add("localhost", "/common/oauth2/v2.0/authorize", v.Encode(), true)
		f.Add("contosob2c.b2clogin.com", "/tfp/"+mockidp.Shop+"/b2c_1_susi/oauth2/v2.0/authorize", v.Encode(), false)
	}
	f.Add("localhost", "/common/oauth2/v2.0/logout", "post_logout_redirect_uri="+url.QueryEscape(webCallback), false)
	f.Add("contosocx.ciamlogin.com", "/devicelogin", "otc=x", true)
	f.Add("127.0.0.1", "/common/login", "flow=x&canary=y", true)
	f.Fuzz(func(t *testing.T, host, path, parameters string, post bool) {
		r := httptest.NewRequest(http.MethodGet, "https://127.0.0.1/", nil)
		if post {
			r = httptest.NewRequest(http.MethodPost, "https://127.0.0.1/", strings.NewReader(parameters))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		} else {
			r.URL.RawQuery = parameters
		}
		r.Host, r.URL.Path = host, path
		w := serve(idp, r)
		if w.Code >= 500 {
			t.Fatalf("got=%d %s", w.Code, w.Body)
		}
		if location := w.Header().Get("Location"); location != "" && !registered(location) {
			t.Fatalf("redirected to %q", location)
		}
		for _, m := range formAction.FindAllStringSubmatch(w.Body.String(), -1) {
			if to := m[1]; !strings.HasPrefix(to, "/") && !registered(to) {
				t.Fatalf("posts to %q", to)
			}
		}
	})
}

// registered judges an address with a rule of its own: what a browser makes of it is one of the hosts of the default directory.
func registered(location string) bool {
	u, err := url.Parse(strings.ReplaceAll(location, `\`, "/"))
	if err != nil || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "http":
		host := strings.ToLower(u.Hostname())
		return host == "localhost" || host == "127.0.0.1"
	case "https":
		host := strings.ToLower(u.Host)
		return host == "web.contoso.example" || host == "spa.contoso.example" || host == "localhost:3000" || host == "localhost:8080" || host == "login.microsoftonline.com"
	}
	return u.Scheme == "msal"+mockidp.NativeClient
}

// BenchmarkTokens: a signature is what a token costs, so that it is the unit.
func BenchmarkTokens(b *testing.B) {
	idp := mockidp.New()
	contoso := idp.Tenant(mockidp.Contoso)
	key := contoso.Keys().Signing().Private()
	b.Run("signature", func(b *testing.B) {
		sum := sha256.Sum256([]byte("x"))
		for b.Loop() {
			rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		}
	})
	b.Run("Token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			contoso.Token()
		}
	})
	b.Run("client credentials", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ok(b, send(b, idp.Client(), contosoToken, daemonRequest()))
		}
	})
	b.Run("code", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ok(b, send(b, idp.Client(), contosoToken, webRedemption(codeFor(b, idp, contosoBase, webRequest(), jo))))
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mockidp.New()
	}
}
