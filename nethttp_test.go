package identity_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity"
	"github.com/echo-identity/identity/mockidp"
	"github.com/labstack/echo/v4"
)

// plain is a net/http application with the mock behind it; its handler notes the principal.
type plain struct {
	idp       *mockidp.Server
	handler   http.Handler
	reached   bool
	principal *identity.Principal
}

func newPlain(t *testing.T, change func(*identity.Config), rules ...identity.Rule) *plain {
	t.Helper()
	p := &plain{idp: mockidp.New()}
	var next http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.reached = true
		p.principal, _ = identity.FromContext(r.Context())
	})
	for _, rule := range rules {
		next = rule.Handler(next)
	}
	p.handler = newVerifier(t, p.idp, change).Handler(next)
	return p
}

func (p *plain) do(r *http.Request) *httptest.ResponseRecorder {
	p.reached, p.principal = false, nil
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// The adapter for net/http answers as the middleware for Echo does, byte for byte where a client looks.
// K12
func TestHandlerAnswersAsMiddleware(t *testing.T) {
	t.Parallel()
	config := func(cfg *identity.Config) {
		cfg.Resource = identity.Resource{URL: "https://api.example/v1", Scopes: []string{"api://x/a"}}
	}
	p := newPlain(t, config, identity.AllScopes("access_as_user"))
	a := newAPIOn(t, p.idp, config, identity.RequireScope("access_as_user"))
	good := a.token()
	for _, authorization := range []string{
		"", "Basic x", "Bearer", "Bearer " + good + " x", "Bearer a.b.c", "Bearer " + strings.Repeat("x", 70_000),
		"Bearer " + a.token(mockidp.ExpiresIn(-time.Hour)), "Bearer " + a.idp.Tenant(tenantB).Token(), "Bearer " + a.token(mockidp.Scopes("other")),
		"Bearer " + good,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			request := func() *http.Request {
				r := httptest.NewRequest(method, "/", nil)
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				return r
			}
			want, got := a.do(request()), p.do(request())
			if got.Code != want.status || p.reached != want.reached {
				t.Fatalf("%s %.20s: got=%d reached=%v, want=%d %v", method, authorization, got.Code, p.reached, want.status, want.reached)
			}
			if got.Code == http.StatusOK {
				if p.principal == nil || p.principal.UserKey() != want.principal.UserKey() {
					t.Fatalf("got=%v, want=%v", p.principal, want.principal)
				}
				continue
			}
			for _, name := range []string{"Www-Authenticate", "Retry-After"} {
				if fmt.Sprint(got.Header()[name]) != fmt.Sprint(want.header[name]) {
					t.Fatalf("%s %.20s: %s: got=%q, want=%q", method, authorization, name, got.Header()[name], want.header[name])
				}
			}
			if strings.TrimSpace(got.Body.String()) != strings.TrimSpace(want.body) {
				t.Fatalf("%s %.20s: got=%s, want=%s", method, authorization, got.Body, want.body)
			}
			if method == http.MethodHead && got.Body.Len() > 0 {
				t.Fatalf("got=%s, want no body", got.Body)
			}
			if method == http.MethodGet && (got.Header().Get("Content-Type") != "application/json" || !json.Valid(got.Body.Bytes())) {
				t.Fatalf("got=%s %s, want JSON", got.Header().Get("Content-Type"), got.Body)
			}
		}
	}
}

// K3: an outage says when to come back.
func TestHandlerOutage(t *testing.T) {
	t.Parallel()
	p := newPlain(t, nil)
	remove := p.idp.Inject(mockidp.Fault{Status: http.StatusServiceUnavailable, Times: 1})
	defer remove()
	got := p.do(bearer(p.idp.Tenant(tenantA).Token()))
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || got.Header().Get("WWW-Authenticate") != "" || p.reached {
		t.Fatalf("got=%d %s, want=503 with Retry-After", got.Code, got.Header())
	}
}

// Optional mode.
// A18, A19
func TestHandlerOptional(t *testing.T) {
	t.Parallel()
	p := newPlain(t, func(cfg *identity.Config) { cfg.Optional = true })
	if got := p.do(httptest.NewRequest(http.MethodGet, "/", nil)); got.Code != http.StatusOK || !p.reached || p.principal != nil {
		t.Fatalf("got=%d principal=%v, want=200 and none", got.Code, p.principal)
	}
	if got := p.do(bearer("a.b.c")); got.Code != http.StatusUnauthorized || p.reached {
		t.Fatalf("got=%d, want=401", got.Code)
	}
	if got := p.do(bearer(p.idp.Tenant(tenantA).Token())); got.Code != http.StatusOK || p.principal == nil {
		t.Fatalf("got=%d principal=%v, want=200 and one", got.Code, p.principal)
	}
}

// I20: a rule without authentication in front.
func TestRuleHandlerWithoutAuthentication(t *testing.T) {
	t.Parallel()
	reached := false
	h := identity.AllScopes("a").Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, bearer("a.b.c"))
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != bare || reached {
		t.Fatalf("got=%d %s reached=%v, want=401 %s", w.Code, w.Header(), reached, bare)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(identity.NewContext(r.Context(), &identity.Principal{Scopes: []string{"a"}}))
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK || !reached {
		t.Fatalf("got=%d reached=%v, want=200: a test of a handler makes its own principal", w.Code, reached)
	}
}

// K8: a panic of the handler goes on to whoever recovers it, in both adapters and behind a guard.
func TestHandlerPanics(t *testing.T) {
	t.Parallel()
	p := newPlain(t, nil)
	boom := func(http.ResponseWriter, *http.Request) { panic("boom") }
	v := newVerifier(t, p.idp, nil)
	raw := p.idp.Tenant(tenantA).Token()
	guarded := identity.AllScopes("access_as_user").Handler(http.HandlerFunc(boom))
	if value := panics(func() { v.Handler(guarded).ServeHTTP(httptest.NewRecorder(), bearer(raw)) }); value != "boom" {
		t.Fatalf("got=%v, want the handler's panic", value)
	}
	a := newAPI(t, nil)
	a.e.GET("/boom", func(echo.Context) error { panic("boom") }, identity.RequireScope("access_as_user"))
	r := bearer(a.token())
	r.URL.Path = "/boom"
	if value := panics(func() { a.do(r) }); value != "boom" {
		t.Fatalf("got=%v, want the handler's panic", value)
	}
}

// A refused upgrade gets a plain answer: nothing is hijacked, and the connection does not speak WebSocket.
// A13, K12
func TestWebSocketRefusal(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(cfg *identity.Config) { cfg.TokenLookup = "websocket:bearer.,header" })
	a.e.GET("/ws", func(c echo.Context) error { // as much of an upgrade as this test needs
		conn, _, err := c.Response().Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
		return err
	})
	a.e.HTTPErrorHandler = a.e.DefaultHTTPErrorHandler // the kit's needs its own requests
	server := httptest.NewServer(a.e)
	defer server.Close()
	upgrade := func(protocols string) *http.Response {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", protocols)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	if got := upgrade("chat, bearer." + a.token()); got.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got=%s, want=101", got.Status)
	}
	for protocols, challenge := range map[string]string{
		"chat":               bare,
		"chat, bearer.a.b.c": badToken.challenge,
		"bearer.x, bearer.y": badRequest.challenge,
		"bearer." + a.token(mockidp.ExpiresIn(-time.Hour)): badToken.challenge,
	} {
		got := upgrade(protocols)
		if got.StatusCode < 400 || got.StatusCode > 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), challenge) || got.Header.Get("Upgrade") != "" {
			t.Fatalf("%.20s: got=%s %v, want a refusal with %s", protocols, got.Status, got.Header, challenge)
		}
	}
}
